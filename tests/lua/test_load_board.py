"""load_board: a board becomes live whole, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from scoreboard.domain.stamps import stamp
from scoreboard.wire import scripts
from scoreboard.wire.scripts import COLD, DONE, LOST
from tests.lua.harness import Action, Board, decoded, revert

REACHED = 1_800_000_000_000
GROUP = b"persist"


def load(
    board: Board, totals: dict[str, int], hidden: dict[str, int] | None = None, **changed: Any
) -> Any:
    """Fills the two zsets of a draft and runs the script; ``changed`` are its arguments."""
    names = {name: board.keys.load(f"n:{name}") for name in ("load", "load_hidden", "load_players")}
    for name, users in (("load", totals), ("load_hidden", hidden or {})):
        for i, (user, total) in enumerate(users.items()):
            board.redis.zadd(names[name], {user: stamp(total, REACHED + i)})
        board.redis.pexpire(names[name], 60_000)
    return run(board, names, totals, hidden, **changed)


def run(board: Board, names: dict[str, str], totals: Any, hidden: Any, **changed: Any) -> Any:
    arguments: dict[str, Any] = {
        "board": board.name,
        "epoch": state(board)["epoch"],
        "found": state(board)["event"],
        "swap": 1,
        "shown": len(totals),
        "concealed": len(hidden or {}),
        "players": 0,
        "settings": board.settings,
        "version": 1000,
        "event": "17-3",
        "clock": REACHED + 100,
        "last": "19-0",
        "group": GROUP,
        "idle": 0,
        "periods": 0,
    } | changed
    return board.run(board.bound(scripts.load_board, arguments, **names))


def state(board: Board) -> dict[str, Any]:
    names = (
        "epoch",
        "own",
        "version",
        "event",
        "shown",
        "hidden",
        "lost",
        "now_ms",
        "periods",
        "tables",
    )
    reply = board.run(board.bound(scripts.board_state, {}))
    return dict(zip(names, reply, strict=True))


def test_a_loaded_board_is_live_and_takes_actions_on_top_of_what_it_was_given(
    board: Board,
) -> None:
    board.redis.flushall()
    assert load(board, {"ann": 5, "bob": 9}) == [b"1001"]
    assert board.zset() == {"bob": stamp(9, REACHED + 1), "ann": stamp(5, REACHED)}
    meta = board.meta()
    assert meta["top"] == '[{"userId":"bob","score":9},{"userId":"ann","score":5}]'
    assert (meta["event"], meta["clock"], meta["cut"]) == ("17-3", str(REACHED + 100), "-inf")
    (answer,) = board.submit(Action("ann", "k1", 10))
    assert answer.startswith("A 15 1 ")
    assert state(board)["own"] == state(board)["epoch"]


def test_the_loaded_top_10_is_published_once_under_its_version(board: Board) -> None:
    load(board, {f"user{i}": i for i in range(15)})
    (text,) = board.published()
    assert [entry.score for entry in decoded(text).top_scores] == list(range(14, 4, -1))
    assert decoded(text).version == 1001
    assert float(board.meta()["cut"]) == stamp(5, REACHED + 5)


def test_a_board_that_comes_back_unchanged_publishes_nothing(board: Board) -> None:
    board.submit(Action("ann", "k1", 5))
    board.published()
    before = board.zset()
    assert load(board, {}, swap=0) == [b"1000"]
    assert (board.zset(), board.published()) == (before, [])
    assert board.meta()["version"] == "1000"


def test_an_adopted_board_gets_what_it_lacked_and_keeps_the_rest(board: Board) -> None:
    board.submit(Action("ann", "k1", 5), Action("bob", "k1", 7), Action("cy", "k1", 9))
    kept = board.zset()["bob"]
    more = {f"user{i}": i for i in range(2_500)}
    load(board, {"ann": 30} | more, {"cy": 40}, swap=0)
    totals = board.totals()
    assert (totals.pop("ann"), totals.pop("bob")) == (30, 7)
    assert (totals, board.zset()["bob"]) == (more, kept)
    assert board.redis.zrange(board.keys.hidden, 0, -1) == [b"cy"]
    assert board.redis.keys("*:load:*") == []


def test_neither_version_nor_clock_is_lowered(board: Board) -> None:
    board.make_live(version="5000", clock="1900000000000")
    load(board, {"ann": 5})
    assert board.meta()["clock"] == "1900000000000"
    assert int(board.meta()["version"]) == 5001


@pytest.mark.parametrize(
    ("changed", "reply"),
    [({"epoch": "another"}, COLD), ({"shown": 3}, LOST), ({"concealed": 1}, LOST)],
)
def test_a_draft_that_lost_something_changes_nothing(
    board: Board, changed: dict[str, Any], reply: bytes
) -> None:
    board.submit(Action("ann", "k1", 5))
    before = (board.zset(), board.meta(), board.events())
    assert load(board, {"bob": 9}, **changed) == [reply]
    assert (board.zset(), board.meta(), board.events()) == before


def test_the_streams_next_id_is_above_every_id_of_the_partition(board: Board) -> None:
    far = 4_000_000_000_000
    load(board, {"ann": 5}, last=f"{far}-7")
    (group,) = board.redis.xinfo_groups(board.keys.events)
    assert group["name"] == GROUP
    board.submit(Action("ann", "k1", 5))
    assert (board.events()[0].ms, board.events()[0].seq) > (far, 7)


def test_a_stream_that_is_ahead_keeps_its_last_id_and_its_entries(board: Board) -> None:
    board.submit(Action("ann", "k1", 5))
    before = board.redis.xinfo_stream(board.keys.events)["last-generated-id"]
    load(board, {"ann": 5})
    assert board.redis.xinfo_stream(board.keys.events)["last-generated-id"] == before
    assert len(board.events()) == 1


def test_hidden_users_come_back_hidden(board: Board) -> None:
    load(board, {"ann": 5}, {"eve": 99})
    assert board.totals() == {"ann": 5}
    assert board.meta()["hidden"] == "1"
    (answer,) = board.submit(Action("eve", "k1", 1))
    assert answer.startswith("A 100 - ")
    load(board, {"ann": 5, "eve": 100})
    assert "hidden" not in board.meta()
    assert board.zset(board.keys.hidden) == {}


def test_the_drafts_expiry_does_not_stay_with_the_board(board: Board) -> None:
    load(board, {"ann": 5}, {"eve": 1})
    assert board.redis.ttl(board.keys.board) == board.redis.ttl(board.keys.hidden) == -1
    load(board, {"ann": 5}, {"eve": 1}, idle=60_000)
    instants = {board.expiry(key) for key in (board.keys.board, board.keys.hidden, board.keys.meta)}
    assert instants == {int(board.meta()["expires"])}


def test_a_board_that_redis_lost_while_it_was_reconciled_does_not_become_live(board: Board) -> None:
    board.submit(Action("ann", "k1", 5))
    found = state(board)
    board.redis.flushall()
    assert load(board, {"bob": 9}, swap=0, epoch=found["epoch"], found=found["event"]) == [LOST]
    assert (board.meta(), board.totals()) == ({}, {})


def test_a_board_that_went_on_while_it_was_loaded_is_not_replaced(board: Board) -> None:
    found = state(board)["event"]
    board.submit(Action("ann", "k1", 5))
    assert load(board, {"bob": 9}, found=found) == [LOST]
    assert board.totals() == {"ann": 5}


def test_a_late_duplicate_that_a_load_left_out_is_not_taken_back_again(board: Board) -> None:
    board.submit(Action("ann", "k1", 15), Action("ann", "k2", 7))
    first, second = (event.id for event in board.events())
    board.redis.delete(board.keys.meta)
    load(board, {"ann": 7}, event=first)
    assert revert(board, Action("ann", "k1", 15), first, late=True) == [DONE]
    assert revert(board, Action("ann", "k2", 7), second, late=True)[0] == b"0"


@pytest.mark.parametrize("swap", [0, 1])
def test_a_load_does_not_forget_a_late_duplicate_that_was_taken_back(
    board: Board, swap: int
) -> None:
    board.submit(Action("ann", "k1", 15))
    (late,) = board.events()
    revert(board, Action("ann", "k1", 15), late.id, late=True)
    load(board, {"ann": 0} if swap else {}, swap=swap, event="1-0")
    assert revert(board, Action("ann", "k1", 15), late.id, late=True) == [DONE]
    assert board.totals() == {"ann": 0}
