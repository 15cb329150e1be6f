"""Taking back duplicates that came after their receipt had expired."""

from __future__ import annotations

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from scoreboard.domain.ledger import LATE_DUPLICATE, KeptAction, LateDuplicate
from scoreboard.redisio.commands import run_script
from scoreboard.wire.events import FORMAT, Body
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.receipts import Kept, receipt
from scoreboard.wire.scripts import COLD, RANGE, REVERT_ACTION

log = structlog.get_logger(__name__)

_encode = msgspec.json.Encoder().encode


def receipt_of(action: KeptAction) -> str:
    """The receipt that a row of the ledger stands for."""
    return receipt(
        Kept(action.kept),
        points=action.points,
        score=action.score,
        attempt=action.attempt,
        event=str(action.event),
        agents=action.agents,
    )


class LateReverter:
    """``dedupe_window`` in seconds: how long the restored receipt is kept."""

    def __init__(self, redis: Redis, *, keyspace: Keyspace, dedupe_window: float) -> None:
        self._redis = redis
        self._keyspace = keyspace
        self._window_ms = round(dedupe_window * 1000)

    async def revert(self, duplicate: LateDuplicate) -> bool:
        """Takes the duplicate's points back, once, and restores the original's receipt, so that
        the next retry learns the first result. False when that can't be done now. Must be called
        in the order of events. Raises Unavailable when Redis is away."""
        original = duplicate.original
        keys = self._keyspace.board(duplicate.board)
        body = Body(
            FORMAT,
            duplicate.board,
            original.user_id,
            original.action_id,
            duplicate.points,
            duplicate.attempt,
            e=str(duplicate.event),
            w=LATE_DUPLICATE,
        )
        named = (keys.board, keys.hidden, keys.meta, keys.events, keys.channel)
        receipt_key = keys.action(original.user_id.encode(), original.action_id.encode())
        args = (
            duplicate.board,
            original.user_id,
            duplicate.points,
            str(duplicate.event),
            "1",
            receipt_of(original),
            self._window_ms,
            _encode(body),
        )
        try:
            reply = await run_script(self._redis, REVERT_ACTION, (*named, receipt_key), args)
        except ResponseError as error:
            # Trying again would fail again and hold up the partition; a rebuild settles it.
            log.error("revert_failed", board=duplicate.board, error=str(error))
            return False
        return bool(reply[0] not in (COLD, RANGE))
