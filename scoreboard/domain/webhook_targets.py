"""Where webhooks may go: to the Internet by https, and nowhere into the networks around the service
unless the operator names them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from scoreboard.domain.webhooks import MAX_URL

_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_PORTS = range(1, 65536)

Address = IPv4Address | IPv6Address


class WebhookTargets:
    """``allowed`` are networks that may be reached though they are not on the Internet, and by http
    as well, in a comma-separated list. Raises ValueError for what is none."""

    def __init__(self, allowed: str) -> None:
        self._allowed = [ip_network(part.strip()) for part in allowed.split(",") if part.strip()]

    def check_url(self, url: str) -> None:
        """Raises ValueError saying what is wrong with it. Where its name leads is not looked up:
        that is done at every delivery."""
        if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
            raise ValueError(f"A URL of at most {MAX_URL} printable ASCII characters, no spaces.")
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and self._allowed):
            raise ValueError("An https URL; http only into networks that the settings allow.")
        if not parts.hostname or parts.username is not None or parts.password is not None:
            raise ValueError("A URL with a host, and without a name or password before it.")
        if parts.fragment or (parts.port is not None and parts.port not in _PORTS):
            raise ValueError("A URL without a fragment, and with a port from 1 to 65535 if any.")
        try:
            address = ip_address(parts.hostname)
        except ValueError:
            return  # a name
        if not self.allows(address, encrypted=parts.scheme == "https"):
            raise ValueError("This address is not on the Internet, nor allowed by the settings.")

    def allows(self, address: Address, *, encrypted: bool) -> bool:
        """Whether a delivery may be sent to this very address."""
        meant = _meant(address)
        if any(one in network for one in (address, meant) for network in self._allowed):
            return True
        return encrypted and _on_the_internet(meant)


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for (mapped, NAT64, 6to4), or the address."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _on_the_internet(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_private
    )
