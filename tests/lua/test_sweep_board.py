"""Keys of a board that was removed are unlinked, and never those of a newer one."""

from __future__ import annotations

from typing import Any

import pytest

from scoreboard.wire import scripts
from scoreboard.wire.scripts import OTHER
from tests.lua.harness import Action, Board


def sweep(board: Board, version: int, *keys: bytes) -> Any:
    call = board.bound(scripts.sweep_board, {"version": version})
    call.keys.extend(keys)
    return board.run(call)


def test_the_keys_that_are_named_are_gone_and_the_history_is_told(board: Board) -> None:
    board.submit(Action())
    epoch = board.meta()["epoch"].encode()
    keys = board.redis.keys("*")
    named = [key for key in keys if board.keys.owns(key)]
    assert sweep(board, 100, *named) == [epoch]
    assert board.redis.keys("*") == [board.keys.events.encode()]
    assert sweep(board, 100, *named) == [epoch], "again, it changes nothing"
    assert sweep(board, 100) == [epoch]


@pytest.mark.parametrize("version", [100, 101])
def test_a_newer_board_keeps_its_keys(board: Board, version: int) -> None:
    board.submit(Action())
    board.make_live(version=str(version))
    before = board.dump()
    assert sweep(board, 100, board.receipt_key(Action())) == [OTHER]
    assert board.dump() == before
