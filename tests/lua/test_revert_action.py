"""revert_action: an action is taken back once, and its user keeps everything else."""

from __future__ import annotations

import pytest

from scoreboard.domain.stamps import stamp
from scoreboard.wire.events import EventKind
from scoreboard.wire.scripts import COLD, DONE, RANGE
from tests.lua.harness import WINDOW_MS, Action, Board, decoded, revert
from tests.lua.test_remove_user import remove

ACTION = Action("ann", "k1", 15)


def test_the_points_go_and_the_event_says_what_was_taken_back(board: Board) -> None:
    board.submit(ACTION, Action("ann", "k2", 7), Action("bob", "k1", 10))
    original = board.events()[0].id
    score, event = revert(board, ACTION, original)
    assert score == b"7"
    assert board.totals() == {"bob": 10, "ann": 7}
    last = board.events()[-1]
    assert (last.kind, last.score, last.body.e, last.id) == (
        *(EventKind.REVERTED, 7, original),
        event.decode(),
    )
    assert board.meta()["event"] == last.id
    assert board.zset()["ann"] == stamp(7, last.reached_ms or 0)


def test_a_reverted_action_stays_known_and_cannot_count_again(board: Board) -> None:
    board.submit(ACTION)
    _, event = revert(board, ACTION, board.events()[0].id)
    assert board.receipt(ACTION) == f"V15,15,{ACTION.attempt},{event.decode()},"
    (answer,) = board.submit(Action("ann", "k1", 15))
    assert answer.startswith("D 15 ")
    assert board.totals() == {"ann": 0}


def test_a_second_revert_changes_nothing(board: Board) -> None:
    board.submit(ACTION)
    revert(board, ACTION, board.events()[0].id)
    before = board.dump()
    assert revert(board, ACTION, board.events()[0].id) == [DONE]
    assert board.dump() == before


def test_late_duplicates_are_taken_back_once_each_whatever_their_receipts_say(
    board: Board,
) -> None:
    board.submit(ACTION, Action("ann", "k2", 7))
    first, second = (event.id for event in board.events())
    for action, event in ((ACTION, first), (Action("ann", "k2", 7), second)):
        board.redis.delete(board.receipt_key(action))
        assert revert(board, action, event, late=True)[0] != DONE
        board.redis.delete(board.receipt_key(action))
        assert revert(board, action, event, late=True) == [DONE]
    assert revert(board, ACTION, first, late=True) == [DONE]
    assert board.totals() == {"ann": 0}


def test_the_original_receipt_is_restored_for_a_late_duplicate(board: Board) -> None:
    board.submit(ACTION)
    revert(board, ACTION, board.events()[0].id, late=True)
    assert board.receipt(ACTION) == "A15,15,t0,1-1,"
    assert 0 < board.redis.pttl(board.receipt_key(ACTION)) <= WINDOW_MS


def test_a_changed_top_10_is_published(board: Board) -> None:
    board.submit(ACTION, Action("bob", "k1", 10))
    board.published()
    revert(board, ACTION, board.events()[0].id)
    (text,) = board.published()
    assert [(e.user_id, e.score) for e in decoded(text).top_scores] == [("bob", 10), ("ann", 0)]


def test_a_hidden_users_action_is_taken_back_out_of_sight(board: Board) -> None:
    board.submit(ACTION)
    event = board.events()[0].id
    remove(board, "ann")
    assert revert(board, ACTION, event)[0] == b"0"
    assert board.totals() == {}


@pytest.mark.parametrize("fenced", [True, False])
def test_a_board_that_is_not_live_is_left_alone(board: Board, fenced: bool) -> None:
    board.submit(ACTION)
    event = board.events()[0].id
    if fenced:
        board.redis.hset(board.keys.meta, "epoch", "another")
    else:
        board.redis.delete(board.keys.meta)
    before = board.dump()
    assert revert(board, ACTION, event) == [COLD]
    assert board.dump() == before


def test_a_total_never_leaves_its_range(board: Board) -> None:
    board.redis.zadd(board.keys.board, {"ann": -(2**50) + 0.5})
    assert revert(board, ACTION, "1-1") == [RANGE]


def test_a_user_who_is_not_on_the_board_has_nothing_to_take_back(board: Board) -> None:
    assert revert(board, ACTION, "1-1") == [DONE]
    assert board.events() == []


def test_an_action_that_came_with_other_points_can_be_taken_back_once(board: Board) -> None:
    board.submit(ACTION, Action("ann", "k1", 14))
    original = board.events()[0].id
    _, event = revert(board, ACTION, original)
    assert board.receipt(ACTION) == f"V15,15,{ACTION.attempt},{event.decode()},"
    board.submit(Action("ann", "k1", 14))
    assert revert(board, ACTION, original) == [DONE]
    assert board.totals() == {"ann": 0}
