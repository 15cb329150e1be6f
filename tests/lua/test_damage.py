"""What somebody has written by hand into a board's hash is found, and named; no script goes on from
it."""

from __future__ import annotations

import pytest
from redis.exceptions import ResponseError

from scoreboard.wire import scripts
from scoreboard.wire.scripts import COLD
from tests.lua.harness import Action, Board, revert
from tests.lua.test_load_board import state
from tests.lua.test_lost_keys import approve, take_back
from tests.lua.test_remove_user import finish

DAMAGED = {
    "settings": ["[{", "5", '{"periods":[7]}', '{"topSize":"many"}'],
    "version": ["many", "", "-5", "1.5", "9" * 30],
    "clock": ["late", "1e3"],
    "event": ["latest", "5", "9" * 30 + "-0"],
    "top": ["[{", "{}", '[{"userId":"ann"}]'],
    "cut": ["low", "nan"],
    "expires": ["never"],
    "watched": ["yes"],
    "counter": ["many"],
    "taken": ["last"],
}


@pytest.mark.parametrize(
    ("field", "text"), [(field, text) for field, texts in DAMAGED.items() for text in texts]
)
def test_a_boards_state_names_the_field_that_cannot_be_read(
    board: Board, field: str, text: str
) -> None:
    board.submit(Action("ann", "k1", 5))
    assert state(board)["lost"] == 0
    board.redis.hset(board.keys.meta, field, text)
    assert state(board)["lost"].decode() == f"{board.keys.meta} {field}"


@pytest.mark.parametrize("field", ["version", "clock"])
@pytest.mark.parametrize("text", ["many", "1.5"])
def test_no_action_counts_on_top_of_it(board: Board, field: str, text: str) -> None:
    board.submit(Action("ann", "k1", 5))
    board.redis.hset(board.keys.meta, field, text)
    before = board.dump()
    assert board.submit(Action("ann", "k2", 5)) == [COLD.decode()]
    assert board.dump() == before


@pytest.mark.parametrize("field", ["version", "expires", "counter", "taken"])
def test_moderation_writes_nothing_on_top_of_it(board: Board, field: str) -> None:
    board.submit(Action("ann", "k1", 5))
    board.redis.hset(board.keys.meta, field, "junk")
    epoch = board.meta()["epoch"]
    before = board.dump()
    assert approve(board) == take_back(board) == [COLD]
    board.redis.hset(board.keys.meta, "epoch", "fenced")
    assert finish(board, "ann", epoch=epoch) == [COLD]
    board.redis.hset(board.keys.meta, "epoch", epoch)
    assert board.dump() == before


def test_a_decision_does_not_rest_on_a_receipt_that_cannot_be_read(board: Board) -> None:
    """The ledger, which was asked before, says that there is something to do."""
    action = Action("ann", "k1", 5)
    (accepted,) = board.submit(action)
    board.redis.set(board.receipt_key(action), "junk")
    score, _ = revert(board, action, accepted.split(" ")[3], late=False)
    assert score == b"0"
    board.redis.set(board.receipt_key(Action("ann", "other", 5)), "junk")
    score, _ = approve(board)
    assert score == b"5"


def test_a_key_of_moves_that_is_no_stream_stops_an_action_before_it_counts(board: Board) -> None:
    board.submit(Action("ann", "k1", 5))
    board.redis.hset(board.keys.meta, "watched", "4000000000000")
    board.redis.set(board.keys.moves, "no stream")
    before = board.dump()
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        board.submit(Action("ann", "k2", 5))
    assert board.dump() == before


def test_the_keys_that_another_program_has_written_over_are_named(board: Board) -> None:
    board.submit(Action("ann", "k1", 5))
    keys = {"board": "ZCARD", "hidden": "ZCARD", "meta": "HGET", "moves": "XLEN"}
    call = scripts.find_foreign()
    for name, command in {**keys, "events": "XLEN"}.items():
        call.keys.append(getattr(board.keys, name).encode())
        call.args.append(command.encode())
    rate = board.keys.rate(b"ann")
    call.keys.append(rate)
    call.args.append(b"LINDEX")
    assert board.run(call) == []
    for name in keys:
        board.redis.delete(getattr(board.keys, name))
        board.redis.set(getattr(board.keys, name), "text")
    board.redis.set(rate, "text")
    assert board.run(call) == [*call.keys[:4], rate]
