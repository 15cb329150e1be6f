"""Changes profiles: Postgres keeps them, Redis tells all processes."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from scoreboard.domain.profiles import KnownProfile, Privacy, Profile
from scoreboard.errors import Unavailable, cause_of
from scoreboard.workers.postgres_ports import ProfileRecord
from scoreboard.workers.redis_ports import ProfileNews

log = structlog.get_logger(__name__)


class ProfileKeeper:
    """Keeps profiles."""

    def __init__(self, record: ProfileRecord, news: ProfileNews) -> None:
        self._record = record
        self._news = news

    async def put(self, user: str, profile: Profile) -> KnownProfile:
        """Makes it the user's profile. Raises Erased, or Unavailable when Postgres or Redis is
        away; then it may be repeated, and was not done unless only the news of it was lost, which
        others then find when what they remember expires."""
        # Before the commit: who starts afterwards, without Postgres, must not think that all may be
        # shown.
        await self._news.keep(Privacy(profiles=True, private=profile.visibility != "public"))
        known = await self._record.put(user, profile)
        await self._tell(known)
        return known

    async def add(self, profiles: Mapping[str, Profile]) -> None:
        """Gives those of these users a profile, public and with its name and metadata, who have
        none. Raises as ``put``."""
        await self._news.keep(Privacy(profiles=True))
        for known in await self._record.add(profiles):
            await self._tell(known)

    async def _tell(self, known: KnownProfile) -> None:
        try:
            await self._news.tell(known)
        except Unavailable as error:
            log.warning("profile_not_told", reason=error.detail, cause=cause_of(error))
