"""The review queue and its decisions, each recorded in the audit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

from scoreboard.domain.judging import Reason
from scoreboard.domain.ledger import EventId, KeptAction
from scoreboard.domain.moments import moment_of
from scoreboard.domain.reviews import (
    TAKEN_BACK,
    Decision,
    FeatureDecisions,
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
from scoreboard.pg.failures import translated
from scoreboard.pg.sql import statements

_sql = statements("reviews")
_findings = msgspec.json.Decoder(list[Reason])

EPISODE = 200  # cases of an episode that are decided at once
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
            # With its shards, whose names come before that with a slash.
            "(board = ${0} OR board > ${0} || '.' AND board < ${0} || '/')": wanted.board,
            "user_id = ${}": wanted.user,
            "split_part(board, '.', 1) = ANY (${}::text[])": (
                None if wanted.boards is None else list(wanted.boards)
            ),
        }
        asked = [(text, value) for text, value in conditions.items() if value is not None]
        texts = [text.format(i) for i, (text, _) in enumerate(asked, 2)]
        where = " AND ".join([*texts, _sql["newest"]] if wanted.episodes else texts)
        query = f"{_sql['columns']} {where and 'WHERE ' + where} ORDER BY id DESC LIMIT $1"
        with translated():
            rows = await self._pool.fetch(query, limit, *(value for _, value in asked))
        return [_review(row) for row in rows]

    async def get(self, review_id: int) -> Review:
        """Raises NotFound."""
        with translated():
            return await _get(self._pool, review_id)

    async def by_feature(self, boards: frozenset[str] | None) -> list[FeatureDecisions]:
        """What became of the last 90 days' cases by what agents objected to, those approved most
        often first; of these boards (None: all)."""
        with translated():
            rows = await self._pool.fetch(_sql["by_feature"], None if boards is None else [*boards])
        return [FeatureDecisions(**row) for row in rows]

    async def open_episode(self, review: Review) -> list[Review]:
        """The open cases of the case's episode, the oldest 200, in order."""
        with translated():
            ids = await self._pool.fetch(_sql["episode"], review.episode, EPISODE)
            return [await _get(self._pool, row["id"]) for row in ids]

    async def details(self, review: Review) -> ReviewDetails:
        """The case with what its user did lately."""
        with translated():
            total = await self._pool.fetchrow(_sql["total"], review.board, review.user_id)
            rows = await self._pool.fetch(_sql["recent"], review.board, review.user_id, RECENT)
        recent = [
            RecentAction(action, points, score, outcome, moment_of(at_ms))
            for action, points, score, outcome, at_ms in reversed(rows)
        ]
        score, hidden = total or (None, False)
        return ReviewDetails(review, score, hidden, recent)

    async def action(self, board: str, user: str, action: str) -> KeptAction | None:
        """The action as the ledger has it."""
        with translated():
            row = await self._pool.fetchrow(_sql["action"], board, user, action)
        return None if row is None else kept_action(*row)

    async def open_case(self, board: str, user: str, action: str) -> int | None:
        """The open case of an action that was flagged; None when there is none."""
        with translated():
            found: int | None = await self._pool.fetchval(_sql["open_case"], board, user, action)
        return found

    async def record_revert(
        self, board: str, user: str, action: str, *, by: str, reason: str
    ) -> bool:
        """Writes the audit of an action that a person took back and the ledger has as such, once;
        False when there is nothing to write."""
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                event = await connection.fetchval(
                    _sql["unaudited_revert"], board, user, action, TAKEN_BACK
                )
                if event is not None:
                    await admin_audit.record(
                        connection,
                        "action_reverted",
                        by=by,
                        board=board,
                        user=user,
                        action=action,
                        reason=reason,
                        details=msgspec.json.encode({"event": event}).decode(),
                    )
        return event is not None

    async def decidable_from(self) -> int:
        """The Unix ms of the first events whose actions may be decided about; earlier ones are not
        kept one by one."""
        with translated():
            return int(await self._pool.fetchval(_sql["decidable_from"]))

    async def earlier(
        self, board: str, user: str, *, before: EventId, beyond: EventId, limit: int
    ) -> list[KeptAction]:
        """The user's actions that count and whose events are between the two, in order of
        events."""
        with translated():
            rows = await self._pool.fetch(_sql["earlier"], board, user, *before, *beyond, limit)
        return [kept_action(*row) for row in rows]

    async def total_without(
        self, table: str, user: str, actions: Sequence[str]
    ) -> tuple[int | None, int | None]:
        """The user's total in a table by the ledger without these actions (None: no other is left),
        as it is kept, and the Unix ms at which it was reached."""
        with translated():
            row = await self._pool.fetchrow(_sql["total_without"], table, user, list(actions))
        # No row of a table that does not have the user, such as one whose users are no longer kept.
        return (None, None) if row is None else (row["ledger"], row["ledger_ms"])

    async def decide(
        self,
        review: Review,
        verdict: Verdict,
        *,
        by: str,
        reason: str,
        details: Mapping[str, Any],
        hiding: Callable[[], Awaitable[object]] | None = None,
    ) -> Decision:
        """Closes the case and writes the audit, in one transaction. With ``hiding`` it also hides
        the user in all tables, if on the board; then ``hiding`` is called before the commit. Raises
        AlreadyDecided."""
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                if (
                    await connection.fetchval(_sql["decide"], review.id, verdict, by, reason)
                    is None
                ):
                    raise already_decided(await _get(connection, review.id))
                hidden = hiding and await connection.fetchval(
                    _sql["set_hidden"], review.board, review.user_id, True
                )
                if hidden:
                    await hide_in_occurrences(connection, review.board, review.user_id, True)
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
                decision = Decision(await _get(connection, review.id), hidden=bool(hidden))
                if hiding and hidden:
                    await hiding()
                return decision

    async def set_hidden(
        self,
        board: str,
        user: str,
        *,
        hidden: bool,
        by: str,
        reason: str,
        before_commit: Callable[[], Awaitable[object]],
    ) -> bool | None:
        """Hides the user in all tables of the board, or shows the user again, unless the user wants
        to be hidden; final ones are ranked anew by that, and amended. Returns whether the user is
        hidden now, None when not on the board."""
        decision = "user_hidden" if hidden else "user_shown"
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                now_hidden: bool | None = await connection.fetchval(
                    _sql["set_hidden"], board, user, hidden
                )
                if now_hidden is None:
                    return None
                await hide_in_occurrences(connection, board, user, now_hidden)
                await admin_audit.record(
                    connection, decision, by=by, board=board, user=user, reason=reason
                )
                await before_commit()
        return now_hidden


async def hide_in_occurrences(connection: Any, board: str, user: str, hidden: bool) -> None:
    """Hides a user of a board in all of its occurrences, or shows the user; final ones are ranked
    anew by that, and amended."""
    final = await connection.fetchval(_sql["set_hidden_in_occurrences"], board, user, hidden)
    if final:
        await connection.execute(_sql["amend"], final)


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
        at=moment_of(row["event_ms"]),
        occurred_at=None if row["occurred_ms"] is None else moment_of(row["occurred_ms"]),
        context=None if context is None else msgspec.json.decode(context),
        findings=_reasons(row["findings"]),
        decided_at=row["decided_at"],
        decided_by=row["decided_by"],
        reason=row["reason"],
        further=row["further"],
        episode=row["episode"],
        actions=row["actions"],
    )


def _reasons(text: str) -> list[Reason]:
    """The findings; empty if an older version wrote them in another form, so that the case can
    still be decided."""
    try:
        return _findings.decode(text)
    except msgspec.ValidationError:
        return []
