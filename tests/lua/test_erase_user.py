"""erase_user: a user leaves all tables of a board, or goes on under another name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from redis import Redis

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.periods import Period
from scoreboard.redisio.occurrence_tables import tell_tables
from scoreboard.wire import scripts
from scoreboard.wire.keys import Keyspace
from tests.lua.harness import Action, Board

WEEK = Period("week", cron="0 0 * * 1")
ALWAYS = "1 1000 9000000000000 9000000000000"
RULES = BoardSettings(capacity=10)


def erase(
    board: Board, user: str, *, name: str = "", version: int = 0, tables: Sequence[str] = ()
) -> int:
    arguments = {"board": board.name, "user": user, "name": name, "version": version}
    call = board.bound(scripts.erase_user, arguments)
    tell_tables(call, Keyspace(8), ((table,) for table in tables))
    return int(board.run(call)[0])


@pytest.fixture
def board(redis_url: str) -> Iterator[Board]:
    """On which ann, bob and cy have scored, of whom cy is hidden."""
    with Redis.from_url(redis_url) as client:
        board = Board(client, settings=RULES)
        board.submit(Action("ann", "a1", 5), Action("bob", "b1", 7), Action("cy", "c1", 9))
        board.redis.zadd(board.keys.hidden, {"cy": board.redis.zscore(board.keys.board, "cy")})
        board.redis.zrem(board.keys.board, "cy")
        board.redis.hset(board.keys.meta, "hidden", "1")
        yield board
        board.close()


def members(board: Board, key: str) -> dict[str, float]:
    return {user.decode(): score for user, score in board.redis.zrange(key, 0, -1, withscores=True)}


def test_a_user_leaves_every_zset_and_the_top_is_told(board: Board) -> None:
    board.published()
    assert erase(board, "bob") == 2  # the table, and who is in
    assert list(members(board, board.keys.board)) == ["ann"]
    assert sorted(members(board, board.keys.players)) == ["ann", "cy"]
    assert "bob" not in board.meta()["top"]
    (told,) = board.published()
    assert b'"userId":"ann"' in told
    assert b"bob" not in told
    assert erase(board, "bob") == 0


def test_who_is_hidden_leaves_too_and_the_last_one_leaves_a_board_that_is_whole(
    board: Board,
) -> None:
    for user in ("cy", "ann", "bob"):
        assert erase(board, user) == 2
    meta = board.meta()
    assert (meta["top"], meta["players"], "hidden" in meta) == ("[]", "0", False)
    assert board.submit(Action("dan", "d1", 1))[0].startswith("A 1 1 ")


def test_another_name_has_the_score_to_the_last_bit_the_rank_and_the_attempts(
    board: Board,
) -> None:
    before = [members(board, key) for key in (board.keys.board, board.keys.players)]
    assert erase(board, "bob", name="anon-1") == 2
    after = [members(board, key) for key in (board.keys.board, board.keys.players)]
    for was, now in zip(before, after, strict=True):
        assert now == {("anon-1" if user == "bob" else user): at for user, at in was.items()}
    assert '{"userId":"anon-1","score":7}' in board.meta()["top"]
    # Should the user come again meanwhile, that is somebody else's.
    board.submit(Action("bob", "b2", 100))
    assert erase(board, "bob", name="anon-1") == 2
    assert members(board, board.keys.board) == after[0]


def test_the_version_is_at_least_the_one_asked_for_and_clients_hear_of_it(board: Board) -> None:
    assert erase(board, "nobody") == 0
    before = board.meta()
    assert erase(board, "nobody") == 0
    assert board.meta() == before
    erase(board, "nobody", version=1_000)
    assert int(board.meta()["version"]) == 1_001
    assert board.meta()["top"] == before["top"]


def test_of_a_board_that_is_not_live_the_remains_are_changed_and_nothing_is_told(
    board: Board,
) -> None:
    before = board.meta()
    board.redis.hset(board.keys.meta, "epoch", "another")
    board.published()
    assert erase(board, "bob", version=1_000) == 2
    assert "bob" not in members(board, board.keys.board)
    assert "bob" not in board.meta()["top"]
    assert board.meta()["version"] == before["version"]
    assert board.published() == []
    board.redis.delete(board.keys.meta)
    assert erase(board, "ann") == 2
    assert not board.redis.exists(board.keys.meta)


def test_the_tables_of_occurrences_lose_the_user_too(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        board: Any = Board(client, settings=BoardSettings(periods=(WEEK,)))
        board.named = {"week": ALWAYS}
        board.submit(Action("ann", "a1", 5), Action("bob", "b1", 7))
        keys = board.occurrence("week", 1)
        before = int(board.meta()["counter"])
        assert erase(board, "bob", version=before + 50, tables=["arena:week:1"]) == 2
        assert list(members(board, keys.board)) == ["ann"]
        assert b"bob" not in client.hget(keys.meta, "top")
        assert int(board.meta()["counter"]) > before + 50
        board.close()
