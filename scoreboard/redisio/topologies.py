"""The topology that the settings, or a URL, name."""

from __future__ import annotations

from redis.exceptions import RedisError

from scoreboard.errors import ConfigurationError
from scoreboard.redisio.address import MALFORMED, VARIABLE, Tls, parse
from scoreboard.redisio.cluster import ClusterTopology
from scoreboard.redisio.topology import OneServer, Topology
from scoreboard.settings import Settings


def topology_at(url: str, tls: Tls = Tls(), *, variable: str = VARIABLE) -> Topology:  # noqa: B008
    """The servers that a URL names; nothing is connected to yet. Raises ConfigurationError, which
    names the ``variable`` and does not show the URL and its password."""
    address = parse(url, tls, variable=variable)
    try:
        return ClusterTopology(address) if address.form == "cluster" else OneServer(address)
    except (ValueError, TypeError, RedisError):
        raise ConfigurationError(f"{variable} {MALFORMED}") from None


def topology_of(settings: Settings) -> Topology:
    """The servers that the settings name. Raises ConfigurationError."""
    return topology_at(
        settings.redis_url,
        Tls(
            settings.redis_tls_ca,
            settings.redis_tls_cert,
            settings.redis_tls_key,
            settings.redis_tls_check_hostname,
        ),
    )
