"""A board that has lost a zset while its meta hash lives, as after DEL or an eviction, does not go
on from nothing: every script answers that it is cold, and writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scoreboard.wire import scripts
from scoreboard.wire.scripts import COLD, LOST
from tests.lua.harness import Action, Board, revert, run_on
from tests.lua.test_load_board import load, state
from tests.lua.test_pages import of_users
from tests.lua.test_reads import around, standings, top
from tests.lua.test_remove_user import finish, remove

Call = Callable[[Board], Any]


def submit(*users: str) -> Call:
    def call(board: Board) -> Any:
        return [reply.encode() for reply in board.submit(*(Action(u, "new", 1) for u in users))]

    return call


def approve(board: Board) -> Any:
    arguments = {
        "board": board.name,
        "user": "ann",
        "points": 5,
        "attempt": "t",
        "window": 60_000,
        "body": "{}",
    }
    return run_on(board, scripts.approve_action, Action("ann", "other", 5), arguments)


def take_back(board: Board) -> Any:
    return revert(board, Action("ann", "k1", 5), "1-1", late=True)


WRITES: dict[str, Call] = {
    "a known user": submit("ann"),
    "new users": submit("new", "newer"),
    "a hidden user": submit("eve"),
    "users of all kinds": submit("ann", "eve", "new"),
    "approve_action": approve,
    "revert_action": take_back,
}
FIRST_PAGE = {"from": "rank", "at": 1, "user": "", "limit": 10}
READS: dict[str, Call] = {
    "read_top": top,
    "read_board": lambda board: board.run(board.bound(scripts.read_board, {})),
    "read_standings": lambda board: standings(board, "ann"),
    "read_standings of nobody": lambda board: standings(board, "nobody"),
    "read_around": lambda board: around(board, "ann", 1),
    "read_user": lambda board: board.run(of_users(board, "ann")),
    "read_page": lambda board: board.run(board.bound(scripts.read_page, FIRST_PAGE)),
}


@pytest.fixture
def peopled(board: Board) -> Board:
    """Two users are shown, and eve is hidden."""
    board.submit(*(Action(user, "k1", 5) for user in ("ann", "bob", "eve")))
    remove(board, "eve")
    return board


def test_on_a_whole_board_no_script_says_so(peopled: Board) -> None:
    assert not [name for name, call in (WRITES | READS).items() if call(peopled)[0] == COLD]


@pytest.mark.parametrize("name", WRITES | READS)
def test_a_board_without_its_zset_is_cold(peopled: Board, name: str) -> None:
    peopled.redis.delete(peopled.keys.board)
    before = peopled.dump()
    assert (WRITES | READS)[name](peopled) == [COLD]
    assert peopled.dump() == before


@pytest.mark.parametrize("name", WRITES)
def test_a_board_without_its_hidden_users_takes_no_writes(peopled: Board, name: str) -> None:
    peopled.redis.delete(peopled.keys.hidden)
    before = peopled.dump()
    assert WRITES[name](peopled) == [COLD]
    assert peopled.dump() == before


@pytest.mark.parametrize("key", ["board", "hidden"])
@pytest.mark.parametrize(("user", "hide"), [("ann", True), ("eve", False)])
def test_a_fenced_board_that_is_not_whole_is_left_to_its_load(
    peopled: Board, key: str, user: str, hide: bool
) -> None:
    (epoch,) = peopled.run(peopled.bound(scripts.fence_board, {}))
    peopled.redis.delete(getattr(peopled.keys, key))
    before = peopled.dump()
    assert finish(peopled, user, hide=hide, epoch=epoch) == [COLD]
    assert peopled.dump() == before


def test_a_board_whose_users_are_all_hidden_has_lost_nothing(peopled: Board) -> None:
    for user in ("ann", "bob"):
        remove(peopled, user)
    assert not peopled.redis.exists(peopled.keys.board)
    assert top(peopled)[1] == b"[]"
    assert standings(peopled, "ann")[0] == around(peopled, "ann", 1)[0] == b"0"
    (answer,) = peopled.submit(Action("new", "k1", 1))
    assert answer.startswith("A 1 1 ")
    assert state(peopled)["lost"] == 0


@pytest.mark.parametrize("key", ["board", "hidden"])
def test_the_state_of_a_board_tells_that_it_is_not_whole(peopled: Board, key: str) -> None:
    assert state(peopled)["lost"] == 0
    peopled.redis.delete(getattr(peopled.keys, key))
    assert state(peopled)["lost"] == 1
    peopled.redis.hset(peopled.keys.meta, "epoch", "another")
    assert state(peopled)["lost"] == 1, "fenced or not"
    peopled.redis.delete(peopled.keys.meta)
    assert state(peopled)["lost"] == 0, "a cold board has nothing to lose"


@pytest.mark.parametrize("key", ["board", "hidden"])
def test_changes_are_not_merged_into_a_board_that_lost_the_rest(peopled: Board, key: str) -> None:
    peopled.redis.delete(getattr(peopled.keys, key))
    assert load(peopled, {"ann": 9}, swap=0) == [LOST]
