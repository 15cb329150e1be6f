"""read_top, read_standings and read_around."""

from __future__ import annotations

import json
import random

import pytest

from scoreboard.wire import scripts
from scoreboard.wire.scripts import COLD
from tests.lua.harness import Action, Board


def top(board: Board) -> list[bytes]:
    return list(board.run(board.bound(scripts.read_top, {})))


def standings(board: Board, *users: str) -> list[bytes]:
    call = board.bound(scripts.read_standings, {})
    call.args.extend(user.encode() for user in users)
    return list(board.run(call))


def around(board: Board, user: str, radius: int) -> list[bytes]:
    return list(board.run(board.bound(scripts.read_around, {"user": user, "radius": radius})))


@pytest.fixture
def crowd(board: Board) -> Board:
    """A thousand users in an order that is not the one they came in; u0 leads with 1,000,000."""
    points = [(f"u{i}", 1_000_000 - i) for i in range(1000)]
    random.Random(3).shuffle(points)
    board.submit(*(Action(user, "k1", value) for user, value in points))
    return board


def test_the_top_is_the_one_last_published_with_its_version(crowd: Board) -> None:
    version, text = top(crowd)
    assert version == b"1"
    assert json.loads(text) == [{"userId": f"u{i}", "score": 1_000_000 - i} for i in range(10)]
    (message,) = crowd.published()
    assert text in message


def test_an_empty_live_board_has_an_empty_top(board: Board) -> None:
    assert top(board) == [b"0", b"[]"]
    assert standings(board, "ann") == [b"0", b"", b""]
    assert around(board, "ann", 5) == [b"0"]


def test_standings_come_in_the_order_asked_with_gaps_for_those_not_on_the_board(
    crowd: Board,
) -> None:
    assert standings(crowd, "u999", "nobody", "u0", "u0") == [
        *(b"1000", b"999001", b"1000"),
        *(b"", b""),
        *(b"1000000", b"1", b"1000000", b"1"),
    ]


def test_five_hundred_users_are_looked_up_in_one_call(crowd: Board) -> None:
    reply = standings(crowd, *(f"u{i}" for i in range(500)))
    assert reply[1::2] == [b"%d" % (1_000_000 - i) for i in range(500)]
    assert reply[2::2] == [b"%d" % (i + 1) for i in range(500)]


@pytest.mark.parametrize(
    ("user", "radius", "first", "last"),
    [
        ("u500", 5, 495, 505),
        ("u0", 5, 0, 5),
        ("u3", 5, 0, 8),
        ("u999", 2, 997, 999),
        ("u500", 0, 500, 500),
        ("u500", 5000, 0, 999),
    ],
)
def test_neighbours_stop_at_the_ends_of_the_board(
    crowd: Board, user: str, radius: int, first: int, last: int
) -> None:
    reply = around(crowd, user, radius)
    assert reply[:2] == [b"1000", b"%d" % (first + 1)]
    assert reply[2::2] == [b"u%d" % i for i in range(first, last + 1)]
    assert reply[3::2] == [b"%d" % (1_000_000 - i) for i in range(first, last + 1)]


def test_around_a_user_not_on_the_board_is_only_the_number_of_players(crowd: Board) -> None:
    assert around(crowd, "nobody", 5) == [b"1000"]


def test_hidden_users_are_in_no_read(board: Board) -> None:
    board.redis.zadd(board.keys.hidden, {"bob": 500.25})
    board.make_live(hidden="1")
    board.submit(Action("ann", "k1", 5), Action("bob", "k1", 5))
    assert standings(board, "ann", "bob") == [b"1", b"5", b"1", b"", b""]
    assert around(board, "bob", 5) == [b"1"]
    assert b"bob" not in top(board)[1]


def test_large_and_negative_totals_keep_every_digit(board: Board) -> None:
    board.plant({"ann": 2**50, "bob": -(2**50), "cid": -1})
    assert standings(board, "ann", "bob", "cid")[1::2] == [
        *(b"1125899906842624", b"-1125899906842624", b"-1")
    ]
    assert around(board, "cid", 1)[3::2] == [b"1125899906842624", b"-1", b"-1125899906842624"]


@pytest.mark.parametrize("epoch", [None, "", "another:history"])
def test_no_read_answers_from_a_board_that_is_not_live(board: Board, epoch: str | None) -> None:
    board.submit(Action("ann", "k1", 5))
    if epoch is None:
        board.redis.delete(board.keys.meta)
    else:
        board.redis.hset(board.keys.meta, "epoch", epoch)
    assert top(board) == standings(board, "ann") == around(board, "ann", 5) == [COLD]


def test_reads_write_nothing(crowd: Board) -> None:
    before = crowd.dump()
    top(crowd)
    standings(crowd, "u1", "nobody")
    around(crowd, "u1", 3)
    assert crowd.dump() == before
