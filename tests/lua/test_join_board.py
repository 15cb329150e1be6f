"""join_board: users get in without an action."""

from __future__ import annotations

import msgspec

from scoreboard.domain.moments import moment_of
from scoreboard.wire import scripts
from scoreboard.wire.events import JOIN, RULES, Body, EventKind
from tests.lua.harness import Action, Board
from tests.lua.test_limits import HOUR, Opened, client, future_ms, now_ms, opened

__all__ = ["client", "future_ms", "now_ms", "opened"]  # the fixtures


def join(board: Board, user: str, **changed: object) -> str:
    arguments = {
        "board": board.name,
        "periods": "",
        "settings": board.settings,
        "limits": board.limits_text,
        "user": user,
        "backlog": 1_000,
        "body": msgspec.json.encode(Body(RULES, board.name, user, JOIN, 0, JOIN)),
    } | changed
    reply: bytes = board.run(board.bound(scripts.join_board, arguments))[0]
    return reply.decode()


def test_who_has_joined_may_play_and_nobody_else(opened: Opened) -> None:
    board = opened(join="required")
    assert board.submit(Action("ann", "k1", 5), Action("bob", "k1", 5)) == ["N", "N"]
    assert join(board, "ann") == "!DONE"
    assert board.players() == {"ann": 0}
    assert board.zset() == {}, "without a score there is no place"
    replies = board.submit(Action("ann", "k1", 5), Action("bob", "k1", 5))
    assert [reply[0] for reply in replies] == ["A", "N"]
    joined, accepted = board.events()
    assert (joined.kind, joined.body.u, joined.score) == (EventKind.JOINED, "ann", None)
    assert accepted.kind is EventKind.ACCEPTED


def test_joining_again_changes_nothing_even_behind_the_end(opened: Opened, future_ms: int) -> None:
    board = opened(join="required", closes=moment_of(future_ms), capacity=1)
    assert join(board, "ann") == "!DONE"
    board.redis.hset(board.keys.meta, "event", f"{future_ms}-0")
    before = board.dump()
    assert join(board, "ann") == "!DONE"
    assert join(board, "bob") == "K"
    assert board.dump() == before


def test_one_can_join_before_the_board_opens(opened: Opened, now_ms: int) -> None:
    board = opened(join="required", opens=moment_of(now_ms) + HOUR)
    assert join(board, "ann") == "!DONE"
    assert board.submit(Action("ann", "k1", 5))[0].startswith("K ")


def test_who_joined_takes_room_with_or_without_a_score(opened: Opened) -> None:
    board = opened(capacity=2)
    assert join(board, "ann") == "!DONE"
    assert board.submit(Action("bob", "k1", 5))[0][0] == "A"
    assert join(board, "cid") == "F"
    replies = board.submit(Action("cid", "k1", 5), Action("ann", "k1", 5))
    assert [reply[0] for reply in replies] == ["F", "A"]
    assert board.players() == {"ann": 1, "bob": 1}


def test_where_nobody_has_to_join_it_leaves_nothing(opened: Opened) -> None:
    board = opened()
    before = board.dump()
    assert join(board, "ann") == "!DONE"
    assert board.dump() == before


def test_a_join_that_can_not_be_kept_is_none(opened: Opened) -> None:
    board = opened(join="required")
    assert join(board, "ann", settings="{}") == "!SETTINGS"
    assert join(board, "ann", backlog=0) == "!BACKLOG"
    board.redis.hset(board.keys.meta, "epoch", "another")
    assert join(board, "ann") == "!COLD"
    board.make_live(players="1")
    assert join(board, "ann") == "!COLD", "who was in is lost"
    assert board.players() == {}
