"""The last round of the continuous audit, where every process finds it."""

from __future__ import annotations

import msgspec
from redis.asyncio import Redis

from scoreboard.domain.audit import PatrolReport
from scoreboard.redisio.commands import reachable
from scoreboard.wire.keys import PATROL


class PatrolReports:
    """The result of the continuous audit's last round, for reports of the service's health. Every
    method raises Unavailable when Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def now_ms(self) -> int:
        """The one clock that all processes share: Unix milliseconds by Redis's."""
        with reachable():
            seconds, micros = await self._redis.time()
        return int(seconds) * 1000 + int(micros) // 1000

    async def publish(self, report: PatrolReport, *, valid: float) -> None:
        """Keeps the report for ``valid`` seconds."""
        with reachable():
            text = msgspec.json.encode(report)
            await self._redis.set(PATROL, text, px=round(valid * 1000))

    async def latest(self) -> PatrolReport | None:
        """The last report; None when no round ended lately, or what is there is no
        report."""
        with reachable():
            text = await self._redis.get(PATROL)
        try:
            return None if text is None else msgspec.json.decode(text, type=PatrolReport)
        except msgspec.DecodeError:
            return None  # the next round replaces it
