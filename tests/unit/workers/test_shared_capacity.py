"""How a process shares a board's capacity out: what it asks of which shard, and in which order.
What shards answer is tested in tests/lua/test_shares.py."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from scoreboard.domain.capacity_shares import Dealt, NotDealt, OtherTerm, Share
from scoreboard.errors import BoardCold, Unavailable
from scoreboard.workers import shared_capacity
from scoreboard.workers.shared_capacity import SharedCapacity

CAPACITY, SHARDS = 10, 3
PARTS = ["arena", "arena.1", "arena.2"]


class Redis:
    """Three shards, each with ``users``, and what the first has dealt out. ``asked`` are all calls
    in order. ``disturb`` is called before each, with its name and table."""

    def __init__(self) -> None:
        self.users = dict.fromkeys(PARTS, 0)
        self.held: dict[str, tuple[int, Share]] = {}  # term, share
        self.term, self.dealt = 0, list[Share]()
        self.asked: list[tuple[str, str]] = []
        self.answers: dict[tuple[str, str], Any] = {}  # in place of the true ones, once
        self.cold: set[str] = set()
        self.ensured: list[str] = []
        self.told = asyncio.Event()  # calls wait for it
        self.told.set()

    async def ensure(self, board: str, *, create: bool) -> None:
        self.ensured.append(board)
        self.cold.discard(board)

    async def _call(self, name: str, table: str) -> Any:
        await self.told.wait()
        if table in self.cold:
            raise BoardCold("It is not live.")
        self.asked.append((name, table))
        answer = self.answers.pop((name, table), None)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def deal(
        self,
        table: str,
        *,
        term: int | None,
        returned: Sequence[Share | None],
        wanted: Sequence[int],
    ) -> Dealt | OtherTerm | NotDealt:
        answer: OtherTerm | NotDealt | None = await self._call("deal", table)
        if answer is not None:
            return answer
        entered = self.held.get(table, (0, Share(0, 0)))[0]
        if term is not None and term != self.term:
            if term != entered or None in returned:
                return OtherTerm(entered, CAPACITY)
            self.term, self.dealt = term, [Share(0, one.users) for one in returned if one]
        if not self.term:
            return OtherTerm(entered, CAPACITY)
        for n, one in enumerate(returned):
            if one is not None and one.number == self.dealt[n].number:
                self.dealt[n] = one
        given = []
        for n, wish in enumerate(wanted):
            free = CAPACITY - sum(one.users for one in self.dealt)
            given.append(min(free, wish))
            if given[n]:
                self.dealt[n] = Share(self.dealt[n].number + 1, self.dealt[n].users + given[n])
        return Dealt(CAPACITY, self.term, False, list(self.dealt), given)

    async def hold(
        self, part: str, capacity: int, term: int, share: Share
    ) -> OtherTerm | NotDealt | None:
        answer: OtherTerm | NotDealt | None = await self._call("hold", part)
        if answer is not None:
            return answer
        entered = self.held.get(part, (0, Share(0, 0)))[0]
        if entered != term:
            return OtherTerm(entered)
        self.held[part] = term, share
        return None

    async def give_back(
        self, part: str, capacity: int, term: int, number: int
    ) -> Share | OtherTerm | NotDealt:
        assert capacity == CAPACITY
        answer: OtherTerm | NotDealt | None = await self._call("give back", part)
        if answer is not None:
            return answer
        entered = self.held.get(part, (0, Share(0, 0)))[0]
        if term < entered or (term > entered and number):
            return OtherTerm(entered)
        self.held[part] = term, Share(number, self.users[part])
        return Share(number, self.users[part])

    async def remind(self, shard: str, period: str) -> None:
        self.asked.append(("remind", shard))


@pytest.fixture
def redis() -> Redis:
    return Redis()


@pytest.fixture
def capacity(redis: Redis) -> SharedCapacity:
    return SharedCapacity(redis, cast(Any, redis), cast(Any, redis))


async def test_the_first_shard_enters_a_term_before_the_others_and_begins_it(
    redis: Redis, capacity: SharedCapacity
) -> None:
    assert await capacity.more("arena.2", SHARDS, 1)
    assert redis.asked[:2] == [("deal", "arena"), ("give back", "arena")]
    assert sorted(redis.asked[2:4]) == [("give back", "arena.1"), ("give back", "arena.2")]
    assert redis.asked[4:] == [("deal", "arena"), ("hold", "arena.2")]
    assert redis.held["arena.2"] == (redis.term, Share(1, 1))
    redis.asked.clear()
    assert await capacity.more("arena.1", SHARDS, 2)
    assert redis.asked == [("deal", "arena"), ("hold", "arena.1")], "the term goes on"


async def test_a_board_is_full_when_no_shard_has_anything_to_give_back(
    redis: Redis, capacity: SharedCapacity
) -> None:
    redis.users["arena"] = 6
    assert await capacity.more("arena.1", SHARDS, 4)
    redis.asked.clear()
    assert await capacity.more("arena.2", SHARDS, 3), "arena.1 has not used what it got"
    assert ("give back", "arena.1") in redis.asked
    redis.users["arena.2"] = 3
    assert await capacity.more("arena.1", SHARDS, 1), "the last one"
    redis.users["arena.1"] = 1
    assert not await capacity.more("arena.1", SHARDS, 1)


async def test_who_asks_while_others_are_served_is_served_with_all_who_do(
    redis: Redis, capacity: SharedCapacity
) -> None:
    assert await capacity.more("arena", SHARDS, 1)
    redis.asked.clear()
    redis.told.clear()
    first = asyncio.create_task(capacity.more("arena.1", SHARDS, 1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # it is under way
    later = [
        asyncio.create_task(capacity.more(part, SHARDS, 1)) for part in (*PARTS, *PARTS, "arena.2")
    ]
    redis.told.set()
    assert await asyncio.gather(first, *later) == [True] * 8
    assert [name for name, _ in redis.asked].count("deal") == 2
    assert redis.held["arena.2"][1].users == 3


async def test_a_shard_in_no_term_makes_all_enter_a_new_one(
    redis: Redis, capacity: SharedCapacity
) -> None:
    assert await capacity.more("arena.1", SHARDS, 1)
    before = redis.term
    redis.users["arena.1"] = 1
    del redis.held["arena.1"]  # it was loaded
    assert await capacity.more("arena.1", SHARDS, 1)
    assert redis.term > before
    assert redis.held["arena.1"] == (redis.term, Share(1, 2))


async def test_a_term_that_another_process_begins_meanwhile_is_left_behind(
    redis: Redis, capacity: SharedCapacity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_capacity, "FIRST_PAUSE", 0)
    redis.answers["give back", "arena.2"] = OtherTerm(5_000_000)
    assert await capacity.more("arena.1", SHARDS, 1)
    assert redis.term > 5_000_000


async def test_what_was_dealt_to_a_shard_meanwhile_is_asked_for_again_before_a_board_is_full(
    redis: Redis, capacity: SharedCapacity
) -> None:
    assert await capacity.more("arena.1", SHARDS, CAPACITY)
    redis.answers["give back", "arena.1"] = NotDealt.MOVED
    assert await capacity.more("arena.2", SHARDS, 1)
    assert redis.asked.count(("give back", "arena.1")) == 3, "entering, and twice then"


async def test_nobody_gets_into_what_is_over_anywhere(
    redis: Redis, capacity: SharedCapacity
) -> None:
    redis.answers["deal", "arena"] = NotDealt.FINAL
    assert not await capacity.more("arena.1", SHARDS, 1)
    redis.answers["give back", "arena.2"] = NotDealt.FINAL
    assert not await capacity.more("arena.1", SHARDS, 1)


async def test_a_board_without_a_capacity_by_now_is_not_full(
    redis: Redis, capacity: SharedCapacity
) -> None:
    redis.answers["deal", "arena"] = NotDealt.UNSETTLED
    assert await capacity.more("arena.1", SHARDS, 1)


async def test_settings_that_are_being_changed_are_waited_for(
    redis: Redis, capacity: SharedCapacity
) -> None:
    redis.answers["give back", "arena.1"] = NotDealt.UNSETTLED
    with pytest.raises(Unavailable):
        await capacity.more("arena.1", SHARDS, 1)
    assert await capacity.more("arena.1", SHARDS, 1)


async def test_shards_that_are_not_live_are_made_so(redis: Redis, capacity: SharedCapacity) -> None:
    redis.cold = {"arena", "arena.2"}
    assert await capacity.more("arena.1", SHARDS, 1)
    assert sorted(redis.ensured) == ["arena", "arena.2"]


async def test_a_shard_that_is_away_keeps_nobody_else_from_what_is_dealt(
    redis: Redis, capacity: SharedCapacity
) -> None:
    assert await capacity.more("arena", SHARDS, 1)
    redis.answers["hold", "arena.2"] = Unavailable("away")
    told = await asyncio.gather(
        *(capacity.more(part, SHARDS, 1) for part in ("arena.1", "arena.2"))
    )
    assert told == [True, True], "it is to find out by itself"
    assert redis.held["arena.1"][1].users == 1


async def test_a_process_that_ends_leaves_nobody_waiting(
    redis: Redis, capacity: SharedCapacity
) -> None:
    redis.told.clear()
    waiting = [asyncio.create_task(capacity.more(part, SHARDS, 1)) for part in PARTS]
    await asyncio.sleep(0)
    await capacity.close()
    told = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(one) for one in told} == {Unavailable}
