"""What moderation changes in Redis. What was done is not done again when a method is repeated."""

from __future__ import annotations

import msgspec
from redis.asyncio import Redis

from scoreboard.domain.ledger import KeptAction
from scoreboard.errors import BoardCold, ScoreOutOfRange, Unavailable
from scoreboard.redisio.commands import reachable, run_script
from scoreboard.wire.events import FORMAT, Body
from scoreboard.wire.keys import BoardKeys, Keyspace
from scoreboard.wire.receipts import Kept, receipt
from scoreboard.wire.scripts import (
    APPROVE_ACTION,
    COLD,
    DONE,
    OTHER,
    RANGE,
    REMOVE_USER,
    REVERT_ACTION,
    SET_SETTINGS,
)

_encode = msgspec.json.Encoder().encode


class ModeratedBoards:
    """``dedupe_window`` in seconds: how long a rewritten receipt is kept. Every method raises
    BoardCold, or Unavailable when Redis is away."""

    def __init__(self, redis: Redis, *, keyspace: Keyspace, dedupe_window: float) -> None:
        self._redis = redis
        self._keyspace = keyspace
        self._window_ms = round(dedupe_window * 1000)

    async def approve(self, board: str, action: KeptAction) -> None:
        """Makes a refused action count, unless its receipt says that it does. Raises
        ScoreOutOfRange."""
        keys = self._keys(board)
        body = Body(FORMAT, board, action.user_id, action.action_id, action.points, action.attempt)
        reply = await run_script(
            self._redis,
            APPROVE_ACTION,
            _touched(keys, action),
            (
                board,
                action.user_id,
                action.points,
                action.attempt,
                self._window_ms,
                _encode(body),
            ),
        )
        _check(reply[0])
        if reply[0] == OTHER:
            raise Unavailable("The action is just being counted under another attempt.")

    async def revert(self, board: str, action: KeptAction, reason: str) -> bool:
        """Takes an accepted action back; False when its receipt says that it does not count any
        more. Raises ScoreOutOfRange."""
        keys = self._keys(board)
        event = str(action.event)
        body = Body(
            FORMAT,
            board,
            action.user_id,
            action.action_id,
            action.points,
            action.attempt,
            e=event,
            w=reason[:200],
        )
        begun = receipt(
            Kept.REVERTED,
            points=action.points,
            score=action.score,
            attempt=action.attempt,
            event="",
        )
        reply = await run_script(
            self._redis,
            REVERT_ACTION,
            _touched(keys, action),
            (
                board,
                action.user_id,
                action.points,
                event,
                "0",
                begun.removesuffix(","),
                self._window_ms,
                _encode(body),
            ),
        )
        _check(reply[0])
        return bool(reply[0] != DONE)

    async def hide(self, board: str, user: str, *, hidden: bool) -> None:
        """Hides a user from the board, or ends it."""
        keys = self._keys(board)
        reply = await run_script(
            self._redis,
            REMOVE_USER,
            (keys.board, keys.hidden, keys.meta, keys.channel),
            (board, user, "1" if hidden else "0"),
        )
        _check(reply[0])

    async def set_settings(self, board: str, settings: str) -> None:
        """Gives the board the text of other settings."""
        reply = await run_script(self._redis, SET_SETTINGS, (self._keys(board).meta,), (settings,))
        _check(reply[0])

    async def forget_memory(self, board: str, user: str) -> None:
        """Drops the agents' memory of the user: it is made anew from what counts."""
        with reachable():
            await self._redis.delete(self._keys(board).profile(user.encode()))

    def _keys(self, board: str) -> BoardKeys:
        return self._keyspace.board(board)


def _touched(keys: BoardKeys, action: KeptAction) -> tuple[str | bytes, ...]:
    """The keys of a script that moves one action."""
    return (
        keys.board,
        keys.hidden,
        keys.meta,
        keys.events,
        keys.channel,
        keys.action(action.user_id.encode(), action.action_id.encode()),
    )


def _check(answer: bytes) -> None:
    if answer == COLD:
        raise BoardCold("The board is not live in Redis.")
    if answer == RANGE:
        raise ScoreOutOfRange("The total would leave -2^50 to 2^50.")
