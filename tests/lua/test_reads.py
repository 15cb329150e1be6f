"""read_top, read_board, read_standings and read_around."""

from __future__ import annotations

import json
import random
from itertools import chain
from typing import Any

import pytest
from redis import Redis

from scoreboard.domain.boards import BoardSettings, Order
from scoreboard.domain.stamps import total_of
from scoreboard.domain.standings import ranked
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
    """The number of players, and user, score and rank of each; or what else is replied."""
    call = board.bound(scripts.read_around, {})
    call.args.extend((user.encode(), b"%d" % radius))
    (reply,) = board.run(call)
    return [COLD] if reply == COLD else told(reply)


def told(reply: list[Any]) -> list[bytes]:
    """The same of the reply to one user."""
    players, *part = reply
    if not part:
        return [b"%d" % players]
    above, sign, shared, rows = part
    scores = [total_of(float(zset_score)) * sign for zset_score in rows[1::2]]
    users = zip((name.decode() for name in rows[::2]), scores, strict=True)
    standings = ranked(users, above, players, int(shared) if shared else None)
    found = ((one.user_id.encode(), b"%d" % one.score, b"%d" % one.rank) for one in standings)
    return [b"%d" % players, *chain.from_iterable(found)]


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


def test_a_board_tells_its_settings_its_version_and_how_many_users_it_shows(crowd: Board) -> None:
    text = BoardSettings(title="Monza").to_text().encode()
    crowd.redis.hset(crowd.keys.meta, "settings", text)
    crowd.redis.zrem(crowd.keys.board, "u7")
    assert crowd.run(crowd.bound(scripts.read_board, {})) == [b"1", text, 999]


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
    assert reply[0] == b"1000"
    assert reply[1::3] == [b"u%d" % i for i in range(first, last + 1)]
    assert reply[2::3] == [b"%d" % (1_000_000 - i) for i in range(first, last + 1)]
    assert reply[3::3] == [b"%d" % (i + 1) for i in range(first, last + 1)]


def test_around_a_user_not_on_the_board_is_only_the_number_of_players(crowd: Board) -> None:
    assert around(crowd, "nobody", 5) == [b"1000"]


def test_one_call_has_the_neighbours_of_many_users_as_calls_of_their_own_have(
    crowd: Board,
) -> None:
    asked = [("u0", 2), ("nobody", 5), ("u500", 0), ("u999", 3), ("u0", 1)]
    call = crowd.bound(scripts.read_around, {})
    for user, radius in asked:
        call.args.extend((user.encode(), b"%d" % radius))
    assert [told(reply) for reply in crowd.run(call)] == [around(crowd, *one) for one in asked]


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
    assert around(board, "cid", 1)[2::3] == [b"1125899906842624", b"-1", b"-1125899906842624"]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_equal_totals_share_a_rank_in_the_standard_style(redis_url: str, order: Order) -> None:
    rules = BoardSettings(order=order, rank_style="standard")
    with Redis.from_url(redis_url) as client:
        board = Board(client, settings=rules)
        points = {"ann": 9, "bob": 7, "cid": 7, "dan": 5, "eve": 5, "fay": 5, "gus": 0}
        board.submit(*(Action(user, "k1", points[user] * rules.sign) for user in points))
        places = {"ann": 1, "bob": 2, "cid": 2, "dan": 4, "eve": 4, "fay": 4, "gus": 7}
        assert standings(board, *points)[2::2] == [b"%d" % places[user] for user in points]
        for user, radius in (("dan", 0), ("eve", 1), ("cid", 2), ("gus", 9)):
            reply = around(board, user, radius)
            rows = list(zip(reply[1::3], reply[2::3], reply[3::3], strict=True))
            assert rows == [
                (name.encode(), b"%d" % (points[name] * rules.sign), b"%d" % places[name])
                for name in list(points)[max(0, list(points).index(user) - radius) :][: len(rows)]
            ]
            assert len(rows) >= min(radius + 1, 7)
        board.close()


@pytest.mark.parametrize("epoch", [None, "", "another:history"])
def test_no_read_answers_from_a_board_that_is_not_live(board: Board, epoch: str | None) -> None:
    board.submit(Action("ann", "k1", 5))
    if epoch is None:
        board.redis.delete(board.keys.meta)
    else:
        board.redis.hset(board.keys.meta, "epoch", epoch)
    assert top(board) == standings(board, "ann") == around(board, "ann", 5) == [COLD]
    assert board.run(board.bound(scripts.read_board, {})) == [COLD]


def test_reads_write_nothing(crowd: Board) -> None:
    before = crowd.dump()
    top(crowd)
    standings(crowd, "u1", "nobody")
    around(crowd, "u1", 3)
    assert crowd.dump() == before
