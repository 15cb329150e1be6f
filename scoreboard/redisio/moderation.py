"""Moderation's changes in Redis. Calling a method again does not repeat what it has done."""

from __future__ import annotations

import msgspec
from redis.asyncio import Redis

from scoreboard.domain.boards import out_of_range
from scoreboard.domain.ledger import KeptAction
from scoreboard.errors import BoardCold, Unavailable
from scoreboard.redisio.commands import reachable, run_script
from scoreboard.redisio.reverter import revert_call
from scoreboard.wire import scripts
from scoreboard.wire.events import FORMAT, Body
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.receipts import Kept, receipt
from scoreboard.wire.scripts import COLD, DONE, OTHER, RANGE

_encode = msgspec.json.Encoder().encode


class ModeratedBoards:
    """``dedupe_window`` in seconds: how long a rewritten receipt is kept. Every method raises
    BoardCold, or Unavailable when Redis is away."""

    def __init__(self, redis: Redis, *, keyspace: Keyspace, dedupe_window: float) -> None:
        self._redis = redis
        self._keyspace = keyspace
        self._window_ms = round(dedupe_window * 1000)

    async def approve(self, board: str, action: KeptAction) -> None:
        """Makes a refused action count, unless its receipt says that it already does. Raises
        ScoreOutOfRange."""
        keys = self._keyspace.board(board)
        body = Body(FORMAT, board, action.user_id, action.action_id, action.points, action.attempt)
        reply = await run_script(
            self._redis,
            scripts.approve_action(
                **keys.written,
                key_receipt=keys.action(action.user_id.encode(), action.action_id.encode()),
                arg_board=board,
                arg_user=action.user_id,
                arg_points=action.points,
                arg_attempt=action.attempt,
                arg_window=self._window_ms,
                arg_body=_encode(body),
            ),
        )
        _check(reply[0])
        if reply[0] == OTHER:
            raise Unavailable("The action was just counted under another attempt; try again.")

    async def revert(self, board: str, action: KeptAction, reason: str) -> bool:
        """Takes an accepted action back; returns False when its receipt says that it no longer
        counts. Raises ScoreOutOfRange."""
        begun = receipt(
            Kept.REVERTED,
            points=action.points,
            score=action.score,
            attempt=action.attempt,
            event="",
        )
        call = revert_call(
            self._keyspace.board(board),
            board,
            action,
            action.event,
            points=action.points,
            attempt=action.attempt,
            why=reason[:200],
            late=False,
            receipt=begun.removesuffix(","),
            window_ms=self._window_ms,
        )
        reply = await run_script(self._redis, call)
        _check(reply[0])
        return bool(reply[0] != DONE)

    async def hide(self, board: str, user: str, *, hidden: bool) -> None:
        """Hides a user from the board, or shows the user again."""
        keys = self._keyspace.board(board)
        reply = await run_script(
            self._redis,
            scripts.remove_user(
                key_board=keys.board,
                key_hidden=keys.hidden,
                key_meta=keys.meta,
                key_channel=keys.channel,
                arg_board=board,
                arg_user=user,
                arg_hide="1" if hidden else "0",
            ),
        )
        _check(reply[0])

    async def set_settings(self, board: str, settings: str) -> None:
        """Replaces the text of the board's settings."""
        meta = self._keyspace.board(board).meta
        reply = await run_script(
            self._redis, scripts.set_settings(key_meta=meta, arg_settings=settings)
        )
        _check(reply[0])

    async def forget_memory(self, board: str, user: str) -> None:
        """Deletes the agents' memory of the user; it is rebuilt from the actions that count."""
        with reachable():
            await self._redis.delete(self._keyspace.board(board).profile(user.encode()))


def _check(answer: bytes) -> None:
    if answer == COLD:
        raise BoardCold("The board is not live in Redis.")
    if answer == RANGE:
        raise out_of_range()
