"""set_settings: other rules for a live board from the next call on."""

from __future__ import annotations

import pytest

from scoreboard.domain.boards import BoardSettings
from scoreboard.wire import scripts
from scoreboard.wire.scripts import COLD, DONE
from tests.lua.harness import Action, Board

STRICT = BoardSettings(max_points=10).to_text()


def test_a_call_prepared_under_the_old_settings_is_told_the_new_ones(board: Board) -> None:
    assert board.submit(Action("ann", "k1", 5))[0].startswith("A 5 ")
    assert board.run(board.bound(scripts.set_settings, {"settings": STRICT})) == [DONE]
    assert board.submit(Action("ann", "k2", 5)) == ["!SETTINGS", STRICT]
    assert board.submit(Action("ann", "k2", 5), settings=STRICT)[0].startswith("A 10 ")


@pytest.mark.parametrize("fenced", [True, False])
def test_a_board_that_is_not_live_gets_its_settings_when_it_is_loaded(
    board: Board, fenced: bool
) -> None:
    if fenced:
        board.redis.hset(board.keys.meta, "epoch", "another")
    else:
        board.redis.delete(board.keys.meta)
    before = board.dump()
    assert board.run(board.bound(scripts.set_settings, {"settings": STRICT})) == [COLD]
    assert board.dump() == before
