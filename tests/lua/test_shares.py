"""deal_shares and set_share: shards never have more room together than the board has."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest
from redis import Redis

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.shards import shard_names
from scoreboard.wire import scripts
from tests.lua.harness import Action, Board
from tests.lua.test_join_board import join
from tests.lua.test_limits import client

__all__ = ["client"]  # the fixture

SHARDS, CAPACITY = 3, 12


@dataclass
class Returned:
    """What a shard has told that it has left, by the number of its last deal then."""

    number: int
    users: int


class Shared:
    """A board over three shards."""

    def __init__(self, client: Redis, capacity: int = CAPACITY) -> None:
        settings = BoardSettings(capacity=capacity, shards=SHARDS)
        self.shards = [Board(client, name, settings) for name in shard_names("arena", SHARDS)]

    def close(self) -> None:
        for shard in self.shards:
            shard.close()

    def deal(
        self,
        *wanted: int,
        term: int | str = "",
        returned: dict[int, Returned] | None = None,
        number: int = SHARDS,
    ) -> list[int] | str:
        """Capacity, term, moved, then of each shard number, users and given."""
        call = self.shards[0].bound(scripts.deal_shares, {"occurrence": "", "term": term})
        for shard in range(number):
            told = (returned or {}).get(shard)
            back = (b"", b"") if told is None else (b"%d" % told.number, b"%d" % told.users)
            more = wanted[shard] if shard < len(wanted) else 0
            call.args.extend((*back, b"%d" % more))
        reply = [part.decode() for part in self.shards[0].run(call)]
        return " ".join(reply) if reply[0].startswith("!") else list(map(int, reply))

    def set(
        self, shard: int, term: int, number: int, users: int | str, capacity: int = CAPACITY
    ) -> str:
        board = self.shards[shard]
        arguments = {
            "capacity": capacity,
            "occurrence": "",
            "term": term,
            "number": number,
            "users": users,
        }
        reply = board.run(board.bound(scripts.set_share, arguments))
        return " ".join(part.decode() for part in reply)

    def begin(self, term: int) -> list[int]:
        """A term that all have entered."""
        left = {n: Returned(0, int(self.set(n, term, 0, ""))) for n in range(SHARDS)}
        dealt = self.deal(term=term, returned=left)
        assert isinstance(dealt, list)
        return dealt

    def players(self) -> int:
        return sum(len(shard.players()) for shard in self.shards)


@pytest.fixture
def shared(client: Redis) -> Iterator[Shared]:
    made = Shared(client)
    yield made
    made.close()


def test_a_shard_takes_as_many_as_it_was_dealt(shared: Shared) -> None:
    second = shared.shards[1]
    assert second.submit(Action("ann"), Action("bob")) == ["F -", "F -"]
    assert join(second, "ann") == "F"
    shared.begin(7)
    dealt = shared.deal(0, 1)
    assert dealt == [CAPACITY, 7, 0, 0, 0, 0, 1, 2, 2, 0, 0, 0], "with one in reserve"
    assert shared.set(1, 7, 1, 2) == "2"
    replies = second.submit(*(Action(user) for user in ("ann", "bob", "cid", "ann")))
    assert [reply[0] for reply in replies] == ["A", "A", "F", "D"]


def test_all_that_was_dealt_is_the_capacity_at_most(shared: Shared) -> None:
    shared.begin(7)
    dealt = shared.deal(8, 8, 8)
    assert isinstance(dealt, list)
    assert dealt[5::3] == [9, 3, 0]
    assert shared.deal(1, 1, 1) == [CAPACITY, 7, 0, 1, 9, 0, 1, 3, 0, 0, 0, 0]


def test_what_is_given_back_is_dealt_to_others(shared: Shared) -> None:
    shared.begin(7)
    shared.deal(12)
    assert shared.set(0, 7, 1, 12) == "12"
    shared.shards[0].submit(*(Action(f"u{n}") for n in range(4)))
    assert shared.set(0, 7, 1, "") == "4"
    assert shared.deal(0, 3, term=7, returned={0: Returned(1, 4)}) == [
        *(CAPACITY, 7, 0),
        *(1, 4, 0),
        *(1, 3, 3),
        *(0, 0, 0),
    ]


def test_what_was_dealt_before_a_shard_gave_back_comes_too_late(shared: Shared) -> None:
    shared.begin(7)
    shared.deal(12)
    assert shared.set(0, 7, 1, "") == "0"
    assert shared.set(0, 7, 1, 12) == "!MOVED"
    assert shared.shards[0].submit(Action("ann")) == ["F -"]


def test_what_was_given_back_before_more_was_dealt_does_not_count(shared: Shared) -> None:
    shared.begin(7)
    shared.deal(2)
    back = Returned(1, int(shared.set(0, 7, 1, "")))
    shared.deal(2)
    assert shared.set(0, 7, 2, 5) == "5"
    assert shared.set(0, 7, 1, "") == "!MOVED"
    assert shared.deal(0, 12, term=7, returned={0: back}) == [
        *(CAPACITY, 7, 1),
        *(2, 5, 0),
        *(1, 7, 7),
        *(0, 0, 0),
    ]


def test_a_later_term_ends_what_an_earlier_one_dealt(shared: Shared) -> None:
    shared.begin(7)
    shared.deal(5, 5)
    assert shared.set(0, 7, 1, 5) == "5"
    shared.begin(9)
    assert shared.set(1, 7, 1, 5) == "!OTHER 9"
    assert shared.set(0, 8, 0, "") == "!OTHER 9"
    assert shared.deal(term=8, returned={n: Returned(0, 0) for n in range(SHARDS)}) == (
        f"!OTHER {CAPACITY} 9"
    )
    assert shared.shards[0].submit(Action("ann")) == ["F -"]


def test_what_was_given_back_in_another_term_does_not_count(shared: Shared) -> None:
    shared.begin(7)
    shared.deal(4)
    back = Returned(1, int(shared.set(0, 7, 1, "")))
    shared.begin(9)
    shared.deal(4)
    assert shared.deal(0, 9, term=7, returned={0: back}) == f"!OTHER {CAPACITY} 9"


def test_nothing_is_dealt_before_a_term_began(shared: Shared) -> None:
    assert shared.deal(1) == f"!OTHER {CAPACITY} 0"
    assert shared.set(1, 7, 1, 5) == "!OTHER 0"
    assert shared.deal(1, term=7) == f"!OTHER {CAPACITY} 0"


def test_a_board_of_other_shards_or_capacity_deals_nothing(shared: Shared) -> None:
    assert shared.deal(1, number=2) == "!SETTINGS"
    assert shared.set(1, 7, 0, "", capacity=13) == "!SETTINGS"
    board = shared.shards[0]
    board.redis.hset(board.keys.meta, "settings", '{"shards":3}')
    assert shared.deal(1) == "!SETTINGS"


def test_a_cold_shard_or_one_without_its_players_deals_nothing(shared: Shared) -> None:
    first = shared.shards[0]
    first.redis.hset(first.keys.meta, "players", "1")
    assert shared.set(0, 7, 0, "") == "!COLD"
    first.redis.hset(first.keys.meta, "epoch", "another")
    assert shared.set(0, 7, 0, "") == shared.deal(1) == "!COLD"


def test_what_can_not_be_read_counts_as_nothing(shared: Shared) -> None:
    shared.begin(7)
    for shard in shared.shards:
        shard.redis.hset(shard.keys.meta, mapping={"share": "1 2", "shares": "1 2:3 x"})
    assert shared.shards[1].submit(Action("ann")) == ["F -"]
    assert shared.deal(1) == f"!OTHER {CAPACITY} 0"
    assert shared.begin(8)[1] == 8


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_late_lost_or_forgotten_no_more_get_in(shared: Shared, seed: int) -> None:
    """Random steps of processes that know nothing of each other, whose messages may come late or
    never, while shards forget what they had and users come and go."""
    dice = random.Random(seed)
    late: list[Callable[[], object]] = []
    left: list[tuple[int | str, dict[int, Returned]]] = [("", {})]  # given back, told later
    seen: list[list[int]] = []  # what was dealt
    highest = 0

    def begin() -> None:
        nonlocal highest
        highest += dice.randrange(1, 4)
        term, entered = highest, dict[int, Returned]()

        def enter(*shards: int) -> None:
            """One shard after another, the first one first, with other things in between."""
            for at, shard in enumerate(shards):
                told = shared.set(shard, term, 0, "")
                if told.startswith("!"):
                    return
                entered[shard] = Returned(0, int(told))
                if dice.random() < 0.2:
                    late.append(partial(enter, *shards[at + 1 :]))
                    return
            dealt = shared.deal(term=term, returned=entered)
            if isinstance(dealt, list):
                seen.append(dealt)

        enter(0, *dice.sample(range(1, SHARDS), SHARDS - 1))

    def deal() -> None:
        wanted = [dice.randrange(4) for _ in range(SHARDS)]
        term, returned = dice.choice(left[-4:])
        dealt = shared.deal(*wanted, term=term, returned=returned)
        if isinstance(dealt, list):
            seen.append(dealt)
            for n in range(SHARDS):
                number, users, given = dealt[3 + 3 * n : 6 + 3 * n]
                if given:
                    hold = partial(shared.set, n, dealt[1], number, users)
                    late.append(hold) if dice.random() < 0.5 else hold()

    def give_back() -> None:
        if seen:
            dealt, told = dice.choice(seen[-3:]), dict[int, Returned]()
            for n in dice.sample(range(SHARDS), 2):
                answer = shared.set(n, dealt[1], dealt[3 + 3 * n], "")
                if not answer.startswith("!"):
                    told[n] = Returned(dealt[3 + 3 * n], int(answer))
            left.append((dealt[1], told))

    def forget() -> None:
        shard = dice.choice(shared.shards)
        shard.redis.hdel(shard.keys.meta, "share", "shares")  # as a load does

    def come() -> None:
        join(dice.choice(shared.shards), f"u{dice.randrange(200)}")

    def go() -> None:
        shard = dice.choice(shared.shards)
        if len(shard.players()) > 1:
            shard.redis.zrem(shard.keys.players, dice.choice(sorted(shard.players())))

    def deliver() -> None:
        if late:
            late.pop(dice.randrange(len(late)))()

    steps = [*[begin] * 2, forget, *[deal] * 6, *[give_back] * 6, go, *[deliver] * 20]
    steps += [come] * 16
    for _ in range(2_000):
        dice.choice(steps)()
        assert shared.players() <= CAPACITY
    shared.begin(highest + 1)
    dealt = shared.deal(0, CAPACITY)
    assert isinstance(dealt, list)
    shared.set(1, dealt[1], 1, dealt[7])
    for n in range(CAPACITY):
        join(shared.shards[1], f"v{n}")
    assert shared.players() == CAPACITY, "all of the room can be had afterwards"
