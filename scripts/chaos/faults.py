"""The faults of a run: which ones, when, and how they are done to the processes."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from scoreboard.wire.keys import PartitionKeys
from scripts.chaos.proxy import Loss, lose_none
from scripts.chaos.stack import PARTITIONS, Stack

log = structlog.get_logger(__name__)

# Kind: its weight in the schedule.
KINDS = {
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
}
KILLS = frozenset({"kill_server", "kill_persister", "kill_redis", "cut_redis"})


class Fault(NamedTuple):
    """``at``: how many actions have begun by then; ``which`` of two processes; ``pause`` in
    seconds until it is started again; ``draw`` seeds what else is random about it."""

    at: int
    kind: str
    which: int
    pause: float
    draw: int


def schedule(seed: int, actions: int, kills: int) -> list[Fault]:
    """The faults of a run: as many as contain ``kills`` kills, spread over ``actions``; the same
    for the same arguments."""
    rng = random.Random(f"{seed}/faults")
    kinds: list[str] = []
    while sum(kind in KILLS for kind in kinds) < kills:
        kinds.append(rng.choices(list(KINDS), list(KINDS.values()))[0])
    # Not one in the last tenth, so that the end is not all recovery.
    moments = sorted(rng.randrange(actions // 50, actions * 9 // 10) for _ in kinds)
    return [
        Fault(
            at,
            kind,
            rng.randrange(2),
            rng.choice((0.0, 0.0, rng.uniform(0, 1.5))),
            rng.randrange(2**32),
        )
        for at, kind in zip(moments, kinds, strict=True)
    ]


class Emptied(NamedTuple):
    """A loss of what Redis held: what counted between ``since`` and ``until`` (monotonic seconds)
    and is not in Postgres may be gone."""

    kind: str
    since: float
    until: float


@dataclass
class Faults:
    """Does faults to a stack; one at a time to each target."""

    stack: Stack
    losses: list[Emptied] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=dict)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    def targets(self, fault: Fault) -> str:
        """What the fault is done to."""
        target = fault.kind.partition("_")[2]
        return f"{target} {fault.which}" if target in {"server", "persister"} else target

    def lock(self, fault: Fault) -> asyncio.Lock:
        return self._locks.setdefault(self.targets(fault), asyncio.Lock())

    async def do(self, fault: Fault, held: asyncio.Lock) -> None:
        """Does the fault and makes good for it; ``held`` is the target's lock."""
        log.info("fault", **fault._asdict())
        try:
            await getattr(self, f"_{fault.kind}")(fault)
        finally:
            held.release()
        self.done[fault.kind] = self.done.get(fault.kind, 0) + 1

    async def _kill_server(self, fault: Fault) -> None:
        await asyncio.to_thread(self.stack.servers[fault.which].kill)
        await asyncio.sleep(fault.pause)
        await self.stack.start_server(fault.which)

    async def _stop_server(self, fault: Fault) -> None:
        child = self.stack.servers[fault.which]
        await asyncio.to_thread(child.stop)
        await self.stack.start_server(fault.which)

    async def _kill_persister(self, fault: Fault) -> None:
        await asyncio.to_thread(self.stack.persisters[fault.which].kill)
        await asyncio.sleep(fault.pause)
        await self.stack.start_persister(fault.which)

    async def _stop_persister(self, fault: Fault) -> None:
        await asyncio.to_thread(self.stack.persisters[fault.which].stop)
        await self.stack.start_persister(fault.which)

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

    async def _stop_postgres(self, fault: Fault) -> None:
        await asyncio.to_thread(self.stack.postgres.stop)
        await asyncio.sleep(fault.pause)
        await asyncio.to_thread(self.stack.postgres.start)

    async def _kill_postgres(self, fault: Fault) -> None:
        await asyncio.to_thread(self.stack.postgres.kill)
        await asyncio.sleep(fault.pause)
        await asyncio.to_thread(self.stack.postgres.start)


def kills_among(done: Iterable[tuple[str, int]]) -> int:
    """How many of the counted faults were kills of the service's processes or Redis."""
    return sum(count for kind, count in done if kind in KILLS)
