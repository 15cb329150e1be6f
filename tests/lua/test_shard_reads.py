"""read_part, read_stamps and read_above: what a shard adds to reads of its board."""

from __future__ import annotations

import random
from math import inf

import pytest

from scoreboard.domain.standings import Spot
from scoreboard.wire import scripts
from scoreboard.wire.scripts import COLD
from tests.lua.harness import Action, Board


@pytest.fixture
def crowd(board: Board) -> Board:
    """Three hundred users, many of them with one total, reached in the same millisecond or not."""
    dice = random.Random(3)
    board.submit(*(Action(f"u{n}", "k1", dice.randrange(20)) for n in range(300)))
    return board


def best_first(board: Board) -> list[tuple[str, float]]:
    return sorted(board.zset().items(), key=lambda row: (row[1], row[0]), reverse=True)


def spots_of(board: Board) -> list[Spot]:
    """Where users are, where some were, and where nobody is."""
    rows = best_first(board)
    return [
        *(Spot(at, user) for user, at in rows[::17]),
        *(Spot(at, user + "0") for user, at in rows[5::40]),
        *(Spot(at) for _, at in rows[3::50]),
        Spot(7.0),
        Spot(inf),
        Spot(-inf),
    ]


def expected(board: Board, spot: Spot) -> int:
    """How many do not stand behind the spot."""
    return sum((at, user) >= (spot.zset_score, spot.user_id) for user, at in board.zset().items())


def test_a_part_has_who_stands_around_a_spot(crowd: Board) -> None:
    rows = best_first(crowd)
    for spot in spots_of(crowd):
        given = {"at": repr(spot.zset_score), "user": spot.user_id, "before": 3, "behind": 2}
        version, players, above, around = crowd.run(crowd.bound(scripts.read_part, given))
        place = expected(crowd, spot) if spot.zset_score != inf else 0
        assert (version, players, int(above)) == (b"1", b"300", place), spot
        users = zip(around[::2], map(float, around[1::2]), strict=True)
        assert [(user.decode(), at) for user, at in users] == rows[max(0, place - 3) : place + 2]


def test_as_many_are_above_each_of_many_spots(crowd: Board) -> None:
    spots = [spot for spot in spots_of(crowd) if spot.zset_score != inf]
    rows = best_first(crowd)
    for neighbours in ("", "1"):
        call = crowd.bound(scripts.read_above, {"neighbours": neighbours})
        for spot in spots:
            call.args.extend((repr(spot.zset_score).encode(), spot.user_id.encode()))
        players, *told = crowd.run(call)
        assert players == b"300"
        counts = told[::2] if neighbours else told
        assert list(map(int, counts)) == [expected(crowd, spot) for spot in spots]
        for place, around in zip(map(int, counts), told[1::2] if neighbours else (), strict=False):
            wanted = [user.encode() for user, _ in rows[max(0, place - 2) : place + 1]]
            assert around[::2] == wanted


def test_stamps_are_zset_scores_in_the_order_asked(crowd: Board) -> None:
    call = crowd.bound(scripts.read_stamps, {})
    call.args.extend((b"u7", b"nobody", b"u8"))
    players, first, nobody, last = crowd.run(call)
    zset = crowd.zset()
    assert (players, nobody) == (b"300", b"")
    assert (float(first), float(last)) == (zset["u7"], zset["u8"])


def test_a_cold_board_has_no_part(crowd: Board) -> None:
    crowd.redis.hset(crowd.keys.meta, "epoch", "another")
    part = {"at": "inf", "user": "", "before": 0, "behind": 1}
    for call in (
        crowd.bound(scripts.read_part, part),
        crowd.bound(scripts.read_stamps, {}),
        crowd.bound(scripts.read_above, {"neighbours": ""}),
    ):
        assert list(crowd.run(call)) == [COLD]
