"""The names by which the service may be called.

A page of another site can make its own domain point at this machine (DNS rebinding) and then read
here as if it had been served from here. What it can't change is the Host that browsers send.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Set as AbstractSet
from functools import lru_cache

from aiohttp import web
from aiohttp.typedefs import Handler

from scoreboard.errors import MisdirectedRequest


def called_by(hosts: AbstractSet[str], handler: Handler) -> Handler:
    """``handler`` for requests whose Host is an IP address or one of ``hosts``, with any port;
    others raise MisdirectedRequest. Without any hosts, ``handler`` itself."""
    if not hosts:
        return handler

    async def check(request: web.Request) -> web.StreamResponse:
        if not _fits(request.headers.get("Host"), hosts):
            raise MisdirectedRequest(
                "The service is not called by this name; SCOREBOARD_ALLOWED_HOSTS lists its names."
            )
        return await handler(request)

    return check


def _fits(host: str | None, hosts: AbstractSet[str]) -> bool:
    if host is None:  # HTTP/1.0, which no browser speaks
        return True
    name = host.lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    else:
        name = name.partition(":")[0].rstrip(".")
    return name in hosts or _is_address(name)


@lru_cache  # nearly all requests name the same
def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
