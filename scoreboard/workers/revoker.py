"""Revokes tokens: Postgres keeps it, Redis tells all processes."""

from __future__ import annotations

import structlog

from scoreboard.domain.revocations import Revocation
from scoreboard.errors import Unavailable, cause_of
from scoreboard.workers.postgres_ports import RevocationRecord
from scoreboard.workers.redis_ports import RevocationNews

log = structlog.get_logger(__name__)


class Revoker:
    """``by`` is the person who decides and ``reason`` says why."""

    def __init__(self, record: RevocationRecord, news: RevocationNews) -> None:
        self._record = record
        self._news = news

    async def revoke(self, revocation: Revocation, *, by: str, reason: str) -> bool:
        """True when the processes were told; False when Redis is away, so that they find it when
        they look again. Raises Unavailable when Postgres is away; then nothing was revoked."""
        await self._record.add(revocation, by=by, reason=reason)
        log.info("token_revoked", before=revocation.before or None, by=by)
        try:
            await self._news.tell(revocation)
        except Unavailable as error:
            log.warning("revocation_not_told", reason=error.detail, cause=cause_of(error))
            return False
        return True
