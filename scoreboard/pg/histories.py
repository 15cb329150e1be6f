"""What the ledger tells of one user in a table: the actions, the totals over time, and why the user
stands where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.ledger import EventId
from scoreboard.domain.past import Explained, PastAction, PastScore, TableNeighbour
from scoreboard.domain.tables import board_of, occurrence_of
from scoreboard.pg.failures import translated
from scoreboard.pg.past_tables import bounded_read
from scoreboard.pg.read_tables import BEFORE_ALL, ReadTable, place_of
from scoreboard.pg.sql import statements

_sql = statements("histories")

_EVER = (0, 2**62)


class Histories:
    """A table is a board's own, which has its name, or that of an occurrence. ``patience`` is how
    many seconds an answer may take. Every method raises UnknownBoard, TooExpensive, or Unavailable
    when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool, *, patience: float) -> None:
        self._pool = pool
        self._patience = patience

    async def actions(
        self,
        table: str,
        user: str,
        *,
        from_ms: int,
        to_ms: int,
        before: EventId | None,
        limit: int,
        refused: bool,
    ) -> list[PastAction]:
        """Up to ``limit`` actions, newest first, whose events came from ``from_ms`` until before
        ``to_ms`` and before the event ``before``; with those that were refused only if so."""
        async with bounded_read(self._pool, table, self._patience) as at:
            return await self._actions(at, user, (from_ms, to_ms), before, limit, refused)

    async def scores(
        self, table: str, user: str, bounds: Sequence[int]
    ) -> tuple[list[PastScore], bool]:
        """The totals at the ends of the hours or days that begin at all of these Unix ms but the
        last, where they end: newest first, and only those in which something happened to the total;
        and whether something had before."""
        async with bounded_read(self._pool, table, self._patience) as at:
            rows = await at.connection.fetch(
                own_actions(_sql["scores"]),
                *parameters_of_own(at, user),
                at.rules.operator,
                list(bounds),
            )
            before = await at.connection.fetchval(
                own_actions(_sql["any_before"]), *parameters_of_own(at, user), bounds[0]
            )
            sign = at.rules.sign
        return [PastScore(row["place"] - 1, _turned(row["score"], sign)) for row in rows], before

    async def explained(
        self, table: str, user: str, *, before: EventId | None, limit: int
    ) -> tuple[BoardSettings, Explained] | None:
        """The rules of the table, and why the user stands where, with up to ``limit`` actions,
        newest first, before the event ``before``; None for who is not known there."""
        async with bounded_read(self._pool, table, self._patience) as at:
            known = await at.connection.fetchrow(_sql["known"], table, user)
            actions = await self._actions(at, user, _EVER, before, limit, refused=True)
            if known is None and not actions and before is None:
                return None
            counted = await at.connection.fetchrow(
                own_actions(_sql["counted"]), *parameters_of_own(at, user), at.rules.operator
            )
            decisive = None
            if at.rules.operator != "sum" and counted["decisive"]:
                ms, seq = counted["decisive"]
                found = await self._actions(
                    at, user, (ms, ms + 1), EventId(ms, seq + 1), 1, refused=False
                )
                decisive = found[0] if found else None  # it is folded
            own, above, below, players = await self._around(at, user)
            rules = at.rules
        return rules, Explained(
            _turned(known and known["score"], rules.sign),
            bool(known and known["hidden"]),
            own,
            players,
            above,
            below,
            counted["actions"],
            _turned(known and known["ledger"], rules.sign),
            decisive,
            actions,
        )

    async def reached_ms(self, table: str, user: str) -> int | None:
        """The Unix ms at which the user reached the total; None for who is not in the table."""
        async with bounded_read(self._pool, table, self._patience) as at:
            row = await at.fetchrow("place", user)
        return None if row is None else row["reached_ms"]

    async def detail_from(self, board: str) -> int | None:
        """The Unix ms from which on everything of the board is known; None: all that ever was."""
        with translated():
            return await self._pool.fetchval(_sql["detail_from"], board) or None

    async def _actions(
        self,
        at: ReadTable,
        user: str,
        between: tuple[int, int],
        before: EventId | None,
        limit: int,
        refused: bool,
    ) -> list[PastAction]:
        rows = await at.connection.fetch(
            _sql["actions"],
            *(board_of(at.name), user, occurrence_of(at.name) or "", *between),
            *(before or (None, None)),
            *(refused, limit),
        )
        return [await self._action(at, user, row) for row in rows]

    async def _action(self, at: ReadTable, user: str, row: Any) -> PastAction:
        event = EventId(row["event_ms"], row["event_seq"])
        score = row["score"]
        if score is None and row["status"] != "refused":
            # A moderator let it count when the table was final: no event tells of the total there.
            score = await at.connection.fetchval(
                own_actions(_sql["total_at"]),
                *parameters_of_own(at, user),
                at.rules.operator,
                *event,
            )
        reverted = row["reverted_event_ms"]
        return PastAction(
            row["action_id"],
            row["points"],
            row["status"],
            event,
            _turned(score, at.rules.sign),
            row["occurred_ms"],
            None if reverted is None else EventId(reverted, row["reverted_event_seq"]),
            tuple(row["agents"] or ()),
        )

    async def _around(
        self, at: ReadTable, user: str
    ) -> tuple[TableNeighbour | None, TableNeighbour | None, TableNeighbour | None, int]:
        """The user's own place, the ones above and below, and how many users there are."""
        mine = await at.fetchrow("place", user)
        if mine is None:
            return None, None, None, await at.players()
        players, place = await at.fetchrow("above", *place_of(mine))
        first = max(0, place - 2)
        rows = await at.fetch("page", *BEFORE_ALL, first, place - first + 1)
        shared = await at.shared_rank(rows)
        found: list[TableNeighbour] = []
        for number, row in enumerate(rows, first + 1):
            rank = number
            if shared is not None:
                equal = found and found[-1].score == row["score"] * at.rules.sign
                rank = found[-1].rank if equal else shared if not found else number
            score = row["score"] * at.rules.sign
            found.append(TableNeighbour(row["user_id"], score, rank, row["reached_ms"]))
        own = place - 1 - first
        above = found[own - 1] if own else None
        below = found[own + 1] if own + 1 < len(found) else None
        return found[own], above, below, players


def own_actions(query: str) -> str:
    """The query, which reads what a user did in a table as ``own``."""
    return f"WITH own AS ({_sql['own']}) {query}"


def parameters_of_own(at: ReadTable, user: str) -> tuple[Any, ...]:
    """Its first four parameters."""
    return board_of(at.name), user, occurrence_of(at.name) or "", at.rules.sign


def _turned(score: int | None, sign: int) -> int | None:
    return None if score is None else score * sign
