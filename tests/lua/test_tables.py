"""Scripts that decide about actions and users, on the tables of occurrences: all of them or none,
each told to those who watch it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from redis import Redis

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.ledger import TableMove
from scoreboard.domain.periods import Period
from scoreboard.domain.stamps import reached_between, stamp
from scoreboard.redisio.occurrence_tables import tell_tables
from scoreboard.wire import scripts
from scoreboard.wire.events import PERIODS, Body
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.scripts import COLD, DONE, LOST, MOVED, RANGE, ScriptCall
from tests.lua.harness import WINDOW_MS, Action, Board
from tests.support.waiting import PATIENCE

KEYSPACE = Keyspace(8)
WEEK, DAY = Period("week", cron="0 0 * * 1"), Period("day", cron="0 0 * * *")
TABLES = ("arena:week:1", "arena:day:1")
ALWAYS = "1 1000 9000000000000 9000000000000"
PAST = 1_750_000_000_000

Opened = Callable[..., Board]


@pytest.fixture
def opened(redis_url: str) -> Iterator[Opened]:
    """Makes a live board with a week and a day, in which ann has 5 and bob has 7."""
    with Redis.from_url(redis_url) as client:
        boards: list[Board] = []

        def make(**rules: Any) -> Board:
            board = Board(client, settings=BoardSettings(periods=(WEEK, DAY), **rules))
            board.named = {"week": ALWAYS, "day": ALWAYS}
            boards.append(board)
            board.submit(Action("ann", "a1", 5), Action("bob", "b1", 7))
            return board

        yield make
        for board in boards:
            board.close()


def on_tables(board: Board, call: ScriptCall, *told: str) -> Any:
    """Runs the call on the two tables, of each of which ``told`` is said."""
    tell_tables(call, KEYSPACE, ((table, *told) for table in TABLES))
    return board.run(call)


def revert(board: Board, action: Action, event: str = "1-1", *told: str, **changed: Any) -> Any:
    body = Body(PERIODS, board.name, action.user, action.action, action.points, "r", e=event)
    arguments = {
        "board": board.name,
        "user": action.user,
        "points": action.points,
        "event": event,
        "late": 0,
        "epoch": "",
        "total": "",
        "reached": "",
        "receipt": "V1,1,t,",
        "window": WINDOW_MS,
        "body": msgspec.json.encode(body),
    } | changed
    receipt = board.receipt_key(action)
    call = board.bound(scripts.revert_action, arguments, receipt=receipt)
    return on_tables(board, call, *(told or ("", "")))


def approve(board: Board, action: Action) -> Any:
    body = Body(PERIODS, board.name, action.user, action.action, action.points, "t")
    arguments = {
        "board": board.name,
        "user": action.user,
        "points": action.points,
        "attempt": "t",
        "window": WINDOW_MS,
        "body": msgspec.json.encode(body),
    }
    receipt = board.receipt_key(action)
    return on_tables(board, board.bound(scripts.approve_action, arguments, receipt=receipt))


def hide(board: Board, user: str) -> Any:
    fenced = board.run(board.bound(scripts.fence_board, {}))[0]
    arguments = {"board": board.name, "user": user, "hide": 1, "epoch": fenced}
    return on_tables(board, board.bound(scripts.remove_user, arguments))


def reached_ms(stamped: float) -> int:
    """The millisecond of the stamp of a small total, which is exact."""
    first, last = reached_between(stamped)
    assert first == last
    return first


def totals(board: Board) -> list[dict[str, int]]:
    """Of the board's own table, the week and the day."""
    keys = (board.keys, *map(KEYSPACE.board, TABLES))
    return [{user: int(n // 1) for user, n in board.zset(one.board).items()} for one in keys]


WRITES: dict[str, Callable[[Board], Any]] = {
    "revert_action": lambda board: revert(board, Action("ann", "a1", 5)),
    "revert_action, late": lambda board: revert(board, Action("ann", "a1", 5), late=1),
    "approve_action": lambda board: approve(board, Action("ann", "a9", 5)),
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("name", WRITES)
def test_with_a_table_that_has_lost_its_users_nothing_is_decided(
    opened: Opened, name: str, table: str
) -> None:
    board = opened()
    board.redis.delete(KEYSPACE.board(table).board)
    before = board.dump()
    assert WRITES[name](board) == [COLD]
    assert board.dump() == before


@pytest.mark.parametrize("name", WRITES)
def test_a_table_that_is_final_is_left_out(opened: Opened, name: str) -> None:
    board = opened()
    keys = KEYSPACE.board(TABLES[0])
    board.redis.delete(keys.board, keys.meta)
    assert len(WRITES[name](board)) == 2
    assert [move.occurrence for move in board.events()[-1].moves] == ["day:1"]
    assert board.redis.exists(keys.board, keys.meta) == 0


def test_what_was_taken_back_stands_in_the_event(opened: Opened) -> None:
    board = opened()
    revert(board, Action("ann", "a1", 5))
    assert totals(board) == [{"bob": 7, "ann": 0}] * 3
    stamps = [board.zset(KEYSPACE.board(table).board)["ann"] for table in TABLES]
    assert list(board.events()[-1].moves) == [
        TableMove("week:1", 0, reached_ms(stamps[0]), 5),
        TableMove("day:1", 0, reached_ms(stamps[1]), 5),
    ]


def test_all_tables_are_changed_or_none(opened: Opened) -> None:
    board = opened()
    board.redis.zadd(KEYSPACE.board(TABLES[1]).board, {"ann": stamp(-(2**50), PAST)})
    before = board.dump()
    assert revert(board, Action("ann", "a1", 5)) == [RANGE]
    board.redis.zadd(KEYSPACE.board(TABLES[1]).board, {"ann": stamp(2**50, PAST)})
    assert approve(board, Action("ann", "a9", 5)) == [RANGE]
    board.redis.zadd(KEYSPACE.board(TABLES[1]).board, {"ann": stamp(-(2**50), PAST)})
    assert board.dump() == before


def test_a_late_duplicate_that_made_the_total_of_one_table_is_left_to_the_ledger(
    opened: Opened,
) -> None:
    board = opened(operator="best")
    reached = [str(reached_ms(board.zset(KEYSPACE.board(t).board)["ann"])) for t in TABLES]
    board.redis.zadd(board.keys.board, {"ann": stamp(9, PAST)})
    before = board.dump()
    assert revert(board, Action("ann", "a1", 5), "1-1", "", reached[1], late=1) == [MOVED]
    assert board.dump() == before
    assert len(revert(board, Action("ann", "a1", 5), "1-1", "", "17", late=1)) == 2
    assert totals(board) == [{"ann": 9, "bob": 7}, {"bob": 7, "ann": 5}, {"bob": 7, "ann": 5}]


def test_an_approval_counts_in_each_and_its_receipt_says_so(opened: Opened) -> None:
    board = opened(operator="last", attempts=5)
    action = Action("cy", "c1", 3)
    approve(board, action)
    assert totals(board) == [{"bob": 7, "ann": 5, "cy": 3}] * 3
    assert board.zset(KEYSPACE.board(TABLES[0]).players)["cy"] == 1
    assert board.redis.exists(board.keys.players) == 0, "only occurrences count attempts"
    text = board.receipt(action)
    assert text is not None
    moves = [move.split()[0:2] for move in text.partition(";")[2].split(";")]
    assert moves == [["week:1", "3"], ["day:1", "3"]]
    assert approve(board, action) == [DONE]


def test_a_hidden_user_who_was_not_yet_there_is_hidden_there_too(opened: Opened) -> None:
    board = opened()
    keys = KEYSPACE.board(TABLES[0])
    board.redis.zrem(keys.board, "ann")
    hide(board, "ann")
    approve(board, Action("ann", "a9", 5))
    assert totals(board) == [{"bob": 7}] * 3
    assert {user: int(n // 1) for user, n in board.zset(keys.hidden).items()} == {"ann": 5}
    assert board.redis.hget(keys.meta, "hidden") == b"1"


def test_whoever_watches_a_period_is_told_of_its_table(opened: Opened) -> None:
    board = opened()
    board.published()
    board._listener.subscribe(KEYSPACE.board(TABLES[0]).channel)
    board._listener.get_message(timeout=PATIENCE)
    (version,) = hide(board, "bob")
    own, of_week = map(json.loads, board.published())
    assert "period" not in own
    assert (of_week["period"], of_week["occurrence"]) == ("week", 1)
    assert own["version"] < of_week["version"] < int(version), "each has its own, the day too"
    assert of_week["topScores"] == [{"userId": "ann", "score": 5}]
    assert board.meta()["counter"] == version.decode()


def load(board: Board, users: dict[str, int], **changed: Any) -> Any:
    """Fills a draft of the week's table and runs load_table."""
    keys = KEYSPACE.board(TABLES[0])
    names = {name: keys.load(f"n:{name}") for name in ("load", "load_hidden", "load_players")}
    for user, total in users.items():
        board.redis.zadd(names["load"], {user: stamp(total, PAST)})
    arguments = {
        "board": board.name,
        "period": "week",
        "number": 1,
        "epoch": board.run(board.bound(scripts.board_state, {}))[0],
        "found": board.meta()["event"],
        "swap": 1,
        "shown": len(users),
        "concealed": 0,
        "players": 0,
        "settings": board.settings,
        "version": 100,
    } | changed
    given = {f"arg_{name}": value for name, value in arguments.items()}
    of_table = {f"key_{name}": getattr(keys, name) for name in ("board", "hidden", "players")}
    return board.run(
        scripts.load_table(
            key_meta=keys.guard,
            key_table=keys.meta,
            key_channel=keys.channel,
            **of_table,
            **{f"key_{name}": key for name, key in names.items()},
            **given,
        )
    )


def test_a_table_is_loaded_only_while_its_board_is_not_live(opened: Opened) -> None:
    board = opened()
    before = board.zset(KEYSPACE.board(TABLES[0]).board)
    assert load(board, {"cy": 3}) == [COLD]
    board.redis.hset(board.keys.meta, "epoch", "another")
    assert load(board, {"cy": 3}, shown=2) == [LOST]
    assert load(board, {"cy": 3}, found="1-1") == [LOST]
    assert load(board, {"cy": 3}, epoch="yet another") == [COLD]
    assert board.zset(KEYSPACE.board(TABLES[0]).board) == before
    assert load(board, {"cy": 3}) == [b"101"]
    assert totals(board)[1] == {"cy": 3}


def test_changes_are_merged_into_a_table_and_not_into_the_rest_of_one(opened: Opened) -> None:
    board = opened()
    board.redis.hset(board.keys.meta, "epoch", "another")
    assert load(board, {"ann": 9}, swap=0) == [b"101"]
    assert totals(board) == [{"bob": 7, "ann": 5}, {"ann": 9, "bob": 7}, {"bob": 7, "ann": 5}]
    board.redis.delete(KEYSPACE.board(TABLES[0]).board)
    assert load(board, {"ann": 9}, swap=0) == [LOST]


def test_a_boards_state_tells_which_tables_are_whole(opened: Opened) -> None:
    board = opened()
    call = board.bound(scripts.board_state, {})
    for table in TABLES:
        keys = KEYSPACE.board(table)
        call.keys.extend(map(str.encode, (keys.board, keys.hidden, keys.meta, keys.players)))
    reply = board.run(call)
    assert reply[8:] == [[b"week", ALWAYS.encode(), b"day", ALWAYS.encode()], [1, 1]]
    assert reply[2].decode() == board.meta()["counter"]
    board.redis.delete(KEYSPACE.board(TABLES[0]).board)
    board.redis.delete(KEYSPACE.board(TABLES[1]).meta)
    assert board.run(call)[9] == [0, 0]
