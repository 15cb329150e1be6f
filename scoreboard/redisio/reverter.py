"""Takes back duplicates that arrived after the original's receipt had expired."""

from __future__ import annotations

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from scoreboard.domain.ledger import LATE_DUPLICATE, EventId, KeptAction, LateDuplicate
from scoreboard.redisio.commands import run_script
from scoreboard.wire import scripts
from scoreboard.wire.events import FORMAT, Body
from scoreboard.wire.keys import BoardKeys, Keyspace
from scoreboard.wire.receipts import Kept, receipt
from scoreboard.wire.scripts import COLD, RANGE, ScriptCall

log = structlog.get_logger(__name__)

_encode = msgspec.json.Encoder().encode


def receipt_of(action: KeptAction) -> str:
    """The receipt that belongs to a row of the ledger."""
    return receipt(
        Kept(action.kept),
        points=action.points,
        score=action.score,
        attempt=action.attempt,
        event=str(action.event),
        agents=action.agents,
    )


def revert_call(
    keys: BoardKeys,
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
) -> ScriptCall:
    """The call that takes ``event`` of an action back: ``points`` that ``attempt`` had added.
    lua/revert_action.lua says what ``late`` and ``receipt`` mean."""
    body = Body(
        FORMAT, board, action.user_id, action.action_id, points, attempt, e=str(event), w=why
    )
    return scripts.revert_action(
        **keys.written,
        key_receipt=keys.action(action.user_id.encode(), action.action_id.encode()),
        arg_board=board,
        arg_user=action.user_id,
        arg_points=points,
        arg_event=str(event),
        arg_late="1" if late else "0",
        arg_receipt=receipt,
        arg_window=window_ms,
        arg_body=_encode(body),
    )


class LateReverter:
    """``dedupe_window`` in seconds: how long the restored receipt is kept."""

    def __init__(self, redis: Redis, *, keyspace: Keyspace, dedupe_window: float) -> None:
        self._redis = redis
        self._keyspace = keyspace
        self._window_ms = round(dedupe_window * 1000)

    async def revert(self, duplicate: LateDuplicate) -> bool:
        """Takes the duplicate's points back, once, and restores the original's receipt, so that the
        next retry gets the first result. Returns False when that can't be done now. Must be called
        in the order of events. Raises Unavailable when Redis is away."""
        call = revert_call(
            self._keyspace.board(duplicate.board),
            duplicate.board,
            duplicate.original,
            duplicate.event,
            points=duplicate.points,
            attempt=duplicate.attempt,
            why=LATE_DUPLICATE,
            late=True,
            receipt=receipt_of(duplicate.original),
            window_ms=self._window_ms,
        )
        try:
            reply = await run_script(self._redis, call)
        except ResponseError as error:
            # Another try would fail as well and hold up the partition; a rebuild settles it.
            log.error("revert_failed", board=duplicate.board, error=str(error))
            return False
        return bool(reply[0] not in (COLD, RANGE))
