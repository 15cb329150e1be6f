"""When it is looked for what has ended, by a clock that the test turns. Clients are told within two
seconds of an end though nobody posts, since no look comes later than these tests say."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from itertools import pairwise

import pytest

from scoreboard.domain.waiting_work import Job, WaitingWork
from scoreboard.errors import Unavailable
from scoreboard.workers import lookout
from scoreboard.workers.lookout import LOOK, SOON, Lookout


class Clock:
    """Redis's clock, in ms. It stands still but for sleeps, and ends the test at ``until``."""

    def __init__(self, until: int) -> None:
        self.now = 0
        self.until = until
        self.away = False

    async def now_ms(self) -> int:
        if self.away:
            raise Unavailable("Redis is away.")
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += round(seconds * 1000)
        if self.now > self.until:
            raise asyncio.CancelledError


class Record:
    """Ends of occurrences, each with the moment from which on it is known in Postgres, and which
    jobs have something to do. ``looks`` are the moments at which it is asked."""

    def __init__(self, known_from: Mapping[int, int], *jobs: Job) -> None:
        self._known_from = known_from
        self._jobs = frozenset(jobs)
        self.looks: list[int | None] = []

    async def look(self, now_ms: int | None) -> WaitingWork:
        self.looks.append(now_ms)
        if now_ms is None:
            return WaitingWork(self._jobs, None)
        known = [end for end, known in self._known_from.items() if known <= now_ms <= end]
        return WaitingWork(self._jobs, min(known, default=None))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    turned = Clock(until=60_000)
    monkeypatch.setattr(asyncio, "sleep", turned.sleep)
    return turned


async def looks(record: Record, clock: Clock) -> list[int]:
    with suppress(asyncio.CancelledError):
        await Lookout(record, clock, {}).run()
    return [look for look in record.looks if look is not None]


async def test_an_end_that_is_known_is_looked_for_when_it_has_come(clock: Clock) -> None:
    ends = [400, 1_900, 5_000, 5_001, 5_049, 31_337]
    seen = await looks(Record(dict.fromkeys(ends, 0)), clock)
    for end in ends:
        late = min(look for look in seen if look >= end) - end
        assert late <= SOON * 1000, end


async def test_an_end_that_becomes_known_late_is_looked_for_within_a_second(clock: Clock) -> None:
    ends = {500: 450, 7_010: 7_001, 20_000: 19_999}
    seen = await looks(Record(ends), clock)
    for end in ends:
        assert min(look for look in seen if look >= end) - end <= LOOK * 1000, end


async def test_looks_are_never_further_apart_than_a_second_nor_without_a_pause(
    clock: Clock,
) -> None:
    seen = await looks(Record(dict.fromkeys(range(10_000, 10_100), 0)), clock)
    between = [later - earlier for earlier, later in pairwise(seen)]
    assert max(between) <= LOOK * 1000
    assert min(between) >= SOON * 1000
    assert LOOK < 2, "what docs/boards.md promises"


async def test_each_look_wakes_the_jobs_with_something_to_do_and_no_other(
    clock: Clock,
) -> None:
    woken: list[Job] = []
    jobs: tuple[Job, ...] = ("periods", "ranks", "profiles")
    record = Record({}, "profiles", "periods", "tops")
    with suppress(asyncio.CancelledError):
        await Lookout(record, clock, {job: partial(woken.append, job) for job in jobs}).run()
    assert Counter(woken) == dict.fromkeys(("periods", "profiles"), len(record.looks))


@pytest.mark.parametrize("silent", [False, True])
async def test_all_jobs_find_out_for_themselves_while_it_is_not_known(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    monkeypatch.setattr(lookout, "PATIENCE", 0)
    woken: list[Job] = []

    class Away(Record):
        async def look(self, now_ms: int | None) -> WaitingWork:
            await super().look(now_ms)
            if silent:
                await asyncio.Event().wait()
            raise Unavailable("Postgres is away.")

    jobs: tuple[Job, ...] = ("periods", "tops")
    record = Away({})
    with suppress(asyncio.CancelledError):
        await Lookout(record, clock, {job: partial(woken.append, job) for job in jobs}).run()
    assert len(record.looks) == 61, "once a second"
    assert Counter(woken) == dict.fromkeys(jobs, 61)


async def test_what_needs_no_redis_is_looked_for_while_it_is_away(clock: Clock) -> None:
    clock.away = True
    woken: list[Job] = []
    record = Record({500: 0}, "deliveries")
    with suppress(asyncio.CancelledError):
        await Lookout(record, clock, {"deliveries": partial(woken.append, "deliveries")}).run()
    assert set(record.looks) == {None}
    assert len(woken) == len(record.looks) == 61, "once a second"
