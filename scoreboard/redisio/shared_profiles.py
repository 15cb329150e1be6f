"""Profiles over Redis: each change is told to all processes, and whether anybody is anonymous or
hidden is kept there for a process that starts while Postgres is away."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from scoreboard.domain.profiles import KnownProfile, Privacy
from scoreboard.redisio.commands import reachable
from scoreboard.wire.keys import PRIVACY, PROFILES_CHANGED
from scoreboard.wire.profiles import encode_profile, privacy_of, privacy_text


class SharedProfiles:
    """Every method raises Unavailable when Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def tell(self, known: KnownProfile) -> None:
        """Tells all processes what is shown of a user from now on."""
        with reachable():
            await self._redis.publish(PROFILES_CHANGED, encode_profile(known))

    async def keep(self, privacy: Privacy) -> None:
        """Keeps it, unless what is there says more."""
        kept = await self.privacy()
        if kept is None or kept < privacy:
            with reachable():
                await self._redis.set(PRIVACY, privacy_text(privacy))

    async def privacy(self) -> Privacy | None:
        """What is kept; None: nothing."""
        with reachable():
            text: Any = await self._redis.get(PRIVACY)
        return privacy_of(text)
