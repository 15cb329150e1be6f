"""What ``SCOREBOARD_REDIS_URL`` says, in whichever of its forms: which servers to ask, and how a
connection to one is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from redis.asyncio import SSLConnection
from redis.asyncio.connection import parse_url
from redis.exceptions import RedisError

from scoreboard.errors import ConfigurationError
from scoreboard.files import check_lasting

Form = Literal["server", "sentinel", "cluster"]
Place = tuple[str, int]  # host, port

VARIABLE = "SCOREBOARD_REDIS_URL"
OF_TLS = "SCOREBOARD_REDIS_TLS_"
MALFORMED = (
    "is no Redis URL: redis://[[user]:password@]host:port/database, where database is a number, "
    "redis+sentinel://host:port,host:port/service or redis+cluster://host:port,host:port; with "
    "TLS each begins with rediss"
)
MOST_DATABASES = 2**31  # numbers from here on are none to Redis
USUAL_PORTS: dict[Form, int] = {"server": 6379, "sentinel": 26379, "cluster": 6379}
_OF_SENTINELS = ("username", "password")


class Tls(NamedTuple):
    """How servers prove who they are, and we to them: files in PEM, none where empty."""

    ca: str = ""
    cert: str = ""
    key: str = ""
    check_hostname: bool = True


@dataclass(frozen=True, slots=True)
class Address:
    """``places`` are those of the server, of Sentinels, or of nodes of a cluster; there is none for
    a Unix socket. ``options`` are redis-py's, of a connection to a server, ``of_sentinels`` of one
    to a Sentinel. ``service`` is the name under which Sentinels know the master."""

    form: Form
    places: tuple[Place, ...]
    options: Mapping[str, Any]
    service: str = ""
    of_sentinels: Mapping[str, Any] = field(default_factory=dict)


def parse(url: str, tls: Tls = Tls(), *, variable: str = VARIABLE) -> Address:  # noqa: B008
    """Raises ConfigurationError, which names the ``variable`` and does not show the URL and its
    password."""
    try:
        address = _parse(url, variable)
    except (ValueError, TypeError, RedisError):
        raise ConfigurationError(f"{variable} {MALFORMED}") from None
    if tls == Tls():
        return address
    if not issubclass(address.options.get("connection_class", object), SSLConnection):
        raise ConfigurationError(
            f"{variable} asks for no TLS, though a {OF_TLS}... is set: with TLS it "
            "begins with rediss"
        )
    given = {
        "ssl_ca_certs": tls.ca,
        "ssl_certfile": tls.cert,
        "ssl_keyfile": tls.key,
        "ssl_check_hostname": tls.check_hostname,
    }
    of_tls = {name: value for name, value in given.items() if value != ""}
    of_sentinels = {**address.of_sentinels, **of_tls} if address.of_sentinels else {}
    _check_files(tls, of_tls)
    return Address(
        address.form,
        address.places,
        {**address.options, **of_tls},
        address.service,
        of_sentinels,
    )


def _parse(url: str, variable: str) -> Address:
    scheme, _, rest = url.partition("://")
    plain, plus, named = scheme.partition("+")
    form: Form
    match named if plus else "server":
        case "server" if not plus:
            form = "server"
        case "cluster" if plain in ("redis", "rediss"):
            form = "cluster"
        case "sentinel" if plain in ("redis", "rediss"):
            form = "sentinel"
        case _:
            raise ValueError(scheme)
    if form == "server":
        return _of_server(url)
    authority, path, query = _parts(rest)
    user, at, hosts = authority.rpartition("@")
    places = tuple(_place(host, USUAL_PORTS[form]) for host in hosts.split(","))
    options = dict(parse_url(f"{plain}://{user}{at}host?{query}"))
    options.pop("host")
    database = options.get("db", 0)
    if form == "cluster":
        if path not in ("", "0") or database != 0:
            raise ConfigurationError(f"{variable} names a database, but a cluster has only one, 0")
        options["db"] = 0
        return Address(form, places, _checked(options))
    if not path or "/" in path:
        raise ValueError(path)
    own = {name: options.pop(f"sentinel_{name}", None) for name in _OF_SENTINELS}
    shared = {
        name: value
        for name, value in options.items()
        if name == "connection_class" or name.startswith("ssl_")
    }
    of_sentinels = {"db": 0, **shared, **{name: own[name] for name in own if own[name]}}
    return Address(form, places, _checked(options), unquote(path), _checked(of_sentinels))


def _of_server(url: str) -> Address:
    """Raises ValueError also for what redis-py would take for the usual port or database 0, or
    leave to the server."""
    split = urlsplit(url)
    if split.port == 0:
        raise ValueError(split.port)
    path = unquote(split.path).removeprefix("/")
    if split.scheme != "unix" and path and not (path.isascii() and path.isdigit()):
        raise ValueError(path)
    options = dict(parse_url(url))
    places = (
        () if split.scheme == "unix" else ((split.hostname or "localhost", split.port or 6379),)
    )
    return Address("server", places, _checked(options))


def _parts(rest: str) -> tuple[str, str, str]:
    """The authority, the path without its first slash, and the query."""
    before, _, query = rest.partition("?")
    authority, _, path = before.partition("/")
    return authority, path, query


def _place(text: str, usual_port: int) -> Place:
    split = urlsplit(f"//{text}")
    if not split.hostname or split.path or split.port == 0:
        raise ValueError(text)
    return split.hostname, split.port or usual_port


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    if not 0 <= options.get("db", 0) < MOST_DATABASES:
        raise ValueError(options["db"])
    return options


def _check_files(tls: Tls, of_tls: Mapping[str, Any]) -> None:
    """Raises ConfigurationError for files that are not what the settings say."""
    files = {f"{OF_TLS}CA": tls.ca, f"{OF_TLS}CERT": tls.cert, f"{OF_TLS}KEY": tls.key}
    for name, path in files.items():
        try:
            if path:
                check_lasting(path)
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{name}: can't read {path}: {error}") from error
    context = SSLConnection(**of_tls).ssl_context
    try:
        context.get()
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ConfigurationError(f"{', '.join(files)}: {error}") from error
