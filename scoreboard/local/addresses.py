"""Where `up` can be reached, and from which pages."""

from __future__ import annotations

import errno
import ipaddress
import socket

from scoreboard.errors import ConfigurationError
from scoreboard.local.embedded_servers import free_port

EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def usable_port(host: str, port: int) -> int:
    """``port``, or a free port for 0. Raises ConfigurationError when it can't be used."""
    if port == 0:
        port = free_port()
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        way = (
            "--port (make run PORT=...), or stop what uses it"
            if error.errno in (errno.EADDRINUSE, errno.EACCES)
            else "--host (make run HOST=...)"
        )
        raise ConfigurationError(
            f"can't listen on port {port} of {host} ({error.strerror}): choose another with {way}"
        ) from error
    return port


def reachable(host: str, port: int) -> str:
    """The authority of a URL that reaches ``host`` on this machine."""
    return _authority(EVERY_ADDRESS.get(host, host), port)


def own_origins(host: str, port: int) -> str:
    """The Origins of the pages that `up` itself serves, for SCOREBOARD_ALLOWED_ORIGINS. When it
    listens on every address, nobody knows all names of the machine: then a page may come from
    whatever Host it asked, which is safe since `own_hosts` bounds that."""
    names = dict.fromkeys((*LOOPBACK, EVERY_ADDRESS.get(host, host)))
    origins = [f"http://{_authority(name, port)}" for name in names]
    return ",".join([*origins, "self"] if host in EVERY_ADDRESS else origins)


def own_hosts(host: str) -> str:
    """The names by which it may be called, for SCOREBOARD_ALLOWED_HOSTS: with any other, some
    page's own domain was made to point here (DNS rebinding). Addresses are always allowed."""
    names = ["localhost", socket.gethostname(), f"{socket.gethostname()}.local"]
    if host and not _is_address(host):
        names.append(host)
    return ",".join(dict.fromkeys(name.lower() for name in names))


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
