"""follow_profiles: a live board's tables follow the profiles of their users."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from redis import Redis

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.periods import Period
from scoreboard.redisio.occurrence_tables import tell_tables
from scoreboard.wire import scripts
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.scripts import COLD
from tests.lua.harness import Action, Board, decoded

WEEK = Period("week", cron="0 0 * * 1")
ALWAYS = "1 1000 9000000000000 9000000000000"


def follow(
    board: Board,
    *,
    hide: Sequence[str] = (),
    show: Sequence[str] = (),
    rename: Sequence[str] = (),
    tables: Sequence[str] = (),
) -> Any:
    arguments = {
        "board": board.name,
        "hide": json.dumps(hide),
        "show": json.dumps(show),
        "rename": json.dumps(rename),
    }
    call = board.bound(scripts.follow_profiles, arguments)
    tell_tables(call, Keyspace(8), ((table,) for table in tables))
    return board.run(call)


def version(board: Board) -> int:
    return int(board.meta()["version"])


@pytest.fixture
def weekly(redis_url: str) -> Iterator[Callable[[], Board]]:
    """Makes a board with a week, on which ann and bob have scored."""
    with Redis.from_url(redis_url) as client:
        made: list[Board] = []

        def make() -> Board:
            board = Board(client, settings=BoardSettings(periods=(WEEK,)))
            board.named = {"week": ALWAYS}
            board.submit(Action("ann", "a1", 5), Action("bob", "b1", 7))
            made.append(board)
            return board

        yield make
        for board in made:
            board.close()


def test_a_top_that_has_the_user_gets_a_new_version_with_the_same_text(board: Board) -> None:
    board.submit(Action("ann", "k1", 9), Action("bob", "k1", 5))
    before = version(board)
    top = board.meta()["top"]
    board.published()
    assert follow(board, rename=["bob"]) == [b"%d" % (before + 1)]
    assert (version(board), board.meta()["top"]) == (before + 1, top)
    (text,) = board.published()
    assert decoded(text).version == before + 1
    assert [entry.user_id for entry in decoded(text).top_scores] == ["ann", "bob"]


def test_a_top_that_does_not_have_the_user_stays_as_it_is(board: Board) -> None:
    board.submit(*(Action(f"u{i:02}", "k1", 100 - i) for i in range(12)))
    board.published()
    before = board.dump()
    follow(board, rename=["u10", "u11", "nobody", "u0", "u"])
    assert board.dump() == before
    assert board.published() == []


@pytest.mark.parametrize("user", ['a"b', "\\", '{"userId":"bob",', "ä/é", "🚀", "a,b"])
def test_users_are_found_by_their_whole_ids_whatever_these_hold(board: Board, user: str) -> None:
    board.submit(Action(user, "k1", 9), Action("carl", "k1", 5))
    before = version(board)
    follow(board, rename=["bob", "car", "userId"])
    assert version(board) == before
    follow(board, rename=[user])
    assert version(board) == before + 1


def test_a_hidden_user_leaves_and_comes_back_with_the_same_stamp(board: Board) -> None:
    board.submit(Action("ann", "k1", 9), Action("bob", "k1", 10))
    stamped = board.zset()["ann"]
    follow(board, hide=["ann"])
    assert board.zset(board.keys.hidden) == {"ann": stamped}
    assert board.totals() == {"bob": 10}
    (answer,) = board.submit(Action("ann", "k2", 3))
    assert answer.startswith("A 12 - ")
    follow(board, show=["ann"])
    assert board.totals() == {"ann": 12, "bob": 10}
    assert "hidden" not in board.meta()


def test_hiding_and_showing_again_changes_nothing_and_tells_nobody(board: Board) -> None:
    board.submit(Action("ann", "k1", 9), Action("bob", "k1", 5))
    follow(board, hide=["ann"])
    board.published()
    before = board.dump()
    follow(board, hide=["ann", "nobody"], show=["bob", "nobody"], rename=["ann"])
    assert board.dump() == before
    assert board.published() == []


def test_the_hidden_zset_expires_with_its_board(board: Board) -> None:
    board.submit(Action("ann", "k1", 9), idle=60_000)
    follow(board, hide=["ann"])
    instant = board.expiry(board.keys.hidden)
    assert instant == int(board.meta()["expires"])


def test_all_tables_follow_and_their_versions_go_on_from_one_another(
    weekly: Callable[[], Board],
) -> None:
    board = weekly()
    table = Keyspace(8).board(f"{board.name}:week:1")
    before = int(board.meta()["counter"])
    follow(board, rename=["ann"], tables=[f"{board.name}:week:1"])
    versions = [
        int(board.redis.hget(meta, "version") or 0) for meta in (board.keys.meta, table.meta)
    ]
    assert versions == [before + 1, before + 2]
    assert int(board.meta()["counter"]) == before + 2
    follow(board, hide=["bob"], tables=[f"{board.name}:week:1"])
    assert set(board.zset(table.hidden)) == {"bob"}
    assert set(board.zset(table.board)) == {"ann"}
    assert board.redis.hget(table.meta, "hidden") == b"1"


def test_a_board_that_is_not_live_is_left_alone(board: Board) -> None:
    board.submit(Action("ann", "k1", 9))
    board.run(board.bound(scripts.fence_board, {}))
    before = board.dump()
    assert follow(board, hide=["ann"]) == [COLD]
    assert board.dump() == before
