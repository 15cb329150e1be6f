"""Revoked tokens as they are kept, with the audit of each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec

from scoreboard.domain.revocations import NEVER, Revocation
from scoreboard.pg import admin_audit
from scoreboard.pg.failures import translated
from scoreboard.pg.sql import statements

_sql = statements("revocations")

# A revocation has the time of its transaction's begin, and is seen when that commits.
OVERLAP = timedelta(minutes=5)


class StoredRevocations:
    """Every method raises Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def since(self, moment: datetime | None) -> tuple[list[Revocation], datetime]:
        """The revocations in force that are new since ``moment`` (all of them for None; some may
        come again), and the moment to ask from the next time."""
        with translated():
            now: datetime = await self._pool.fetchval(_sql["clock"])
            rows = await self._pool.fetch(_sql["since"], moment)
        found = [
            Revocation(token=name, until=until)
            if kind == "token"
            else Revocation(subject=name, before=before, until=until)
            for kind, name, before, until in rows
        ]
        return found, now - OVERLAP

    async def add(self, revocation: Revocation, *, by: str, reason: str) -> None:
        """Keeps it; of two that name the same, the later moments count."""
        if revocation.token is not None:
            kind, name = "token", revocation.token
            details = {"jti": name}
        else:
            assert revocation.subject is not None
            kind, name = "subject", revocation.subject
            details = {"issuedBefore": _moment(revocation.before)}
        if revocation.until != NEVER:
            details["until"] = _moment(revocation.until)
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(_sql["forget"])
                await connection.execute(
                    _sql["add"], kind, name, revocation.before, revocation.until
                )
                await admin_audit.record(
                    connection,
                    "token_revoked",
                    by=by,
                    user=revocation.subject,
                    reason=reason,
                    details=msgspec.json.encode(details).decode(),
                )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
