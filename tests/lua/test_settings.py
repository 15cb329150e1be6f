"""fence_board and set_settings: other rules for a live board from the next call on."""

from __future__ import annotations

import pytest

from scoreboard.domain.boards import BoardSettings
from scoreboard.wire import scripts
from scoreboard.wire.scripts import COLD, DONE, ScriptCall
from tests.lua.harness import Action, Board, decoded

STRICT = BoardSettings(max_points=10).to_text()


def test_a_call_prepared_under_the_old_settings_is_told_the_new_ones(board: Board) -> None:
    assert board.submit(Action("ann", "k1", 5))[0].startswith("A 5 ")
    (epoch,) = board.run(board.bound(scripts.fence_board, {}))
    assert board.run(setting(board, epoch)) == [DONE]
    assert board.submit(Action("ann", "k2", 5)) == ["!SETTINGS", STRICT]
    assert board.submit(Action("ann", "k2", 5), settings=STRICT)[0].startswith("A 10 ")


def setting(board: Board, epoch: bytes) -> ScriptCall:
    arguments = {"board": board.name, "settings": STRICT, "epoch": epoch}
    return board.bound(scripts.set_settings, arguments)


def test_clients_are_told_of_a_top_of_another_size(board: Board) -> None:
    board.submit(*(Action(user, "k1", 5) for user in ("ann", "bob", "cid")))
    board.published()
    (epoch,) = board.run(board.bound(scripts.fence_board, {}))
    smaller = BoardSettings(top_size=2).to_text()
    arguments = {"board": board.name, "settings": smaller, "epoch": epoch}
    assert board.run(board.bound(scripts.set_settings, arguments)) == [DONE]
    (told,) = board.published()
    assert [entry.user_id for entry in decoded(told).top_scores] == ["ann", "bob"]


def test_a_fenced_board_answers_nobody_and_loses_nothing(board: Board) -> None:
    board.submit(Action("ann", "k1", 5))
    before = board.dump()
    (epoch,) = board.run(board.bound(scripts.fence_board, {}))
    assert board.submit(Action("ann", "k2", 5)) == [COLD.decode()]
    assert board.run(board.bound(scripts.fence_board, {})) == [COLD]
    board.redis.hset(board.keys.meta, "epoch", epoch)
    assert board.dump() == before


def test_settings_are_not_written_under_another_history_or_over_a_load(board: Board) -> None:
    (epoch,) = board.run(board.bound(scripts.fence_board, {}))
    assert board.run(setting(board, b"another")) == [COLD]
    board.make_live()
    assert board.run(setting(board, epoch)) == [COLD]
    assert board.meta()["settings"] == board.settings


@pytest.mark.parametrize("fenced", [True, False])
def test_a_board_that_is_not_live_gets_its_settings_when_it_is_loaded(
    board: Board, fenced: bool
) -> None:
    if fenced:
        board.redis.hset(board.keys.meta, "epoch", "another")
    else:
        board.redis.delete(board.keys.meta)
    before = board.dump()
    assert board.run(board.bound(scripts.fence_board, {})) == [COLD]
    assert board.dump() == before
