"""Takes back what the ledger did not take: duplicates that arrived after the original's receipt had
expired, and what came of erased players."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from scoreboard.domain.erasures import ErasedEvents
from scoreboard.domain.ledger import (
    LATE_DUPLICATE,
    EventId,
    KeptAction,
    LateDuplicate,
    LeftTotal,
)
from scoreboard.domain.shards import shard_number
from scoreboard.redisio.commands import Overwritten, reachable, run_script
from scoreboard.redisio.erased_users import take_out
from scoreboard.redisio.occurrence_tables import tell_tables
from scoreboard.telemetry.sparing_log import SparingLog
from scoreboard.wire import scripts
from scoreboard.wire.events import FORMAT, PERIODS, SHARDS, Body
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.receipts import Kept, receipt
from scoreboard.wire.scripts import COLD, MOVED, RANGE, ScriptCall

log = structlog.get_logger(__name__)
sparing_log = SparingLog(__name__)

UNKNOWN = LeftTotal(None, None)  # what the script works out itself

_encode = msgspec.json.Encoder().encode


def receipt_of(action: KeptAction) -> str:
    """The receipt that belongs to a row of the ledger."""
    accepted = action.kept == Kept.ACCEPTED.value
    return receipt(
        Kept(action.kept),
        points=action.points,
        score=action.score,
        attempt=action.attempt,
        event=str(action.event),
        agents=action.agents,
        previous=action.previous if accepted else None,
        moves=action.moves if accepted else (),
    )


def revert_call(
    keyspace: Keyspace,
    board: str,
    action: KeptAction,
    event: EventId,
    *,
    points: int,
    attempt: str,
    why: str,
    late: bool,
    receipt: str,
    window_ms: int,
    event_format: int,
    tables: Mapping[str, LeftTotal],
    total: LeftTotal = UNKNOWN,
    epoch: str = "",
) -> ScriptCall:
    """The call that takes ``event`` of an action back: ``points`` that ``attempt`` had added;
    ``event_format`` is that of the board's events, ``tables`` are the occurrences that the action
    moved. lua/revert_action.lua says what the others mean."""
    keys = keyspace.board(board)
    body = Body(
        event_format,
        board,
        action.user_id,
        action.action_id,
        points,
        attempt,
        e=str(event),
        w=why,
    )
    call = scripts.revert_action(
        **keys.written,
        key_receipt=keys.action(action.user_id.encode(), action.action_id.encode()),
        key_players=keys.players,
        arg_board=board,
        arg_user=action.user_id,
        arg_points=points,
        arg_event=str(event),
        arg_late="1" if late else "0",
        arg_epoch=epoch,
        arg_total=_text(total.total),
        arg_reached=_text(total.reached_ms),
        arg_receipt=receipt,
        arg_window=window_ms,
        arg_body=_encode(body),
    )
    tell_tables(
        call,
        keyspace,
        (
            (f"{board}:{occurrence}", _text(left.total), _text(left.reached_ms))
            for occurrence, left in tables.items()
        ),
    )
    return call


def _text(number: int | None) -> str:
    return "" if number is None else str(number)


class LateReverter:
    """``dedupe_window`` in seconds: how long the restored receipt is kept."""

    def __init__(self, redis: Redis, *, keyspace: Keyspace, dedupe_window: float) -> None:
        self._redis = redis
        self._keyspace = keyspace
        self._window_ms = round(dedupe_window * 1000)

    async def revert(self, duplicate: LateDuplicate) -> bool:
        """Takes the duplicate's points back, once, and restores the original's receipt, so that the
        next retry gets the first result. A receipt that should still have been there is told.
        Returns False when that can't be done now; then the board's next load does it. Must be
        called in the order of events. Raises Unavailable when Redis is away."""
        keys, original = self._keyspace.board(duplicate.board), duplicate.original
        if duplicate.event.ms - original.event.ms < self._window_ms:
            sparing_log.warning(
                "receipt_lost",
                board=duplicate.board,
                about=str(original.event),
                cause="its key was deleted, evicted or written over, or kept for a shorter window",
            )
        call = revert_call(
            self._keyspace,
            duplicate.board,
            original,
            duplicate.event,
            points=duplicate.points,
            attempt=duplicate.attempt,
            why=LATE_DUPLICATE,
            late=True,
            event_format=_format_of(duplicate),
            tables={move.occurrence: LeftTotal(None, move.reached_ms) for move in duplicate.moves},
            total=LeftTotal(None, duplicate.reached_ms),
            receipt=receipt_of(original),
            window_ms=self._window_ms,
        )
        try:
            reply = await run_script(self._redis, call)
        except (ResponseError, Overwritten) as error:
            # Another try would fail as well and hold up the partition; a rebuild settles it.
            log.error("revert_failed", board=duplicate.board, error=str(error.__cause__ or error))
            return False
        if reply[0] == MOVED:  # only the ledger knows the total without it
            with reachable():
                await self._redis.delete(keys.meta)
        return bool(reply[0] not in (COLD, MOVED, RANGE))

    async def take_out(self, events: ErasedEvents) -> None:
        """Takes an erased player off the board again, with the receipts of these actions. Raises
        Unavailable when Redis is away."""
        board, user = events.board, events.user_id
        await take_out(self._redis, self._keyspace, board, user)
        keys, name = self._keyspace.board(board), user.encode()
        receipts = [keys.action(name, action.encode()) for action in events.action_ids]
        with reachable():
            await self._redis.unlink(keys.profile(name), keys.rate(name), *receipts)


def _format_of(duplicate: LateDuplicate) -> int:
    if shard_number(duplicate.board):
        return SHARDS
    return PERIODS if duplicate.moves else FORMAT
