"""Moderation's changes in Redis. Calling a method again does not repeat what it has done."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from redis.asyncio import Redis

from scoreboard.domain.boards import out_of_range
from scoreboard.domain.ledger import Fenced, KeptAction
from scoreboard.errors import BoardCold, BoardUnavailable
from scoreboard.redisio.commands import reachable, run_script
from scoreboard.redisio.occurrence_tables import tables_of, tell_tables
from scoreboard.redisio.reverter import UNKNOWN, revert_call
from scoreboard.wire import scripts
from scoreboard.wire.events import Body
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.receipts import Kept, receipt
from scoreboard.wire.scripts import COLD, DONE, OTHER, RANGE, ScriptCall

_encode = msgspec.json.Encoder().encode


class ModeratedBoards:
    """``dedupe_window`` in seconds: how long a rewritten receipt is kept. Every method raises
    BoardCold, or Unavailable when Redis is away."""

    def __init__(self, redis: Redis, *, keyspace: Keyspace, dedupe_window: float) -> None:
        self._redis = redis
        self._keyspace = keyspace
        self._window_ms = round(dedupe_window * 1000)

    async def approve(
        self,
        board: str,
        event_format: int,
        action: KeptAction,
        *,
        tables: Sequence[str] = (),
        final: Sequence[str] = (),
    ) -> None:
        """Makes a refused action count, unless its receipt says that it already does: on the board,
        in the ``tables`` of occurrences, and by its event in the occurrences that are ``final``
        (``week:12``). Raises ScoreOutOfRange."""
        keys = self._keyspace.board(board)
        body = Body(
            event_format,
            board,
            action.user_id,
            action.action_id,
            action.points,
            action.attempt,
            m=tuple(final),
        )
        call = scripts.approve_action(
            **keys.written,
            key_receipt=keys.action(action.user_id.encode(), action.action_id.encode()),
            key_players=keys.players,
            arg_board=board,
            arg_user=action.user_id,
            arg_points=action.points,
            arg_attempt=action.attempt,
            arg_window=self._window_ms,
            arg_body=_encode(body),
        )
        tell_tables(call, self._keyspace, ((table,) for table in tables))
        reply = await run_script(self._redis, call)
        _check(reply[0])
        if reply[0] == OTHER:
            raise BoardUnavailable("The action was just counted under another attempt; try again.")

    async def revert(
        self,
        board: str,
        event_format: int,
        action: KeptAction,
        reason: str,
        fenced: Fenced | None = None,
    ) -> bool:
        """Takes an accepted action back, from all tables of occurrences that Redis has; returns
        False when its receipt says that it no longer counts. Where the operator is not ``sum`` the
        board has to be fenced. Raises ScoreOutOfRange."""
        begun = receipt(
            Kept.REVERTED,
            points=action.points,
            score=action.score,
            attempt=action.attempt,
            event="",
        )
        tables = dict.fromkeys((move.occurrence for move in action.moves), UNKNOWN)
        call = revert_call(
            self._keyspace,
            board,
            action,
            action.event,
            points=action.points,
            attempt=action.attempt,
            why=reason[:200],
            late=False,
            receipt=begun.removesuffix(","),
            window_ms=self._window_ms,
            event_format=event_format,
            **({"tables": tables} if fenced is None else fenced._asdict()),
        )
        reply = await run_script(self._redis, call)
        _check(reply[0])
        return bool(reply[0] != DONE)

    async def hide(self, board: str, user: str, hidden: bool, epoch: str) -> None:
        """Hides a user from a fenced board, or shows the user again, and makes the board live."""
        keys = self._keyspace.board(board)
        call = scripts.remove_user(
            key_board=keys.board,
            key_hidden=keys.hidden,
            key_meta=keys.meta,
            key_channel=keys.channel,
            arg_board=board,
            arg_user=user,
            arg_hide="1" if hidden else "0",
            arg_epoch=epoch,
        )
        await self._run_on_tables(board, call)

    async def fence(self, board: str) -> str:
        """Makes the board answer nobody until ``set_settings`` or ``hide``, which want the epoch
        returned, or until its next load."""
        meta = self._keyspace.board(board).meta
        reply = await run_script(self._redis, scripts.fence_board(key_meta=meta))
        _check(reply[0])
        return str(reply[0].decode())

    async def set_settings(self, board: str, settings: str, epoch: str) -> None:
        """Replaces the text of a fenced board's settings and makes the board live again."""
        keys = self._keyspace.board(board)
        call = scripts.set_settings(
            key_board=keys.board,
            key_hidden=keys.hidden,
            key_meta=keys.meta,
            key_channel=keys.channel,
            arg_board=board,
            arg_settings=settings,
            arg_epoch=epoch,
        )
        await self._run_on_tables(board, call)

    async def forget_memory(self, board: str, user: str) -> None:
        """Deletes the agents' memory of the user; it is rebuilt from the actions that count."""
        with reachable():
            await self._redis.delete(self._keyspace.board(board).profile(user.encode()))

    async def _run_on_tables(self, board: str, call: ScriptCall) -> None:
        """Runs it on the tables of occurrences, too. The board is fenced, so they stay the same."""
        tables = await tables_of(self._redis, self._keyspace, board)
        tell_tables(call, self._keyspace, ((table,) for table in tables))
        reply = await run_script(self._redis, call)
        _check(reply[0])


def _check(answer: bytes) -> None:
    if answer == COLD:
        raise BoardCold("The board is not live in Redis.")
    if answer == RANGE:
        raise out_of_range()
