"""Where Postgres is: a URL's hosts, tried one after another, and those of its options that libpq
knows and asyncpg does not. What is left in the URL is asyncpg's or the server's to judge."""

from __future__ import annotations

import random
import re
import socket
import ssl
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from scoreboard.errors import ConfigurationError
from scoreboard.files import check_lasting

DATABASE_URL = "SCOREBOARD_DATABASE_URL"
MIGRATION_URL = "SCOREBOARD_MIGRATION_URL"
LAST_PORT = 65535
FORM = "is no Postgres URL: postgresql://user:password@host:port/database"

# A peer that is silent for this long is given up, whether something was sent to it or not. Seconds.
IDLE, INTERVAL, PROBES = 3, 1, 3
UNANSWERED = 6.0

# What Linux takes; a connection with more would fail as if the server were away.
_MOST_SECONDS, _MOST_PROBES, _MOST = 32_767, 127, 2**31 - 1

_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_WRITABLE = ("any", "primary", "read-write")  # a standby is of no use to a service that writes
# Options that change nothing here with these values; with another they would promise too much.
_HARMLESS = {
    "channel_binding": ("prefer", "disable"),
    "gssencmode": ("prefer", "disable"),
    "sslcompression": ("0",),
    "sslsni": ("1",),
    "client_encoding": ("utf8", "utf-8", "auto"),
}


@dataclass(slots=True)
class Address:
    """``urls`` name one host each, in the order to try them. ``given`` are the server's settings
    that the URL chooses itself. ``connect_timeout`` is in seconds."""

    variable: str
    urls: list[str]
    given: frozenset[str]
    connect_timeout: float | None
    socket_options: list[tuple[int, int, int]] = field(default_factory=list)

    def prefer(self, url: str) -> None:
        """Tries this one first from now on."""
        self.urls.remove(url)
        self.urls.insert(0, url)


def parse(url: str, *, variable: str = DATABASE_URL) -> Address:
    """Raises ConfigurationError, which names the ``variable`` and shows no password."""
    try:
        split = _split(url)
        query = split.query
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError:
        raise ConfigurationError(f"{variable} {FORM}") from None
    if split.scheme not in {"postgresql", "postgres"}:
        raise ConfigurationError(f"{variable} {FORM}")
    reader = _Options(variable, options)
    socket_options = _socket_options(reader)
    connect_timeout = reader.number("connect_timeout", _MOST)
    for name, values in _HARMLESS.items():
        reader.harmless(name, values)
    reader.files()
    if name := options.pop("fallback_application_name", ""):
        options.setdefault("application_name", name)
    shuffled = reader.choice("load_balance_hosts", ("disable", "random"))
    hosts = _hosts(split, options, variable)
    session = options.get("target_session_attrs")
    if session is not None and session not in _WRITABLE:
        raise ConfigurationError(
            f"{variable}: target_session_attrs={session} finds a server that takes no writes; "
            f"use one of {', '.join(_WRITABLE)}"
        )
    if len(hosts) > 1:
        options.setdefault("target_session_attrs", "read-write")
    if shuffled == "random":
        random.shuffle(hosts)
    urls = [_at(split, options, *host) for host in hosts]
    return Address(variable, urls, frozenset(options), connect_timeout or None, socket_options)


def _split(url: str) -> SplitResult:
    """As urlsplit, which in newer Pythons refuses a list of hosts of which one is in brackets.
    Raises ValueError."""
    scheme, found, rest = url.partition("://")
    if not found:
        return urlsplit(url)
    netloc = re.split("[/?#]", rest, maxsplit=1)[0]
    user, at, hosts = netloc.rpartition("@")
    for host in hosts.split(","):
        urlsplit(f"//{user}{at}{host}")
    return urlsplit(f"{scheme}://{rest[len(netloc) :]}")._replace(netloc=netloc)


