"""submit_scores: ties, stamps and the range of totals."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from scoreboard.domain.actions import MAX_POINTS
from scoreboard.domain.stamps import EPOCH_MS, stamp, total_of
from scoreboard.wire.events import Event
from tests.lua.harness import Action, Board, piece

LIMIT = 2**50
OUT_OF_RANGE = "O"
END_MS = EPOCH_MS + 2**41  # in 2094

totals = st.one_of(
    st.integers(-LIMIT, LIMIT),
    st.integers(-5000, 5000),
    st.integers(0, 50).flatmap(lambda e: st.sampled_from([2**e, 2**e - 1, -(2**e), 1 - 2**e])),
)
moments = st.one_of(
    st.integers(EPOCH_MS, END_MS - 1), st.integers(1_760_000_000_000, 1_800_000_000_000)
)


def in_lua(redis: Redis, expression: str, rows: list[tuple[Any, ...]]) -> list[str]:
    """``expression`` of ``a`` and ``b`` for each row, computed by the shared piece of Lua."""
    script = f"""{piece("lib_stamps")}
        local results = {{}}
        for i = 1, #ARGV, 2 do
          local a, b = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
          results[#results + 1] = {expression}
        end
        return results"""
    return [text.decode() for text in redis.eval(script, 0, *(v for row in rows for v in row))]


def test_lua_stamps_exactly_as_python_does(redis_url: str) -> None:
    with Redis.from_url(redis_url) as redis:

        @settings(max_examples=60, derandomize=True, deadline=None)
        @given(st.lists(st.tuples(totals, moments), min_size=1, max_size=50))
        def agrees(rows: list[tuple[int, int]]) -> None:
            stamped = in_lua(redis, "double(stamp(a, b))", rows)
            assert [float(text) for text in stamped] == [stamp(*row) for row in rows]

        agrees()


def test_the_floor_of_a_stamp_is_the_total_and_its_millisecond_gives_the_stamp_back(
    redis_url: str,
) -> None:
    with Redis.from_url(redis_url) as redis:

        @settings(max_examples=60, derandomize=True, deadline=None)
        @given(st.lists(st.tuples(totals, moments), min_size=1, max_size=50))
        def holds(rows: list[tuple[int, int]]) -> None:
            stamps = [stamp(*row) for row in rows]
            assert [total_of(score) for score in stamps] == [total for total, _ in rows]
            given_back = in_lua(
                redis, "integer(reached_ms(a))", [(f"{score:.17g}", 0) for score in stamps]
            )
            assert [
                stamp(total, int(ms)) for (total, _), ms in zip(rows, given_back, strict=True)
            ] == stamps

        holds()


def stamp_of(event: Event) -> float:
    assert event.score is not None
    assert event.reached_ms is not None
    return stamp(event.score, event.reached_ms)


def test_the_zset_holds_the_stamp_of_total_and_time_bit_for_bit(redis_url: str) -> None:
    with Redis.from_url(redis_url) as redis:
        board = Board(redis)

        @settings(max_examples=60, derandomize=True, deadline=None)
        @given(
            st.tuples(totals, totals, totals),
            st.lists(
                st.tuples(st.sampled_from("abcdef"), st.integers(-MAX_POINTS, MAX_POINTS)),
                min_size=1,
                max_size=30,
            ),
        )
        def holds(planted: tuple[int, ...], moves: list[tuple[str, int]]) -> None:
            redis.flushall()
            board.make_live()
            board.plant(dict(zip("abc", planted, strict=True)))
            board.submit(*(Action(user, f"k{i}", points) for i, (user, points) in enumerate(moves)))
            latest = {event.body.u: event for event in board.events()}
            zset = board.zset()
            for user, event in latest.items():
                assert zset[user] == stamp_of(event)

        holds()
        board.close()


def test_of_two_equal_totals_the_earlier_stands_first(board: Board) -> None:
    board.submit(Action("zoe", "k1", 10))
    board.submit(Action("ann", "k1", 10))
    assert list(board.zset()) == ["zoe", "ann"]
    board.submit(Action("zoe", "k2", -1))
    board.submit(Action("zoe", "k3", 1))
    assert list(board.zset()) == ["ann", "zoe"]


def test_a_thousand_equal_scores_of_one_call_never_tie(board: Board) -> None:
    users = [f"u{(i * 7919) % 1000}" for i in range(1000)]
    replies = board.submit(*(Action(user, "k1", 10) for user in users))
    assert list(board.zset()) == users
    assert [reply.split(" ")[2] for reply in replies] == [str(i) for i in range(1, 1001)]
    reached = [event.reached_ms or 0 for event in board.events()]
    assert reached == list(range(reached[0], reached[0] + 1000))


def test_stamps_go_on_from_the_board_clock_when_the_server_clock_goes_back(board: Board) -> None:
    ahead = board.now_ms() + 3_600_000
    board.make_live(clock=str(ahead))
    board.submit(Action("ann", "k1", 10), Action("bob", "k1", 10))
    board.submit(Action("cid", "k1", 10))
    assert [e.reached_ms for e in board.events()] == [ahead + 1, ahead + 2, ahead + 3]
    assert list(board.zset()) == ["ann", "bob", "cid"]
    assert board.meta()["clock"] == str(ahead + 3)


@pytest.mark.parametrize("ahead", [0, 1, 2**41])
def test_a_board_clock_at_the_end_of_all_stamps_stays_there_and_totals_are_right(
    board: Board, ahead: int
) -> None:
    board.make_live(clock=str(END_MS + ahead))
    board.submit(Action("ann", "k1", 10), Action("bob", "k1", 5))
    board.submit(Action("bob", "k2", 1))
    assert board.totals() == {"ann": 10, "bob": 6}
    assert [event.reached_ms for event in board.events()] == [END_MS] * 3


@pytest.mark.parametrize("moment", [EPOCH_MS - 2**41, EPOCH_MS - 1, END_MS + 1, 2**53])
def test_a_time_that_no_stamp_can_tell_leaves_the_total_as_it_is(moment: int) -> None:
    """The ledger may have such times from before they were refused."""
    for total in (-LIMIT, -1, 0, 5, LIMIT):
        assert total_of(stamp(total, moment)) == total


def test_stamps_use_the_server_clock_when_it_is_ahead(board: Board) -> None:
    before = board.now_ms()
    board.submit(Action("ann", "k1", 10))
    (event,) = board.events()
    assert before <= (event.reached_ms or 0) <= board.now_ms()


@pytest.mark.parametrize("total", [0, 5, -5, 2047, 2**31, -(2**31), 2**45 + 1, LIMIT, -LIMIT])
def test_no_points_leave_the_stamp_of_a_user_bit_for_bit(board: Board, total: int) -> None:
    board.plant({"ann": total})
    before, clock = board.zset(), board.meta()["clock"]
    assert board.submit(Action("ann", "k2", 0))[0].startswith(f"A {total} 1 ")
    assert board.zset() == before
    assert board.meta()["clock"] == clock
    event = board.events()[-1]
    assert stamp_of(event) == before["ann"]


def test_no_points_bring_a_new_user_onto_the_board(board: Board) -> None:
    assert board.submit(Action("ann", "k1", 0))[0].startswith("A 0 1 ")
    assert board.totals() == {"ann": 0}


@pytest.mark.parametrize("sign", [1, -1])
def test_a_total_may_reach_the_limit_exactly_and_not_one_point_more(
    board: Board, sign: int
) -> None:
    board.plant({"ann": sign * (LIMIT - 1)})
    assert board.submit(Action("ann", "k2", sign))[0].startswith(f"A {sign * LIMIT} 1 ")
    before = board.dump()
    over = Action("ann", "k3", sign)
    assert board.submit(over) == [OUT_OF_RANGE]
    assert board.submit(Action("ann", "k4", 2 * sign)) == [OUT_OF_RANGE]
    assert board.dump() == before
    board.submit(Action("ann", "k5", -sign))
    assert board.submit(over)[0].startswith(f"A {sign * LIMIT} 1 ")


def test_an_action_out_of_range_does_not_hold_up_its_neighbours(board: Board) -> None:
    board.plant({"ann": LIMIT - 1})
    replies = board.submit(
        Action("ann", "k1", 1),
        Action("ann", "k2", 1),
        Action("ann", "k3", -1),
        Action("ann", "k4", 1),
    )
    assert [reply.split(" ")[:2] for reply in replies] == [
        ["A", str(LIMIT)],
        ["O"],
        ["A", str(LIMIT - 1)],
        ["A", str(LIMIT)],
    ]


@pytest.mark.parametrize("planted", [math.inf, -math.inf])
def test_an_infinite_score_planted_by_hand_takes_no_points(board: Board, planted: float) -> None:
    board.redis.zadd(board.keys.board, {"ann": planted})
    assert board.submit(Action("ann", "k1", 1)) == [OUT_OF_RANGE]


def test_every_digit_of_a_large_total_reaches_reply_receipt_event_and_top(board: Board) -> None:
    board.plant({"ann": 2**49})
    action = Action("ann", "k1", 1)
    (reply,) = board.submit(action)
    assert reply.startswith("A 562949953421313 1 ")
    assert ",562949953421313," in (board.receipt(action) or "")
    assert board.events()[0].score == 562949953421313
    assert board.meta()["top"] == '[{"userId":"ann","score":562949953421313}]'
