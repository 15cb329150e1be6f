"""The faults of a run: which ones, when, and how they are done to the service's processes. Those of
Redis: valkey_faults.py, replicated_faults.py."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Generic, NamedTuple, TypeVar

import structlog

from scripts.chaos.clients import OF_A_SERVER, Levels
from scripts.chaos.service import Service

log = structlog.get_logger(__name__)

S = TypeVar("S", bound=Service)


class Kinds(NamedTuple):
    """``weights`` of the kinds in a schedule; ``kills``: those that its length is counted in."""

    weights: Mapping[str, int]
    kills: frozenset[str]


class Fault(NamedTuple):
    """``at``: how many actions have begun by then; ``which`` of two processes; ``pause`` in
    seconds until it is started again; ``draw`` seeds what else is random about it."""

    at: int
    kind: str
    which: int
    pause: float
    draw: int


def schedule(seed: int, actions: int, kills: int, kinds: Kinds) -> list[Fault]:
    """The faults of a run: as many as contain ``kills`` kills, spread over ``actions``; the same
    for the same arguments."""
    rng = random.Random(f"{seed}/faults")
    names: list[str] = []
    while sum(name in kinds.kills for name in names) < kills:
        names.append(rng.choices(list(kinds.weights), list(kinds.weights.values()))[0])
    # Not one in the last tenth, so that the end is not all recovery.
    moments = sorted(rng.randrange(actions // 50, actions * 9 // 10) for _ in names)
    return [
        Fault(
            at,
            name,
            rng.randrange(2),
            rng.choice((0.0, 0.0, rng.uniform(0, 1.5))),
            rng.randrange(2**32),
        )
        for at, name in zip(moments, names, strict=True)
    ]


class Emptied(NamedTuple):
    """A loss of what Redis held: what counted between ``since`` and ``until`` (monotonic seconds)
    and is not in Postgres may be gone. ``split``: two servers may have answered meanwhile, the
    master and the one of before, which does not know what the other has counted."""

    kind: str
    since: float
    until: float
    split: bool = False


class Faults(Generic[S]):
    """Does faults to a stack; one at a time to each target."""

    kinds: Kinds
    levels: Levels = OF_A_SERVER  # that clients ask for

    def __init__(self, stack: S) -> None:
        self.stack = stack
        self.losses: list[Emptied] = []
        self.done: dict[str, int] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    @property
    def kills(self) -> int:
        """How many were done of those that the length of the schedule is counted in."""
        return sum(count for kind, count in self.done.items() if kind in self.kinds.kills)

    @property
    def lost_replies(self) -> int:
        """Of Redis."""
        return 0

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """What goes on beside the faults, for as long as the block lasts."""
        yield

    def end(self) -> None:
        """Ends whatever lasts longer than a fault."""

    def target(self, fault: Fault) -> str:
        """What the fault is done to."""
        target = fault.kind.partition("_")[2]
        return f"{target} {fault.which}" if target in {"server", "persister"} else target

    def lock(self, fault: Fault) -> asyncio.Lock:
        return self._locks.setdefault(self.target(fault), asyncio.Lock())

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

    async def _stop_postgres(self, fault: Fault) -> None:
        await asyncio.to_thread(self.stack.postgres.stop)
        await asyncio.sleep(fault.pause)
        await asyncio.to_thread(self.stack.postgres.start)

    async def _kill_postgres(self, fault: Fault) -> None:
        await asyncio.to_thread(self.stack.postgres.kill)
        await asyncio.sleep(fault.pause)
        await asyncio.to_thread(self.stack.postgres.start)
