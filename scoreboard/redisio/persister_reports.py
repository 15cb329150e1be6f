"""What keeps persisters from their work, where every process finds it."""

from __future__ import annotations

import msgspec
from redis.asyncio import Redis

from scoreboard.redisio.commands import reachable
from scoreboard.wire.keys import PERSISTER_TROUBLES


class PersisterReports:
    """The troubles that some persister told last; none when all is well or no persister runs. Both
    methods raise Unavailable when Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def publish(self, troubles: list[str], *, valid: float) -> None:
        """Keeps the troubles for ``valid`` seconds."""
        with reachable():
            text = msgspec.json.encode(troubles)
            await self._redis.set(PERSISTER_TROUBLES, text, px=round(valid * 1000))

    async def latest(self) -> list[str]:
        """The troubles told last."""
        with reachable():
            text = await self._redis.get(PERSISTER_TROUBLES)
        try:
            return [] if text is None else msgspec.json.decode(text, type=list[str])
        except msgspec.DecodeError:
            return []  # the next report replaces it
