"""Lets something go wrong at every await of some modules, while steps are taken with the parts of a
running service, and demands each time that whoever waits is answered, that the step works when it
is taken again, and that nothing is held.

Each place gets one of the two faults, drawn for it; EVERY_FAULT=1 in the environment gives it both,
and lets both happen before each place that is reached only because something went wrong before.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any, NamedTuple

import msgspec
import pytest
from structlog.testing import capture_logs

from scoreboard import background
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.periods import Period
from scoreboard.pg.pool import open_pool
from scoreboard.settings import Settings
from scoreboard.workers import persister
from tests.support.faulty_awaits import Fault, FaultyAwaits, Place
from tests.support.parts import Parts, running_parts
from tests.support.waiting import wait_until

EVERY_FAULT = bool(os.environ.get("EVERY_FAULT"))
SEED = 20_263
BOUND = 60.0  # seconds within which everybody is answered at each try, also on a busy machine
TRIES = 5  # for what is reached by chance, after something else went wrong
PLAIN, JUDGED, LIMITED, SEASONAL = "plain", "judged", "limited", "seasonal"
WEEK = Period("week", cron="0 0 * * 1")

Step = Callable[[Parts], Coroutine[Any, Any, None]]
Way = tuple[Step, tuple[tuple[Place, Fault], ...]]  # the step, and what has to go wrong before

_numbers = itertools.count()


def new_action(user: str, points: int = 1) -> tuple[str, str, int]:
    """An action that was never posted."""
    return user, f"a{next(_numbers)}", points


async def persisted(parts: Parts) -> None:
    """Waits until the stream is empty."""

    async def drained() -> bool:
        return await parts.redis.xlen(parts.keyspace.board(PLAIN).events) == 0

    await wait_until(drained, description="all is persisted")


async def no_load_is_under_way(parts: Parts) -> None:
    """Waits until no board is being made live. A load that is left of an earlier try may have found
    its board live already, and who joins it when the board is cold again is told to come back."""
    loads = parts.durable.rebuilder._running
    await wait_until(lambda: not loads, description="the loads of an earlier try have ended")


class Group(NamedTuple):
    """Modules every await of which is reached by the steps, except those that ``beside`` names,
    with the reason: "function: beginning of the place", as much as is needed."""

    modules: Sequence[ModuleType]
    steps: Sequence[Step]
    beside: Mapping[str, str]

    def wants(self, place: Place) -> bool:
        """Whether the place has to be reached."""
        said = f".{place.function}: {place.text}"
        return not any(name in said for name in self.beside)


@asynccontextmanager
async def some_parts(settings: Settings, patch: pytest.MonkeyPatch) -> AsyncIterator[Parts]:
    """Running parts with one partition, four boards and short pauses."""
    patch.setattr(background, "RESTART", 0.01)
    patch.setattr(persister, "LOCK_WAIT", 0.01)
    settings = msgspec.structs.replace(
        settings,
        partitions=1,
        persist_batch=2,
        redis_timeout=5.0,
        durability_timeout=1.0,  # a commit that is told while the subscription is lost is missed
        heartbeat=5.0,  # ends a client who does not answer, as these do not, after two of them
        update_interval=0.0,
    )
    async with await open_pool(settings.database_url, connections=8, timeout=10) as pool:
        await pool.executemany(
            "INSERT INTO board (board, partition, settings, version) VALUES ($1, 0, $2, 1)",
            [
                (PLAIN, "{}"),
                (JUDGED, BoardSettings(mode="reject", operator="last").to_text()),
                (LIMITED, BoardSettings(capacity=1_000_000).to_text()),
                (SEASONAL, BoardSettings(capacity=1_000_000, periods=(WEEK,)).to_text()),
            ],
        )
        async with running_parts(settings, pool) as parts:
            yield parts


async def undergo(parts: Parts, group: Group) -> list[str]:
    """Lets everything go wrong at each place that the steps reach, and at those that are reached
    only because something else went wrong before, such as another attempt. Returns the wanted
    places that were not reached."""
    awaits = FaultyAwaits()
    with awaits.within(*group.modules), capture_logs():
        trial = _Trial(parts, awaits, group)
        await trial.undergo()
    return [str(place) for place in awaits.places if group.wants(place) and place not in trial.ways]


class _Trial:
    def __init__(self, parts: Parts, awaits: FaultyAwaits, group: Group) -> None:
        self._parts = parts
        self._awaits = awaits
        self._group = group
        self.ways: dict[Place, Way] = {}  # how each place was reached
        self._steps: dict[Place, list[Step]] = {}  # all that reached it with nothing going wrong
        self._tasks_at_rest: Counter[str] = Counter()  # the most that were seen of each

    async def undergo(self) -> None:
        for step in self._group.steps:
            await self._succeeds(step)
            self._tasks_at_rest |= self._tasks()
        for step in self._group.steps:
            self._awaits.reached.clear()
            await self._succeeds(step)
            self._tasks_at_rest |= self._tasks()
            for place in self._awaits.reached:
                self._steps.setdefault(place, []).append(step)
                self.ways.setdefault(place, (step, ()))
        for place in self._steps:
            for fault in _faults_of(place):
                await self._strike(place, fault)
        for place in self._steps:
            for fault in set(Fault) - set(_faults_of(place)):
                if not self._complete():
                    await self._strike(place, fault)
        for place, (step, before) in self.ways.items():
            for fault in _faults_of(place) if before else ():
                await self._survives(step, *before, (place, fault))

    def _complete(self) -> bool:
        return all(p in self.ways for p in self._awaits.places if self._group.wants(p))

    async def _strike(self, place: Place, fault: Fault) -> None:
        """Lets it happen in one of the steps that reach the place. A step may have reached it only
        because the one before had left something to do."""
        for step in self._steps[place]:
            self._awaits.reached.clear()
            if await self._survives(step, (place, fault)):
                for reached in self._awaits.reached:
                    self.ways.setdefault(reached, (step, ((place, fault),)))
                return
        raise AssertionError(f"{place} is not reached again")

    async def _survives(self, step: Step, *faults: tuple[Place, Fault]) -> bool:
        """Takes the step until all this has gone wrong in it, and then once more. Returns whether
        it did go wrong."""
        try:
            for _ in range(TRIES if faults[1:] else 10 * TRIES):
                self._awaits.set(*faults)
                async with asyncio.timeout(BOUND):
                    taken = asyncio.create_task(step(self._parts))
                    await asyncio.gather(taken, return_exceptions=True)
                    if not self._awaits.struck:  # it may be reached a moment later
                        await persisted(self._parts)
                        await asyncio.sleep(0.05)
                if self._awaits.struck:
                    break
            struck = self._awaits.struck
            self._awaits.set()
            async with asyncio.timeout(BOUND):
                await self._succeeds(step)
                at_rest = self._tasks_at_rest
                await wait_until(lambda: self._tasks() <= at_rest, description="no task is left")
        except Exception as error:
            told = ", then ".join(f"{fault.value} at {place}" for place, fault in faults)
            held = [*self._parts.held(), *(self._tasks() - self._tasks_at_rest)]
            raise AssertionError(f"{step.__name__} with {told}: {held}") from error
        return struck

    def _tasks(self) -> Counter[str]:
        """How many tasks there are of each coroutine of the modules."""
        files = {module.__file__ for module in self._group.modules}
        coroutines = [task.get_coro() for task in asyncio.all_tasks()]
        own = [c for c in coroutines if inspect.iscoroutine(c) and c.cr_code.co_filename in files]
        return Counter(coroutine.__qualname__ for coroutine in own)

    async def _succeeds(self, step: Step) -> None:
        await step(self._parts)
        await persisted(self._parts)
        reached = dict(self._awaits.reached)
        await _commits(self._parts)
        self._awaits.reached = reached  # without what only that reaches
        await wait_until(lambda: not list(self._parts.held()), description="nothing is held")


async def _commits(parts: Parts) -> None:
    """The next action is persisted and committed, and nobody keeps the partition's lock."""
    user, action, points = new_action("bob")
    await parts.submit(PLAIN, (user, action, points))
    await persisted(parts)
    assert await parts.durable.ledger.has_counted(PLAIN, [(user, action)])

    async def unlocked() -> bool:
        return await parts.durable.ledger.holder(0) is None

    await wait_until(unlocked, description="the partition's lock is free")


def _faults_of(place: Place) -> Sequence[Fault]:
    faults = list(Fault)
    return faults if EVERY_FAULT else [random.Random(f"{SEED} {place}").choice(faults)]
