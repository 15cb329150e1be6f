"""Taking back duplicates that came after their receipt had expired."""

from __future__ import annotations

import msgspec
from redis.asyncio import Redis

from scoreboard.domain.ledger import LATE_DUPLICATE, KeptAction, LateDuplicate
from scoreboard.redisio.calling import run_script
from scoreboard.wire.events import FORMAT, Body
from scoreboard.wire.keys import board_keys
from scoreboard.wire.receipts import Kept, receipt
from scoreboard.wire.scripts import COLD, REVERT_ACTION

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

    def __init__(self, redis: Redis, *, partitions: int, dedupe_window: float) -> None:
        self._redis = redis
        self._partitions = partitions
        self._window_ms = round(dedupe_window * 1000)

    async def revert(self, duplicate: LateDuplicate) -> bool:
        """Takes the duplicate's points back, once, and restores the original's receipt, so that
        the next retry learns the first result. False when the board is not live. Must be called
        in the order of events. Raises Unavailable when Redis is away."""
        original = duplicate.original
        keys = board_keys(duplicate.board, self._partitions)
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
        reply = await run_script(
            self._redis,
            REVERT_ACTION,
            (
                keys.board,
                keys.hidden,
                keys.meta,
                keys.events,
                keys.channel,
                keys.action(original.user_id.encode(), original.action_id.encode()),
            ),
            (
                duplicate.board,
                original.user_id,
                duplicate.points,
                str(duplicate.event),
                "1",
                receipt_of(original),
                self._window_ms,
                _encode(body),
            ),
        )
        return bool(reply[0] != COLD)
