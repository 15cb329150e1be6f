"""submit_scores: when a board takes actions, and of whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from redis import Redis

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.moments import moment_of
from tests.lua.harness import Action, Board, Verdict, revert

HOUR = timedelta(hours=1)

Opened = Callable[..., Board]


@pytest.fixture
def client(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def opened(client: Redis) -> Iterator[Opened]:
    """Makes boards of these settings, whose time begins at ``time_ms``."""
    made: list[Board] = []

    def make(time_ms: int | None = None, **rules: object) -> Board:
        made.append(board := Board(client, settings=BoardSettings(**rules)))  # type: ignore[arg-type]
        if time_ms is not None:
            board.make_live(event=f"{time_ms}-0")
        return board

    yield make
    for board in made:
        board.close()


@pytest.fixture
def now_ms(client: Redis) -> int:
    """A moment just past, by Redis's clock."""
    seconds: int = client.time()[0]
    return seconds * 1000


@pytest.fixture
def future_ms(now_ms: int) -> int:
    """A moment that Redis's clock will not reach in this test."""
    return now_ms + 86_400_000


def test_a_board_is_open_from_its_first_moment_until_just_before_its_last(
    opened: Opened, future_ms: int
) -> None:
    opens = moment_of(future_ms)
    times = {
        future_ms - 1: f"K {future_ms}",
        future_ms: "A",
        future_ms + 3_599_999: "A",
        future_ms + 3_600_000: "K",
    }
    for time_ms, expected in times.items():
        board = opened(time_ms, opens=opens, closes=opens + HOUR)
        before = board.dump()
        (reply,) = board.submit(Action("ann", f"k{time_ms}", 5))
        assert reply.startswith(expected)
        assert (board.dump() == before) == (expected[0] == "K"), "closed: nothing is written"


def test_it_is_open_by_the_clock_of_redis(opened: Opened, now_ms: int) -> None:
    now = moment_of(now_ms)
    for rules, expected in (
        ({"opens": now - HOUR, "closes": now + HOUR}, "A"),
        ({"opens": now + HOUR}, "K"),
        ({"closes": now - HOUR}, "K"),
        ({"opens": now - HOUR}, "A"),
        ({"closes": now + HOUR}, "A"),
    ):
        board = opened(**rules)
        assert board.submit(Action("ann", f"k{rules}", 5))[0][0] == expected, rules


def test_many_moves_in_a_millisecond_do_not_bring_the_end_nearer(
    opened: Opened, now_ms: int
) -> None:
    board = opened(closes=moment_of(now_ms) + HOUR)
    board.make_live(clock=str(now_ms + 7_200_000))  # as after two hours with 2,000 moves a second
    assert board.submit(Action("ann", "k1", 5))[0][0] == "A"


def test_a_repeat_after_the_end_learns_what_became_of_its_action(
    opened: Opened, future_ms: int
) -> None:
    rules = {"closes": moment_of(future_ms)}
    board = opened(**rules)
    counted, refused = (
        Action("ann", "k1", 5),
        Action("ann", "k2", 5, verdict=Verdict("time", profile="")),
    )
    event = board.submit(counted)[0].split()[-1]
    board.submit(refused)
    board.make_live(event=f"{future_ms}-0")
    assert board.submit(counted) == [f"A 5 1 {event}"], "its own attempt"
    assert board.submit(Action("ann", "k1", 5)) == [f"D 5 {event}"]
    assert board.submit(Action("ann", "k1", 6)) == ["C"]
    assert board.submit(refused) == ["R time"]


def test_the_end_comes_before_what_agents_say(opened: Opened, future_ms: int) -> None:
    board = opened(future_ms, closes=moment_of(future_ms))
    before = board.dump()
    for verdict in (Verdict("time"), Verdict("?"), Verdict(profile_revision="7")):
        assert board.submit(Action("ann", "k1", 5, verdict=verdict)) == ["K"]
    assert board.dump() == before


def test_every_action_that_counts_is_an_attempt_whether_it_moves_the_total_or_not(
    opened: Opened,
) -> None:
    board = opened(operator="best", attempts=3)
    replies = board.submit(*(Action("ann", f"k{i}", 5 - i) for i in range(4)), Action("bob"))
    assert [reply[0] for reply in replies] == ["A", "A", "A", "T", "A"]
    assert board.players() == {"ann": 3, "bob": 1}
    before = board.dump()
    assert board.submit(Action("ann", "k9", 9)) == ["T"]
    assert board.dump() == before, "nothing is written"


def test_what_is_refused_is_no_attempt(opened: Opened) -> None:
    board = opened(attempts=1, min_points=0)
    assert board.submit(Action("ann", "k1", -1), min=0) == ["B"]
    assert board.submit(Action("ann", "k2", 5, verdict=Verdict("time", profile=""))) == ["R time"]
    assert board.submit(Action("ann", "k3", 5), Action("ann", "k3", 5))[0][0] == "A"
    assert board.players() == {"ann": 1}


def test_no_attempt_and_no_room_come_before_what_agents_say(opened: Opened) -> None:
    board = opened(attempts=1, capacity=1)
    board.submit(Action("ann", "k1", 5))
    before = board.dump()
    for verdict in (Verdict("time"), Verdict("?"), Verdict(profile_revision="7")):
        for user, expected in (("ann", "T"), ("bob", "F")):
            assert board.submit(Action(user, "k2", 5, verdict=verdict)) == [expected]
    assert board.dump() == before


def test_an_action_taken_back_gives_its_attempt_back_but_not_its_place(opened: Opened) -> None:
    board = opened(attempts=1, capacity=1)
    action = Action("ann", "k1", 5)
    event = board.submit(action)[0].split()[-1]
    revert(board, action, event)
    assert board.players() == {"ann": 0}
    assert [reply[0] for reply in board.submit(Action("bob", "k1", 5), Action("ann", "k2", 5))] == [
        *("F", "A"),
    ]


def test_a_board_that_lost_count_of_its_players_answers_nobody(opened: Opened) -> None:
    board = opened(attempts=5)
    board.submit(Action("ann", "k1", 5))
    board.redis.delete(board.keys.players)
    assert board.submit(Action("ann", "k2", 5)) == ["!COLD"]
    assert board.submit(Action("bob", "k2", 5)) == ["!COLD"]


def test_players_expire_with_the_board(opened: Opened) -> None:
    board = opened(attempts=5)
    board.submit(Action("ann", "k1", 5), idle=1_000_000)
    names = (board.keys.board, board.keys.meta, board.keys.players)
    assert len({board.expiry(name) for name in names}) == 1


def test_a_board_without_these_limits_keeps_no_players(opened: Opened, now_ms: int) -> None:
    for number, rules in enumerate(({}, {"closes": moment_of(now_ms) + HOUR})):
        board = opened(**rules)
        assert board.submit(Action("ann", f"k{number}", 5))[0][0] == "A"
        assert board.players() == {}
