"""When a closer looks for what has ended, by a clock that the test turns. Clients are told within
two seconds of an end though nobody posts, since no look comes later than these tests say."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest

from scoreboard.workers.closer import LOOK, SOON, Closer


class Clock:
    """Redis's clock, in ms. It stands still but for sleeps, and ends the test at ``until``."""

    def __init__(self, until: int) -> None:
        self.now = 0
        self.until = until

    async def now_ms(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += round(seconds * 1000)
        if self.now > self.until:
            raise asyncio.CancelledError


class Record:
    """Ends of occurrences, each with the moment from which on it is known in Postgres. ``looks``
    are the moments at which what has ended is asked for."""

    def __init__(self, known_from: Mapping[int, int]) -> None:
        self._known_from = known_from
        self.looks: list[int] = []

    async def due(self, now_ms: int, limit: int, **_: Any) -> list[Any]:
        self.looks.append(now_ms)
        return []

    async def next_due(self, now_ms: int) -> int | None:
        known = [end for end, known in self._known_from.items() if known <= now_ms <= end]
        return min(known, default=None)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    turned = Clock(until=60_000)
    monkeypatch.setattr(asyncio, "sleep", turned.sleep)
    return turned


async def looks(record: Record, clock: Clock) -> list[int]:
    anything: Any = None
    closer = Closer(
        *(record, anything, clock, *[anything] * 5),
        keyspace=anything,
    )
    with suppress(asyncio.CancelledError):
        await closer.run_turns()
    return record.looks


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
