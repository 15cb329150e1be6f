"""The review queue and its decisions, each recorded in the audit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec

from scoreboard.domain.judging import Reason
from scoreboard.domain.ledger import EventId, KeptAction
from scoreboard.domain.reviews import (
    Decision,
    Filter,
    RecentAction,
    Review,
    ReviewDetails,
    Verdict,
    already_decided,
)
from scoreboard.errors import NotFound
from scoreboard.pg import admin_audit
from scoreboard.pg.board_source import kept_action
from scoreboard.pg.pool import translated
from scoreboard.pg.sql import statements

_sql = statements("reviews")
_findings = msgspec.json.Decoder(list[Reason])

RECENT = 60  # actions of the user that a case is shown with


class Reviews:
    """Every method raises Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def page(self, wanted: Filter, *, before: int | None, limit: int) -> list[Review]:
        """Up to ``limit`` cases, newest first, with ids below ``before``."""
        conditions = {
            "id < ${}": before,
            "status = ${}": wanted.status,
            "kind = ${}": wanted.kind,
            "board = ${}": wanted.board,
            "user_id = ${}": wanted.user,
            "board = ANY (${}::text[])": None if wanted.boards is None else list(wanted.boards),
        }
        asked = [(text, value) for text, value in conditions.items() if value is not None]
        where = " AND ".join(text.format(i) for i, (text, _) in enumerate(asked, 2))
        query = f"{_sql['columns']} {where and 'WHERE ' + where} ORDER BY id DESC LIMIT $1"
        with translated():
            rows = await self._pool.fetch(query, limit, *(value for _, value in asked))
        return [_review(row) for row in rows]

    async def get(self, review_id: int) -> Review:
        """Raises NotFound."""
        with translated():
            return await _get(self._pool, review_id)

    async def details(self, review: Review) -> ReviewDetails:
        """The case with what its user did lately."""
        with translated():
            total = await self._pool.fetchrow(_sql["total"], review.board, review.user_id)
            rows = await self._pool.fetch(_sql["recent"], review.board, review.user_id, RECENT)
        recent = [RecentAction(*row) for row in reversed(rows)]
        score, hidden = total or (None, False)
        return ReviewDetails(review, score, hidden, recent)

    async def action(self, board: str, user: str, action: str) -> KeptAction | None:
        """The action as the ledger has it."""
        with translated():
            row = await self._pool.fetchrow(_sql["action"], board, user, action)
        return None if row is None else kept_action(*row)

    async def earlier(
        self, board: str, user: str, *, before: EventId, beyond: EventId, limit: int
    ) -> list[KeptAction]:
        """The user's actions that count and whose events are between the two, in order of
        events."""
        with translated():
            rows = await self._pool.fetch(_sql["earlier"], board, user, *before, *beyond, limit)
        return [kept_action(*row) for row in rows]

    async def decide(
        self,
        review: Review,
        verdict: Verdict,
        *,
        by: str,
        reason: str,
        hide: bool,
        details: Mapping[str, Any],
    ) -> Decision:
        """Closes the case, hides its user if ``hide`` is set and the user is on the board, and
        writes the audit, in one transaction. Raises AlreadyDecided."""
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                if (
                    await connection.fetchval(_sql["decide"], review.id, verdict, by, reason)
                    is None
                ):
                    raise already_decided(await _get(connection, review.id))
                hidden = hide and await connection.fetchval(
                    _sql["set_hidden"], review.board, review.user_id, True
                )
                await admin_audit.record(
                    connection,
                    verdict,
                    by=by,
                    board=review.board,
                    user=review.user_id,
                    action=review.action_id,
                    review_id=review.id,
                    reason=reason,
                    details=msgspec.json.encode(details).decode(),
                )
                return Decision(await _get(connection, review.id), hidden=bool(hidden))

    async def set_hidden(
        self, board: str, user: str, *, hidden: bool, by: str, reason: str
    ) -> bool:
        """Hides the user or shows the user again; False when the user is not on the board."""
        decision = "user_hidden" if hidden else "user_shown"
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                if await connection.fetchval(_sql["set_hidden"], board, user, hidden) is None:
                    return False
                await admin_audit.record(
                    connection, decision, by=by, board=board, user=user, reason=reason
                )
        return True


async def _get(connection: Any, review_id: int) -> Review:
    row = await connection.fetchrow(f"{_sql['columns']} WHERE id = $1", review_id)
    if row is None:
        raise NotFound(f"There is no case {review_id}.")
    return _review(row)


def _review(row: Mapping[str, Any]) -> Review:
    context = row["context"]
    return Review(
        id=row["id"],
        kind=row["kind"],
        status=row["status"],
        board=row["board"],
        user_id=row["user_id"],
        action_id=row["action_id"],
        points=row["points"],
        event_id=str(EventId(row["event_ms"], row["event_seq"])),
        attempt_id=row["attempt_id"],
        at=_moment(row["event_ms"]),
        occurred_at=row["occurred_at"],
        context=None if context is None else msgspec.json.decode(context),
        findings=_reasons(row["findings"]),
        decided_at=row["decided_at"],
        decided_by=row["decided_by"],
        reason=row["reason"],
    )


def _reasons(text: str) -> list[Reason]:
    """The findings; empty if an older version wrote them in another form, so that the case can
    still be decided."""
    try:
        return _findings.decode(text)
    except msgspec.ValidationError:
        return []


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
