"""remove_user: hidden users leave the board and keep what they have."""

from __future__ import annotations

from typing import Any

from scoreboard.wire import scripts
from scoreboard.wire.scripts import COLD
from tests.lua.harness import Action, Board, decoded


def remove(board: Board, user: str, *, hide: bool = True) -> Any:
    (epoch,) = board.run(board.bound(scripts.fence_board, {}))
    return finish(board, user, hide=hide, epoch=epoch)


def finish(board: Board, user: str, *, epoch: str | bytes, hide: bool = True) -> Any:
    """What follows the commit in Postgres."""
    arguments = {"board": board.name, "user": user, "hide": int(hide), "epoch": epoch}
    return board.run(board.bound(scripts.remove_user, arguments))


def test_a_hidden_user_disappears_and_the_board_says_so(board: Board) -> None:
    board.submit(Action("ann", "k1", 9), Action("bob", "k1", 5))
    board.published()
    version = int(board.meta()["version"])
    assert remove(board, "ann") == [b"%d" % (version + 1)]
    assert board.totals() == {"bob": 5}
    (text,) = board.published()
    assert [entry.user_id for entry in decoded(text).top_scores] == ["bob"]


def test_a_hidden_user_goes_on_counting_and_comes_back_with_it(board: Board) -> None:
    board.submit(Action("ann", "k1", 9), Action("bob", "k1", 10))
    stamped = board.zset()["ann"]
    remove(board, "ann")
    assert board.zset(board.keys.hidden) == {"ann": stamped}
    (answer,) = board.submit(Action("ann", "k2", 3))
    assert answer.startswith("A 12 - ")
    remove(board, "ann", hide=False)
    assert board.totals() == {"ann": 12, "bob": 10}
    assert "hidden" not in board.meta()


def test_hiding_twice_or_hiding_nobody_changes_nothing(board: Board) -> None:
    board.submit(Action("ann", "k1", 9))
    remove(board, "ann")
    before = board.dump()
    remove(board, "ann")
    remove(board, "nobody")
    assert board.dump() == before


def test_the_hidden_zset_expires_with_its_board(board: Board) -> None:
    board.submit(Action("ann", "k1", 9), idle=60_000)
    remove(board, "ann")
    instant = board.expiry(board.keys.hidden)
    assert instant == int(board.meta()["expires"])


def test_a_board_of_another_history_is_left_alone(board: Board) -> None:
    board.submit(Action("ann", "k1", 9))
    (epoch,) = board.run(board.bound(scripts.fence_board, {}))
    before = board.dump()
    assert finish(board, "ann", epoch="another") == [COLD]
    assert board.dump() == before
    board.redis.hset(board.keys.meta, "epoch", "another")
    before = board.dump()
    assert finish(board, "ann", epoch=epoch) == [COLD]
    assert board.dump() == before


def test_run_again_or_behind_a_load_it_changes_nothing(board: Board) -> None:
    board.submit(Action("ann", "k1", 9))
    remove(board, "ann")
    before = board.dump()
    assert finish(board, "ann", epoch=board.meta()["epoch"], hide=False) == [COLD]
    assert board.dump() == before
