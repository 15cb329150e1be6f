"""approve_action: a refused action counts after all, once."""

from __future__ import annotations

from typing import Any

import pytest

from scoreboard.domain.stamps import stamp
from scoreboard.wire import scripts
from scoreboard.wire.events import FORMAT, EventKind
from scoreboard.wire.scripts import COLD, DONE, OTHER, RANGE
from tests.lua.harness import WINDOW_MS, Action, Board, Verdict, approval, decoded, run_on

REFUSED = Action("ann", "k1", 15, attempt="refused-1", verdict=Verdict(refused_by="time,device"))


def approve(board: Board, action: Action = REFUSED, **changed: Any) -> Any:
    arguments = approval(board, action, FORMAT) | changed
    return run_on(board, scripts.approve_action, action, arguments)


def test_the_points_count_and_the_event_is_of_the_refused_attempt(board: Board) -> None:
    board.submit(Action("ann", "k0", 5))
    assert board.submit(REFUSED) == ["R time,device"]
    score, event = approve(board)
    assert score == b"20"
    last = board.events()[-1]
    assert (last.kind, last.score, last.body.t, last.id) == (
        *(EventKind.ACCEPTED, 20, "refused-1"),
        event.decode(),
    )
    assert board.meta()["event"] == last.id
    assert board.zset() == {"ann": stamp(20, last.reached_ms or 0)}


def test_a_retry_of_an_approved_action_is_a_duplicate(board: Board) -> None:
    board.submit(REFUSED)
    _, event = approve(board)
    assert board.receipt(REFUSED) == f"A15,15,refused-1,{event.decode()},"
    assert board.submit(Action("ann", "k1", 15)) == [f"D 15 {event.decode()}"]
    assert 0 < board.redis.pttl(board.receipt_key(REFUSED)) <= WINDOW_MS
    assert board.totals() == {"ann": 15}


def test_a_second_approval_changes_nothing(board: Board) -> None:
    board.submit(REFUSED)
    approve(board)
    before = board.dump()
    assert approve(board) == [DONE]
    assert board.dump() == before


def test_an_expired_refusal_can_be_approved(board: Board) -> None:
    board.submit(REFUSED)
    board.redis.delete(board.receipt_key(REFUSED))
    assert approve(board)[0] == b"15"
    assert board.submit(Action("ann", "k1", 15))[0].startswith("D 15 ")


def test_an_action_that_counted_under_another_attempt_is_left_to_the_persister(
    board: Board,
) -> None:
    board.submit(REFUSED)
    board.redis.delete(board.receipt_key(REFUSED))
    board.submit(Action("ann", "k1", 15, attempt="another"))
    before = board.dump()
    assert approve(board) == [OTHER]
    assert board.dump() == before


def test_a_changed_top_10_is_published_under_the_next_version(board: Board) -> None:
    board.submit(Action("bob", "k1", 10))
    board.submit(REFUSED)
    board.published()
    before = int(board.meta()["version"])
    approve(board)
    (text,) = board.published()
    assert [(e.user_id, e.score) for e in decoded(text).top_scores] == [("ann", 15), ("bob", 10)]
    assert decoded(text).version == before + 1


def test_a_hidden_users_action_counts_out_of_sight(board: Board) -> None:
    board.redis.zadd(board.keys.hidden, {"ann": stamp(5, 1_750_000_000_000)})
    board.redis.hset(board.keys.meta, "hidden", "1")
    board.submit(REFUSED)
    assert approve(board)[0] == b"20"
    assert board.totals() == {}
    assert board.zset(board.keys.hidden)["ann"] // 1 == 20


def test_a_zero_leaves_the_moment_at_which_the_total_was_reached(board: Board) -> None:
    board.plant({"ann": 7})
    before = board.zset()
    zero = Action("ann", "k2", 0, attempt="another", verdict=Verdict(refused_by="time"))
    board.submit(zero)
    assert approve(board, zero)[0] == b"7"
    assert board.zset() == before


def test_the_first_score_of_a_board_expires_with_it(board: Board) -> None:
    instant = str(board.now_ms() + 1_000_000)
    board.make_live(expires=instant)
    board.submit(REFUSED)
    approve(board)
    assert board.expiry(board.keys.board) == int(instant)


@pytest.mark.parametrize("fenced", [True, False])
def test_a_board_that_is_not_live_is_left_alone(board: Board, fenced: bool) -> None:
    board.submit(REFUSED)
    if fenced:
        board.redis.hset(board.keys.meta, "epoch", "another")
    else:
        board.redis.delete(board.keys.meta)
    before = board.dump()
    assert approve(board) == [COLD]
    assert board.dump() == before


def test_a_total_never_leaves_its_range(board: Board) -> None:
    board.redis.zadd(board.keys.board, {"ann": 2**50 - 5 + 0.5})
    board.submit(REFUSED)
    before = board.dump()
    assert approve(board) == [RANGE]
    assert board.dump() == before


def test_a_refused_action_that_came_with_other_points_can_be_approved(board: Board) -> None:
    board.submit(REFUSED, Action("ann", "k1", 14, verdict=Verdict()))
    _, event = approve(board)
    assert board.receipt(REFUSED) == f"A15,15,refused-1,{event.decode()},"
