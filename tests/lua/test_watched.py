"""watch_board and read_places: where players stand, and who moved while somebody watches."""

from __future__ import annotations

from typing import Any

from scoreboard.domain.boards import BoardSettings
from scoreboard.wire import scripts
from tests.lua.harness import Action, Board


def watch(board: Board) -> bytes:
    [noted] = board.run(board.bound(scripts.watch_board, {"period": 30_000}))
    assert isinstance(noted, bytes)
    return noted


def read(board: Board, *users: str, known: bytes = b"", since: bytes = b"") -> Any:
    fixed = {"occurrence": "", "known": known, "since": since, "most": 1000}
    call = board.bound(scripts.read_places, fixed)
    call.args.extend(user.encode() for user in users)
    return board.run(call)


def test_moves_are_noted_only_while_somebody_watches(board: Board) -> None:
    board.submit(Action("ann", "a1", 5))
    assert not board.redis.exists(board.keys.moves)
    noted = watch(board)
    assert 0 < board.redis.pttl(board.keys.moves) <= 30_000
    board.submit(Action("ann", "a2", 2), Action("bob", "b1", 9), Action("bob", "b1", 9))
    board.redis.hset(board.keys.meta, "watched", 1)
    board.submit(Action("ann", "a3", 2))

    _, players, sign, style, last, looked, moves, ids, ann, bob, nobody = read(
        board, "ann", "bob", "cy", since=noted
    )
    assert (players, sign, style, looked, nobody) == (b"2", b"1", b"ordinal", 2, b"")
    assert moves[::3] == [b"ann", b"bob"]
    assert [*ids] == [id_ for id_, _ in board.redis.xrange(board.keys.moves)][1:]
    assert [int(float(text)) for text in moves[1:3]] == [5, 7]
    assert (moves[4], int(float(moves[5]))) == (b"-inf", 9)
    # of equal totals the earlier stands above: bob had 9 first
    assert (ann[:3], ann[3::2]) == ([b"2", b"1", b""], [b"bob", b"ann"])
    assert (bob[:3], bob[3::2]) == ([b"1", b"", b"2"], [b"bob", b"ann"])
    assert read(board, "ann", since=last)[5:8] == [0, [], []]


def test_the_state_is_known_until_somebody_may_stand_elsewhere(board: Board) -> None:
    board.submit(Action("ann", "a1", 5))
    state = read(board, "ann")[0]
    assert read(board, "ann", known=state) == [state]
    board.submit(Action("ann", "a1", 5))  # a duplicate changes nothing
    assert read(board, "ann", known=state) == [state]
    board.submit(Action("ann", "a2", 0))
    assert len(read(board, "ann", known=state)) > 1


def test_neighbours_who_share_a_rank_are_told_it(board: Board) -> None:
    board = Board(board.redis, settings=BoardSettings(rank_style="standard"))
    for user, points in {"ann": 9, "bob": 9, "cy": 5, "dan": 5, "eve": 1}.items():
        board.submit(Action(user, "a1", points))
    found = {user: read(board, user)[8][:3] for user in ("ann", "bob", "cy", "dan", "eve")}
    board.close()

    assert found == {
        "ann": [b"1", b"", b"1"],
        "bob": [b"1", b"1", b"3"],
        "cy": [b"3", b"1", b"3"],
        "dan": [b"3", b"3", b"5"],
        "eve": [b"5", b"3", b""],
    }


def test_a_board_that_is_not_live_is_not_watched(board: Board) -> None:
    board.redis.delete(board.keys.meta)
    assert board.run(board.bound(scripts.watch_board, {"period": 30_000})) == [scripts.COLD]
    assert read(board, "ann") == [scripts.COLD]
    assert not board.redis.exists(board.keys.moves)


def test_where_nobody_asked_for_moves_there_is_nothing_to_go_on_from(board: Board) -> None:
    board.submit(Action("ann", "a1", 5))
    reply = read(board, "ann", since=b"1-0")
    assert (reply[4], reply[8][0]) == (b"", b"1")
