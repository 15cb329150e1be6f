"""Watches whether Redis takes writes, so that it is known before the first player finds out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

import structlog
from redis.asyncio import Redis

from scoreboard.errors import Unavailable, cause_of
from scoreboard.redisio.commands import by_server, of_each, reachable, run_script
from scoreboard.redisio.refusals import Refused
from scoreboard.redisio.topology import Topology
from scoreboard.telemetry import metrics
from scoreboard.wire import scripts
from scoreboard.wire.keys import BoardKeys, PartitionKeys
from scoreboard.wire.scripts import ScriptCall

log = structlog.get_logger(__name__)

PAUSE = 5.0  # seconds between two checks
SETTLE = 0.5  # least seconds between two checks when commands are refused in between
AWAY = "AWAY"  # the reason while Redis can't be reached


def the_checks(partition: int = 0) -> list[ScriptCall]:
    """The calls that try everything, on the server that has a partition. No board has no name."""
    keys = BoardKeys("", partition)
    rate = keys.rate(b"")
    writes = scripts.check_writes(
        **keys.written,
        key_probe=PartitionKeys(partition).probe,
        key_action=keys.action(b"", b""),
        key_profile=keys.profile(b""),
        key_device=keys.device(b""),
        key_rate=rate,
        key_load=keys.load(""),
        key_moves=keys.moves,
    )
    return [writes, scripts.check_rights(key_rate=rate)]


def about(partitions: Sequence[int], error: Exception) -> str:
    """What is wrong with the server that has these partitions, for everybody to read."""
    detail = error.detail if isinstance(error, Unavailable) else "Redis fails."
    return f"Partitions {', '.join(map(str, partitions))}: {detail}"


class WriteWatch:
    """Says in the log and in a metric when Redis begins to refuse writes, and when it ends.
    It is woken when any command of this process is refused."""

    def __init__(self, redis: Redis, topology: Topology, partitions: int) -> None:
        self._redis = redis
        self._topology = topology
        self._partitions = partitions
        self._reason = ""  # why no writes are taken; empty while they are
        self._since = 0.0
        self._turn = asyncio.Lock()  # one check at a time, so that none is overtaken by its result

    async def run(self) -> None:
        """Checks until cancelled."""
        heard = asyncio.Event()
        self._topology.listeners.add(heard.set)
        try:
            while True:
                with suppress(Unavailable):  # it is in the log
                    await self.check()
                await asyncio.sleep(SETTLE)
                heard.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(PAUSE - SETTLE):
                        await heard.wait()
        finally:
            self._topology.listeners.discard(heard.set)

    async def check(self) -> str:
        """Raises Unavailable, saying why, while Redis takes no writes or would not keep them. Of a
        cluster, returns what is wrong with some server while others take writes; empty: nothing."""
        async with self._turn:
            await self._topology.look_again()
            try:
                with reachable():
                    parts = await by_server(self._redis, range(self._partitions))
                failed = [
                    (partitions, error)
                    for partitions, error in zip(
                        parts, await of_each(parts, self._check), strict=True
                    )
                    if isinstance(error, Exception)
                ]
                for _, error in failed[:1]:
                    if not isinstance(error, Unavailable):
                        raise error
                    self._refused(error)
            except Unavailable as error:
                self._refused(error)
                raise
            if not failed:
                self._taken()
            return " ".join(about(partitions, error) for partitions, error in failed)

    async def _check(self, partitions: Sequence[int]) -> None:
        for check in the_checks(partitions[0]):
            await run_script(self._redis, check)

    def _refused(self, error: Unavailable) -> None:
        cause = error.__cause__
        reason = cause.word if isinstance(cause, Refused) else AWAY
        if reason == self._reason:
            return
        if self._reason:
            metrics.redis_refuses_writes.labels(self._reason).set(0)
        else:
            self._since = time.monotonic()
        self._reason = reason
        metrics.redis_refuses_writes.labels(reason).set(1)
        log.error("redis_refuses_writes", reason=error.detail, cause=cause_of(error))

    def _taken(self) -> None:
        if not self._reason:
            return
        # It may be another server that takes them: no connection is to stay with the old one.
        self._topology.renew()
        metrics.redis_refuses_writes.labels(self._reason).set(0)
        self._reason = ""
        log.info("redis_takes_writes", seconds=round(time.monotonic() - self._since, 1))
