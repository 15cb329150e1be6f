"""Origins and hosts as browsers send them, whoever wrote them down as in an address bar."""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

OWN = "self"  # the Origin of the service's own pages
_ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>\[[0-9a-f:.]+\]|[^\s/?#@:*;,'\"]+)(?P<port>:[0-9]+)?"
)
_USUAL_PORTS = {"http": ":80", "https": ":443"}


def origin_of(text: str) -> str:
    """The Origin that is meant: in small letters, without a slash at its end or the usual port.
    Raises ValueError for what no browser sends."""
    meant = text.lower().rstrip("/")
    if meant in (OWN, "null"):
        return meant
    match = _ORIGIN.fullmatch(meant)
    if match is None or not meant.isascii():
        raise ValueError(
            f"{text[:80]!r} is no Origin, such as https://www.example.org or http://localhost:3000"
        )
    port = match["port"] or ""
    return meant.removesuffix(port) if port == _USUAL_PORTS.get(match["scheme"]) else meant


def host_of(text: str) -> str:
    """The host that is meant, in small letters, without what may stand before and behind it in a
    URL. Raises ValueError for what is none."""
    named = text.lower().rstrip("/")
    with suppress(ValueError):
        return str(ip_address(named.strip("[]")))
    match = _ORIGIN.fullmatch(named if "://" in named else f"http://{named}")
    if match is None or not named.isascii():
        raise ValueError(f"{text[:80]!r} is no host's name, such as www.example.org")
    return match["host"].strip("[]").rstrip(".")


def is_safe_url(url: str) -> bool:
    """True for https, and for http to this machine itself; without a name or password in it."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if not host or parts.username or parts.password:
        return False
    if parts.scheme == "http":
        try:
            return host == "localhost" or ip_address(host).is_loopback
        except ValueError:
            return False
    return parts.scheme == "https"
