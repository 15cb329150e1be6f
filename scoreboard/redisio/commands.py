"""Commands and scripts outside the hot path. Nothing is sent twice, except a script that Redis did
not know yet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import DataError, NoScriptError, RedisError, ResponseError

from scoreboard.errors import Misconfigured, Unavailable
from scoreboard.redisio.cluster_client import ClusterClient, sent
from scoreboard.redisio.foreign_keys import WRONG_TYPE, tell
from scoreboard.redisio.refusals import Refused, WrongForm
from scoreboard.redisio.script_source import digest, source
from scoreboard.redisio.topology import Key, Node
from scoreboard.telemetry.sparing_log import SparingLog
from scoreboard.wire.keys import PartitionKeys
from scoreboard.wire.scripts import ScriptCall

log = SparingLog(__name__)

T = TypeVar("T")

FOREIGN = "A key in Redis holds what is not the service's."
SILENCE = 1.0  # seconds for which one server of several may say nothing


class Overwritten(Unavailable):
    """Another program has written over a key. That stays so until somebody removes the key."""


class _Reachable:
    """No generator: each read enters it, and a generator's context takes ten times as long."""

    def __init__(self, *, overwritten: bool = True) -> None:
        self._overwritten = overwritten

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is None:
            return
        if isinstance(error, Refused):
            raise error.unavailable() from error
        if isinstance(error, WrongForm):
            raise Misconfigured(error.detail, words=error.words) from error
        if isinstance(error, ResponseError | DataError):
            if not self._overwritten or WRONG_TYPE not in str(error):
                return
            log.warning("redis_key_of_another_type", error=str(error)[:200])
            raise Overwritten(FOREIGN) from error
        if isinstance(error, RedisError | OSError | TimeoutError):
            raise Unavailable("Redis can't be reached.") from error


_reachable = _Reachable()
_away = _Reachable(overwritten=False)


def reachable() -> AbstractContextManager[None]:
    """Turns errors that mean "Redis is away" or "not here, not now" into Unavailable; an error of
    the command itself, from Redis or already from redis-py, passes unchanged, but for one: a key
    that another program has written over is Overwritten. Servers of another kind than the URL says
    are Misconfigured."""
    return _reachable


async def run_script(redis: Redis, call: ScriptCall) -> list[Any]:
    """The script's reply. Raises Unavailable when Redis is away; then the script may have run."""
    try:
        return await _run(redis, call)
    except ResponseError as error:
        if WRONG_TYPE not in str(error):
            raise
        await tell(call, lambda check: _run(redis, check))
        raise Overwritten(FOREIGN) from error


async def _run(redis: Redis, call: ScriptCall) -> list[Any]:
    script, keys, args = call
    sharded = isinstance(redis, ClusterClient)
    with _away:  # the first digest reads files
        command = ("EVALSHA", digest(script, sharded), len(keys), *keys, *args)

        async def attempt(server: Redis, asking: bool) -> list[Any]:
            try:
                return list(await sent(server, asking, *command))
            except NoScriptError:  # loaded where it is run, whoever that is by now
                await server.execute_command("SCRIPT LOAD", source(script, sharded))
                return list(await sent(server, asking, *command))

        return await (at_owner(redis, keys[0], attempt) if keys else attempt(redis, False))


async def each_server(redis: Redis) -> Sequence[Redis]:
    """Clients of the servers, each of one alone. Raises redis-py's errors."""
    return await redis.each() if isinstance(redis, ClusterClient) else [redis]


async def by_server(redis: Redis, partitions: Sequence[int]) -> Sequence[Sequence[int]]:
    """Those of the partitions that each server has. Raises redis-py's errors."""
    if not isinstance(redis, ClusterClient):
        return [partitions]
    found: dict[Node, list[int]] = {}
    for partition in partitions:
        owner = await redis.topology.owner(PartitionKeys(partition).events)
        found.setdefault(owner, []).append(partition)
    return list(found.values())


async def of_each(
    parts: Sequence[Sequence[int]], ask: Callable[[Sequence[int]], Awaitable[T]]
) -> list[T | Exception]:
    """What ``ask`` gives for the partitions of each server, all at once; its error in place of that
    of a server that fails, or that says nothing for a second while there are others. Raises the
    error when all fail."""
    if len(parts) == 1:
        return [await ask(parts[0])]

    async def asked(partitions: Sequence[int]) -> T:
        try:
            async with asyncio.timeout(SILENCE):
                return await ask(partitions)
        except TimeoutError:
            raise Unavailable("Redis does not answer in time.") from None

    told = await asyncio.gather(*map(asked, parts), return_exceptions=True)
    found: list[T | Exception] = []
    for one in told:
        if isinstance(one, BaseException) and not isinstance(one, Exception):
            raise one
        found.append(one)
    if all(isinstance(one, Exception) for one in found):
        raise next(one for one in found if isinstance(one, Exception))
    return found


async def at_owner(redis: Redis, key: Key, attempt: Callable[[Redis, bool], Awaitable[T]]) -> T:
    """What ``attempt`` gives with a client of the server that has the key
    (cluster_client.ClusterClient.at_owner)."""
    if isinstance(redis, ClusterClient):
        return await redis.at_owner(key, attempt)
    return await attempt(redis, False)


async def scanned(redis: Redis, pattern: str, step: int) -> AsyncIterator[list[bytes]]:
    """The keys of all servers that match, in parts; each SCAN looks at ``step`` keys. Raises
    Unavailable."""
    with reachable():
        servers = await each_server(redis)
    for server in servers:
        cursor = 0
        while True:
            with reachable():
                reply: Any = await server.scan(cursor, match=pattern, count=step)
            cursor, keys = reply
            if keys:
                yield keys
            if cursor == 0:
                break
