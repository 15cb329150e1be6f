"""Checks a Redis server before the service trusts it with scores."""

from __future__ import annotations

from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, ResponseError

from scoreboard.domain.durability import Durability
from scoreboard.errors import ConfigurationError
from scoreboard.redisio.address import VARIABLE
from scoreboard.redisio.cluster_client import ClusterClient
from scoreboard.redisio.commands import each_server, run_script
from scoreboard.redisio.refusals import Refused
from scoreboard.wire import scripts

log = structlog.get_logger(__name__)

# By these a restart and a failover are noticed; lua/lib_epoch.lua takes as many characters of each.
HISTORY = ("run_id", "master_replid")
LENGTH = 40
WHY = "by it a restart or a failover that may have lost scores is noticed"

# What each level of durability sends behind a script; here it waits for nothing.
LEVELS: dict[Durability, tuple[str | int, ...]] = {
    Durability.REPLICA: ("WAIT", 0, 0),
    Durability.DISK: ("CONFIG GET", "appendonly"),
}


async def check_servers(redis: Redis) -> None:
    """Checks the server, or each of a cluster. Raises ConfigurationError when one is unfit."""
    servers = await each_server(redis)
    for server in servers:
        await check_server(server, clustered=isinstance(redis, ClusterClient))


async def check_server(redis: Redis, *, clustered: bool = False) -> None:
    """Raises ConfigurationError when it is too old, evicts keys, does not say which history it is
    part of, or is of another kind than a plain URL says. Warns when the append-only file is off,
    when a level of durability can't be reached, and about Redis 7.0, which may repair that file
    wrongly after a crash. Raises Unavailable of a replica, and where scripts may not be sent."""
    info = await _info(redis)
    _check_kind(info, clustered=clustered)
    await _check_history(redis)
    _warn_of_losses(info)
    await _warn_of_levels(redis)


async def _info(redis: Redis) -> dict[str, Any]:
    try:
        info: dict[str, Any] = await redis.info()
    except AuthenticationError as error:
        raise _wrong_credentials(error) from error
    except Refused as error:
        if error.word in ("NOAUTH", "WRONGPASS"):
            raise _wrong_credentials(error) from error
        if error.word == "NODB":
            raise ConfigurationError(
                f"{VARIABLE}: Redis has no database of this number: {error}"
            ) from error
        if error.word == "NOPERM" and "'select'" in str(error):  # sent when a connection is made
            raise ConfigurationError(
                f"{VARIABLE}: this user may not choose a database; use number 0, or grant +select: "
                f"{error}"
            ) from error
        if error.word == "NOPERM":
            raise ConfigurationError(
                f"Redis does not let this user call INFO; {WHY}. Grant +info, as deploy/users.acl "
                f"does: {error}"
            ) from error
        raise
    except ResponseError as error:
        raise ConfigurationError(f"Redis does not answer INFO; {WHY}: {error}") from error
    return info


def _wrong_credentials(error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"Redis refuses the credentials: {error} Correct user and password in {VARIABLE}"
    )


def _check_kind(info: dict[str, Any], *, clustered: bool) -> None:
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
    for name in HISTORY:
        if len(str(info.get(name, ""))) != LENGTH:
            raise ConfigurationError(
                f"What answers at {VARIABLE} does not say its {name} in INFO as Redis and Valkey "
                f"do; {WHY}. docs/redis-services.md tells of services that are like it"
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


async def _check_history(redis: Redis) -> None:
    try:
        await run_script(redis, scripts.check_history())
    except ResponseError as error:
        raise ConfigurationError(
            "Redis does not run our scripts as they have to be run: they are sent by SCRIPT LOAD "
            f"and EVALSHA and call INFO; {WHY}: {error}"
        ) from error


async def _warn_of_levels(redis: Redis) -> None:
    for level, command in LEVELS.items():
        try:
            await redis.execute_command(*command)
        except (Refused, ResponseError) as error:
            if isinstance(error, Refused) and error.word != "NOPERM":
                raise
            log.warning(
                "durability_out_of_reach",
                durability=level.value,
                consequence="a call that asks for it gets 202",
                cause=str(error),
            )


def _warn_of_losses(info: dict[str, Any]) -> None:
    version = str(info["redis_version"])
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
