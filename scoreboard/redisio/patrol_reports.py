"""The last round of the continuous audit, where every process finds it."""

from __future__ import annotations

import msgspec
from redis.asyncio import Redis

from scoreboard.domain.audit import PatrolReport
from scoreboard.redisio.commands import reachable
from scoreboard.wire.keys import PATROL


class PatrolReports:
    """The last round of the continuous audit, for whoever reports the service's health. Both
    methods raise Unavailable when Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def publish(self, report: PatrolReport, *, valid: float) -> None:
        """Keeps the report for ``valid`` seconds."""
        with reachable():
            text = msgspec.json.encode(report)
            await self._redis.set(PATROL, text, px=round(valid * 1000))

    async def latest(self) -> PatrolReport | None:
        """None when no persister has patrolled lately."""
        with reachable():
            text = await self._redis.get(PATROL)
        return None if text is None else msgspec.json.decode(text, type=PatrolReport)