class _Options:
    """Reads options and takes them out of ``options``."""

    def __init__(self, variable: str, options: dict[str, str]) -> None:
        self._variable = variable
        self._options = options

    def wrong(self, name: str, value: str, expected: str) -> ConfigurationError:
        return ConfigurationError(f"{self._variable}: {name}={value}: expected {expected}")

    def number(self, name: str, most: int, default: int | None = None) -> int | None:
        text = self._options.pop(name, "")
        if not text:
            return default
        if not text.isascii() or not text.isdigit() or int(text[:12]) > most:
            raise self.wrong(name, text[:40], f"a whole number up to {most}")
        return int(text)

    def choice(self, name: str, values: tuple[str, ...]) -> str:
        text = self._options.pop(name, "")
        if text and text not in values:
            raise self.wrong(name, text, f"one of {', '.join(values)}")
        return text

    def harmless(self, name: str, values: tuple[str, ...]) -> None:
        text = self._options.pop(name, "")
        if text and text.lower() not in values:
            raise self.wrong(name, text, f"{' or '.join(values)} (nothing else is supported)")

    def files(self) -> None:
        """Certificates must be there, or a connection would fail as if the server were away."""
        if self._options.get("sslrootcert") == "system":
            found = ssl.get_default_verify_paths().cafile
            if found is None:
                raise self.wrong("sslrootcert", "system", "a file: this system has no certificates")
            self._options["sslrootcert"] = found
        for name in _FILES:
            if path := self._options.get(name):
                try:
                    check_lasting(path)
                except (OSError, ValueError) as error:
                    reason = error.strerror if isinstance(error, OSError) else error
                    raise self.wrong(name, path, f"a file that can be read ({reason})") from error


def _socket_options(reader: _Options) -> list[tuple[int, int, int]]:
    """Without these a connection that died without a word is found dead only after minutes."""
    tcp = socket.IPPROTO_TCP
    chosen: list[tuple[int, int, int]] = []
    asked = reader.number("keepalives", 1, 1)
    idle = reader.number("keepalives_idle", _MOST_SECONDS, IDLE)
    interval = reader.number("keepalives_interval", _MOST_SECONDS, INTERVAL)
    probes = reader.number("keepalives_count", _MOST_PROBES, PROBES)
    unanswered = reader.number("tcp_user_timeout", _MOST, round(UNANSWERED * 1000))
    if asked:
        chosen.append((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1))
        for name, value in (
            ("TCP_KEEPIDLE", idle),
            ("TCP_KEEPINTVL", interval),
            ("TCP_KEEPCNT", probes),
        ):
            if value and hasattr(socket, name):  # 0 is the system's own
                chosen.append((tcp, getattr(socket, name), value))
    if unanswered and hasattr(socket, "TCP_USER_TIMEOUT"):
        chosen.append((tcp, socket.TCP_USER_TIMEOUT, unanswered))
    return chosen


def _hosts(split: SplitResult, options: dict[str, str], variable: str) -> list[tuple[str, str]]:
    """(host, port) of each, as written; one without both where the environment names it."""
    named = split.netloc.rpartition("@")[2]
    ports = options.pop("port", "").split(",")
    if named:
        options.pop("host", None)
        hosts = [_host_and_port(one) for one in named.split(",")]
    else:
        hosts = [_host_and_port(one) for one in options.pop("host", "").split(",")]
    if len(ports) == 1:
        ports *= len(hosts)
    if len(ports) != len(hosts):
        raise ConfigurationError(f"{variable}: name one port, or one for each of the hosts")
    found = [(host, port or other) for (host, port), other in zip(hosts, ports, strict=True)]
    if any(port and not _is_port(port) for _, port in found):
        # It is not shown: what follows a / in a password makes a port of its beginning.
        raise ConfigurationError(f"{variable} {FORM}, where port is 1 to {LAST_PORT}")
    return found


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= LAST_PORT


def _host_and_port(text: str) -> tuple[str, str]:
    if text.startswith("/"):  # a folder of Unix sockets
        return text, ""
    host, colon, port = text.rpartition(":")
    return (host, port) if colon and not text.endswith("]") else (text, "")


def _at(split: SplitResult, options: dict[str, str], host: str, port: str) -> str:
    """The URL with this host alone. Options name it, as a path can't stand in a URL's host."""
    user, at, _ = split.netloc.rpartition("@")
    query = dict(options)
    if host.startswith("/"):
        netloc = f"{user}{at}"
        query |= {"host": host} | ({"port": port} if port else {})
    else:
        netloc = f"{user}{at}{host}:{port}" if port else f"{user}{at}{host}"
    asked = f"?{urlencode(query)}" if query else ""
    return f"{split.scheme}://{netloc}{split.path}{asked}"
