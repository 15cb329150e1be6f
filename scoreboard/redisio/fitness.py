"""Checks a Redis server before the service trusts it with scores."""

from __future__ import annotations

from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError

from scoreboard.errors import ConfigurationError
from scoreboard.redisio.address import VARIABLE
from scoreboard.redisio.cluster_client import ClusterClient
from scoreboard.redisio.commands import each_server
from scoreboard.redisio.refusals import Refused

log = structlog.get_logger(__name__)


async def check_servers(redis: Redis) -> None:
    """Checks the server, or each of a cluster. Raises ConfigurationError when one is unfit."""
    servers = await each_server(redis)
    for server in servers:
        await check_server(server, clustered=isinstance(redis, ClusterClient))


async def check_server(redis: Redis, *, clustered: bool = False) -> None:
    """Raises ConfigurationError when it is too old, evicts keys, or is of another kind than a plain
    URL says. Warns when the append-only file is off, and about Redis 7.0, which
    may repair that file wrongly after a crash."""
    try:
        info: dict[str, Any] = await redis.info()
    except AuthenticationError as error:
        raise ConfigurationError(f"Redis refuses the credentials: {error}") from error
    except Refused as error:
        if error.word in ("NOAUTH", "WRONGPASS"):
            raise ConfigurationError(f"Redis refuses the credentials: {error}") from error
        if error.word == "NODB":
            raise ConfigurationError(
                f"{VARIABLE}: Redis has no database of this number: {error}"
            ) from error
        raise
    if info.get("cluster_enabled") and not clustered:
        raise ConfigurationError(
            f"{VARIABLE} names one server, but what answers there is part of a Redis Cluster: "
            "it has to be redis+cluster://host:port,host:port, with some of the cluster's servers"
        )
    if "sentinel_masters" in info:
        raise ConfigurationError(
            f"{VARIABLE} names a server, but what answers there is a Sentinel: it has to be "
            "redis+sentinel://host:port,host:port/service"
        )
    version = str(info.get("redis_version", "0"))
    if int(version.split(".")[0]) < 7:
        raise ConfigurationError(f"Redis {version} is too old; 7.0 or Valkey 8 is needed")
    policy = info.get("maxmemory_policy")
    if policy != "noeviction":
        raise ConfigurationError(
            f"Redis evicts keys when full (maxmemory-policy {policy}), which would lose scores; "
            "set it to noeviction"
        )
    if not info.get("aof_enabled"):
        log.warning(
            "append_only_off",
            consequence="a crash of Redis loses what was not persisted to Postgres yet",
            remedy="CONFIG SET appendonly yes",
        )
    elif version.startswith("7.0."):
        log.warning(
            "append_only_fragile",
            version=version,
            consequence="a crash amid a write can lose or repeat writes one start later",
            remedy="rewrite the file after a crash (docs/durability.md), or run Valkey",
        )
