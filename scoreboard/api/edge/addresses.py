"""Whose connection or request it is, so that nobody takes more than a share of the places."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp import web

from scoreboard.errors import ConfigurationError

IPV6_PREFIX = 64  # bits; who has one address of such a network has them all
REMEMBERED = 4096

# An element of Forwarded names the client as for=192.0.2.1, for="[2001:db8::1]:443" or for=unknown.
_FORWARDED_FOR = re.compile(r'(?:^|;)\s*for="?([^";]*)"?', re.IGNORECASE)
_PORT = re.compile(r"^(?:\[(?P<v6>[^\]]+)\]|(?P<v4>[0-9.]+))(?::\d+)?$")

Network = IPv4Network | IPv6Network


def networks(text: str) -> tuple[Network, ...]:
    """The networks in a comma-separated list of addresses and networks. Raises
    ConfigurationError."""
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ConfigurationError(f"SCOREBOARD_TRUSTED_PROXIES: {error}") from error


class Addresses:
    """Tells clients apart. The peers in ``trusted`` are proxies or belong to the house: they may
    have any number of connections, and are believed when they name the client in ``header`` (such
    as X-Forwarded-For; empty: none is read). What others say in it is not looked at."""

    def __init__(self, trusted: str, header: str) -> None:
        found = networks(trusted)
        self.header = header

        @lru_cache(REMEMBERED)
        def share(text: str) -> str:
            try:
                address = ip_address(text.partition("%")[0])
            except ValueError:
                return ""  # a socket without addresses
            if isinstance(address, IPv6Address) and address.ipv4_mapped:
                address = address.ipv4_mapped
            if any(address in network for network in found):
                return ""
            if isinstance(address, IPv6Address):
                return str(IPv6Network((address, IPV6_PREFIX), strict=False))
            return str(address)

        self.share: Callable[[str], str] = share

    def of_peer(self, peer: object) -> str:
        """The address (of IPv6, the network) whose share the connection of this ``peername``
        counts against; empty for one that is trusted."""
        return self.share(peer[0]) if isinstance(peer, tuple) else ""

    def of(self, request: web.BaseRequest) -> str:
        """The same for whoever sent the request, through however many trusted proxies."""
        share = self.of_peer(request.transport and request.transport.get_extra_info("peername"))
        if share or not self.header:
            return share
        hops = ",".join(request.headers.getall(self.header, ())).split(",")
        # Each proxy appends whom it heard from. So the client is the last who is not trusted.
        for hop in reversed(hops):
            if share := self.share(_address_in(hop)):
                return share
        return ""


def _address_in(hop: str) -> str:
    named = _FORWARDED_FOR.search(hop)
    text = (named[1] if named else hop).strip()
    port = _PORT.match(text)
    return (port["v6"] or port["v4"]) if port else text


class Shares:
    """How many places each address has, of which it may have ``most``. The empty address stands for
    those who may have any number."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._taken: dict[str, int] = {}

    def take(self, address: str) -> bool:
        """Takes a place; False when the address has all that it may."""
        if address:
            taken = self._taken.get(address, 0)
            if taken >= self.most:
                return False
            self._taken[address] = taken + 1
        return True

    def give_back(self, address: str) -> None:
        """Frees a place that was taken."""
        if address:
            left = self._taken[address] - 1
            if left:
                self._taken[address] = left
            else:
                del self._taken[address]
