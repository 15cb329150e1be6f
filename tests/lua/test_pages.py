"""read_page and read_user against a sorted list."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoreboard.domain.boards import MAX_TOTAL
from scoreboard.domain.stamps import stamp, total_of
from scoreboard.wire import scripts
from scoreboard.wire.scripts import ScriptCall
from tests.lua.harness import Action, Board

Row = tuple[str, float]  # a user with the zset score


def page(board: Board, kind: str, at: float, user: str = "", limit: int = 1000) -> tuple[int, Any]:
    """How many stand above the page, and its rows."""
    arguments = {"from": kind, "at": repr(at), "user": user, "limit": limit}
    players, above, _, _, found = board.run(board.bound(scripts.read_page, arguments))
    assert int(players) == board.redis.zcard(board.keys.board)
    return int(above), rows(found)


def user(board: Board, name: str) -> tuple[float | None, int, list[Row]]:
    """What the tenth has, how many stand above the rows, and these: the one above and the user."""
    ((_, above, _, _, found, tenth),) = board.run(of_users(board, name))
    return float(tenth) if tenth else None, int(above), rows(found)


def of_users(board: Board, *names: str) -> ScriptCall:
    """A call of read_user."""
    call = board.bound(scripts.read_user, {})
    call.args.extend(map(str.encode, names))
    return call


def rows(reply: list[bytes]) -> list[Row]:
    return [(name.decode(), float(at)) for name, at in zip(reply[::2], reply[1::2], strict=True)]


def walk(board: Board, limit: int) -> Iterator[list[str]]:
    """The users of each page, from the first to the last."""
    _, found = page(board, "rank", 1, limit=limit)
    while found:
        yield [name for name, _ in found]
        name, at = found[-1]
        _, found = page(board, "after", at, name, limit)


def in_order(stamps: dict[str, float]) -> list[str]:
    """Best first; those whose doubles are equal by the bytes of their names, the larger first."""
    return sorted(stamps, key=lambda name: (stamps[name], name.encode()), reverse=True)


def all_rows(stamps: dict[str, float]) -> list[Row]:
    return [(name, stamps[name]) for name in in_order(stamps)]


# Names whose order by bytes is not that of an alphabet, and one that begins another.
NAMES = [*"aBcZé\u00ff王😀", "a b", "ab", "aB", "a\u0301", "~", "A", "_a", "Aa", "zz", "z"]
ODD_TOTALS = [0, 1, -1, 7, 2**30, 2**30 + 1, MAX_TOTAL, -MAX_TOTAL]
stamped = st.builds(
    stamp, st.sampled_from(ODD_TOTALS), st.integers(1_760_000_000_000, 1_760_000_000_003)
)
tables = st.dictionaries(st.sampled_from(NAMES), stamped, max_size=len(NAMES))


@settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(tables, st.sampled_from(NAMES), stamped, st.integers(0, 6))
def test_a_page_is_what_stands_behind_its_place_whoever_has_moved(
    board: Board, stamps: dict[str, float], name: str, at: float, limit: int
) -> None:
    board.redis.delete(board.keys.board)
    board.make_live(top="[]")
    if stamps:
        board.redis.zadd(board.keys.board, stamps)
    everybody = all_rows(stamps)

    behind = [row for row in everybody if (row[1], row[0].encode()) < (at, name.encode())]
    above = len(everybody) - len(behind)
    assert page(board, "after", at, name, limit) == (above, behind[:limit])

    score = total_of(at)
    at_most = [row for row in everybody if total_of(row[1]) <= score]
    assert page(board, "score", score)[1] == at_most
    below = [row for row in everybody if total_of(row[1]) < score]
    assert page(board, "behind", score)[0] == len(everybody) - len(below)
    for rank in (1, 3, 100):
        above = min(rank - 1, len(everybody))
        assert page(board, "rank", rank) == (above, everybody[rank - 1 :])


def test_pages_go_through_a_thousand_with_the_same_zset_score_by_name(board: Board) -> None:
    names = [f"{n:03}" for n in range(1000)]
    board.redis.zadd(board.keys.board, dict.fromkeys(names, 5.25))
    assert [name for found in walk(board, 7) for name in found] == names[::-1]


def test_a_page_of_nobody_tells_how_many_stand_above(board: Board) -> None:
    board.plant({"ann": 5, "bob": 3})
    assert page(board, "behind", 4, limit=0) == (1, [])
    assert page(board, "behind", 3, limit=0) == (2, []), "behind those who have it"
    assert page(board, "behind", 6, limit=0) == (0, [])


def test_a_user_comes_with_the_one_above_and_with_what_the_tenth_has(board: Board) -> None:
    draw = random.Random(5)
    board.plant({f"u{n}": draw.randint(0, 6) for n in range(30)})
    everybody = all_rows(board.zset())
    tenth = everybody[9][1]
    assert user(board, everybody[0][0]) == (tenth, 0, everybody[:1])
    for n, (above, own) in enumerate(pairwise(everybody)):
        assert user(board, own[0]) == (tenth, n, [above, own])


def test_of_nine_there_is_no_tenth(board: Board) -> None:
    board.plant({f"u{n}": n for n in range(9)})
    assert user(board, "u0")[0] is None
    board.plant({"u9": 9})
    assert user(board, "u0")[0] == board.zset()["u0"]


@pytest.mark.parametrize("hidden", [True, False])
def test_who_is_hidden_or_has_no_score_is_not_there(board: Board, hidden: bool) -> None:
    board.submit(Action("ann", "k1", 5))
    if hidden:
        board.redis.zadd(board.keys.hidden, {"bob": 500.25})
        board.make_live(hidden="1", top=board.meta()["top"])
    assert board.run(of_users(board, "bob")) == [[1]]


def test_one_call_has_the_places_of_many_users_as_calls_of_their_own_have(board: Board) -> None:
    board.plant({f"u{n}": n for n in range(20)})
    users = ["u19", "nobody", "u0", "u9", "u19"]
    alone = [board.run(of_users(board, user))[0] for user in users]
    assert board.run(of_users(board, *users)) == alone
    assert page(board, "rank", 1) == (0, all_rows(board.zset()))


# What happens between two pages: to the score of a user comes so much, or the user leaves.
happenings = st.lists(
    st.lists(st.tuples(st.integers(0, 29), st.sampled_from([-9, -1, 0, 1, 9, None])), max_size=8),
    max_size=12,
)


@settings(
    max_examples=100,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.integers(1, 5), st.sampled_from([0, 2**45]), happenings)
def test_who_does_not_move_comes_once_and_in_order_whatever_others_do_between_pages(
    board: Board, limit: int, base: int, between: list[list[tuple[int, int | None]]]
) -> None:
    board.redis.delete(board.keys.board)
    board.make_live(top="[]")
    board.plant({f"u{n}": base + n % 7 for n in range(30)})  # with 2^45, many doubles are equal
    moved = {f"u{n}" for happening in between for n, _ in happening}
    staying = [name for name in in_order(board.zset()) if name not in moved]

    seen: list[str] = []
    happening = iter(between)
    for found in walk(board, limit):
        seen += found
        for n, points in next(happening, []):
            if points is None:
                board.redis.zrem(board.keys.board, f"u{n}")
            else:
                board.redis.zincrby(board.keys.board, points, f"u{n}")
    assert [name for name in seen if name not in moved] == staying
