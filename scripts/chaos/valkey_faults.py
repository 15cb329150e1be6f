"""The faults of one Valkey: killed, its unsynced bytes lost, emptied, its replies lost."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from scoreboard.wire.keys import PartitionKeys
from scripts.chaos.clients import OF_A_SEASON
from scripts.chaos.disk import synced_once_a_second
from scripts.chaos.faults import Emptied, Fault, Faults, Kinds
from scripts.chaos.proxy import Loss, lose_none
from scripts.chaos.service import PARTITIONS
from scripts.chaos.stack import Stack


class ValkeyFaults(Faults[Stack]):
    """As Faults says."""

    kinds = Kinds(
        {
            "kill_server": 22,
            "kill_persister": 22,
            "kill_redis": 14,
            "cut_redis": 14,
            "flush_redis": 6,
            "lose_replies": 8,
            "stop_postgres": 4,
            "kill_postgres": 3,
            "stop_server": 4,
            "stop_persister": 3,
        },
        kills=frozenset({"kill_server", "kill_persister", "kill_redis", "cut_redis"}),
    )

    @property
    def lost_replies(self) -> int:
        """As Faults says."""
        return self.stack.proxy.lost

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Redis's file is synced once a second."""
        async with synced_once_a_second(self.stack.file):
            yield

    def end(self) -> None:
        """Every reply arrives again."""
        self.stack.proxy.judge = lose_none

    async def _kill_redis(self, fault: Fault) -> None:
        """The process dies, the host lives: the file keeps all that was written to it."""
        await asyncio.to_thread(self.stack.valkey.kill)
        await asyncio.to_thread(self.stack.file.sync)
        await self._start_redis(fault)

    async def _cut_redis(self, fault: Fault) -> None:
        """The host dies: what was not synced is gone, all of it or a part."""
        await asyncio.to_thread(self.stack.valkey.kill)
        ended = time.monotonic()
        rng = random.Random(fault.draw) if fault.draw % 2 else None
        since = await asyncio.to_thread(self.stack.file.cut, rng)
        self.losses.append(Emptied("cut", since, ended))
        await self._start_redis(fault)

    async def _start_redis(self, fault: Fault) -> None:
        await asyncio.sleep(fault.pause)
        await self.stack.start_valkey_again()
        await asyncio.to_thread(self.stack.file.sync)  # half a command at its end was removed

    async def _flush_redis(self, fault: Fault) -> None:
        """Loses what no persister has carried away: the entries of the streams."""
        streams = [PartitionKeys(partition).events for partition in range(PARTITIONS)]
        began = time.monotonic()
        async with self.stack.redis() as redis, redis.pipeline(transaction=True) as pipe:
            for stream in streams:
                pipe.xrange(stream, count=1)
            pipe.time()
            pipe.flushall()
            *first, (seconds, microseconds), _ = await pipe.execute()
        ended = time.monotonic()
        now_ms = seconds * 1000 + microseconds // 1000
        oldest = min((int(rows[0][0].split(b"-")[0]) for rows in first if rows), default=now_ms)
        # Redis 7.0 takes its time for it, so the age counts from before.
        self.losses.append(Emptied("flush", began - (now_ms - oldest + 1) / 1000, ended))

    async def _lose_replies(self, fault: Fault) -> None:
        """For a moment some replies of Redis do not arrive."""
        rng = random.Random(fault.draw)
        share = rng.uniform(0.02, 0.3)

        def judge() -> Loss | None:
            return rng.choice(list(Loss)) if rng.random() < share else None

        self.stack.proxy.judge = judge
        await asyncio.sleep(0.5 + fault.pause)
        self.stack.proxy.judge = lose_none


class SeasonFaults(ValkeyFaults):
    """Those of a season: Redis and the persisters are killed while its periods turn over."""

    turns = ("kill_persister", "kill_redis")
    kinds = Kinds(dict.fromkeys(turns, 1), kills=frozenset(turns))
    levels = OF_A_SEASON
