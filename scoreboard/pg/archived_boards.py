"""Reads of boards in Postgres, for while a board is not live in Redis. The order is the same as in
Redis, so as soon as the stream is drained, a table looks the same from both. Those of occurrences
that are final go by what was stored of them (final_tables.py)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import asyncpg
import msgspec

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.descriptions import Description, ListedBoard
from scoreboard.domain.kept_occurrences import KeptOccurrence
from scoreboard.domain.stamps import stamp
from scoreboard.domain.standings import (
    TOP_TEN,
    Page,
    Place,
    Standing,
    TopEntry,
    UserStanding,
    percentile,
    ranked,
    user_standing,
)
from scoreboard.pg import occurrences
from scoreboard.pg.failures import translated
from scoreboard.pg.final_tables import spot_behind
from scoreboard.pg.read_tables import BEFORE_ALL, ReadTable, at_one_moment, place_of
from scoreboard.pg.sql import statements

_sql = statements("archived_boards")
_encode = msgspec.json.Encoder().encode


class ArchivedBoards:
    """Every method raises UnknownBoard, or Unavailable when Postgres is away. A table is a board's
    own, which has its name, or that of an occurrence."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def top(self, table: str) -> tuple[int, bytes]:
        """(version persisted, JSON array of the top 10)."""
        async with at_one_moment(self._pool, table) as at:
            if at.final:
                return at.version, _encode(await at.final.top(at.rules.top_size))
            rows = await at.fetch("top", at.rules.top_size)
        return at.version, _encode([TopEntry(*shown) for shown in _shown(rows, at.rules)])

    async def settings(self, table: str) -> BoardSettings:
        """The board's settings; in a final table users share ranks by the rule that there was when
        it became so."""
        async with at_one_moment(self._pool, table) as at:
            return at.rules

    async def description(self, board: str) -> Description:
        """The board's settings, the version persisted, and how many users it shows."""
        async with at_one_moment(self._pool, board) as at:
            return Description(at.rules, await at.players(), at.version)

    async def occurrence(self, board: str, period: str, number: int) -> KeptOccurrence | None:
        """The occurrence of this number, if it was opened."""
        async with at_one_moment(self._pool, board) as at:
            shards = at.rules.shard_count
            return await occurrences.of_shards(at.connection, board, period, number, shards)

    async def latest_occurrences(self, board: str) -> list[KeptOccurrence]:
        """The latest two of each of the board's periods, by period, the older one first."""
        async with at_one_moment(self._pool, board) as at:
            return await occurrences.latest(at.connection, board)

    async def occurrences(
        self, board: str, period: str, *, before: int | None, limit: int
    ) -> list[KeptOccurrence]:
        """Up to ``limit`` occurrences of a period that were opened, newest first, with numbers
        below ``before`` unless that is None. Open ones, too, say how many users they have."""
        async with at_one_moment(self._pool, board) as at:
            shards = at.rules.shard_count
            return await occurrences.page(at.connection, board, period, before, limit, shards)

    async def listed(
        self, prefix: str, *, after: str, among: Collection[str] | None, limit: int
    ) -> list[ListedBoard]:
        """Up to ``limit`` boards by name, of those whose names begin with the prefix and come after
        ``after``, and which are ``among`` these unless that is None."""
        names = None if among is None else list(among)
        with translated():
            rows = await self._pool.fetch(_sql["listed"], prefix, after, names, limit)
        return [ListedBoard(*row) for row in rows]

    async def standings(self, table: str, users: list[str]) -> list[Standing | None]:
        """The standing of each user in order; None for one who is not in the table."""
        async with at_one_moment(self._pool, table) as at:
            return await (at.final.standings(users) if at.final else self._standings(at, users))

    async def _standings(self, at: ReadTable, users: list[str]) -> list[Standing | None]:
        players = await at.players()
        if len(users) == 1:
            row = await at.fetchrow("standing", users[0], at.shared)
            rows = [] if row is None else [(users[0], row["score"], row["rank"])]
        else:
            rows = await at.fetch("standings", users, at.shared)
        found = {user: (score, rank) for user, score, rank in rows}
        standings = []
        for user in users:
            score, rank = found.get(user, (None, 0))
            standings.append(
                None if score is None else _standing(user, score * at.rules.sign, rank, players)
            )
        return standings

    async def around(self, table: str, user: str, radius: int) -> list[Standing] | None:
        """The user with up to ``radius`` neighbours on each side, by rank; None when the user is
        not in the table."""
        async with at_one_moment(self._pool, table) as at:
            if at.final:
                return await at.final.around(user, radius)
            (own,) = await self._standings(at, [user])
            if own is None:
                return None
            rows = await at.fetch("neighbours", user, radius)
            if at.shared:
                users = [row["user_id"] for row in rows]
                around = await self._standings(at, users)
                return [standing for standing in around if standing is not None]
            players = await at.players()
        place = next(i for i, row in enumerate(rows) if row["user_id"] == user)
        first = max(1, own.rank - place)
        return [
            _standing(row["user_id"], row["score"] * at.rules.sign, rank, players)
            for rank, row in enumerate(rows, first)
        ]

    async def user(self, table: str, user: str) -> UserStanding | None:
        """The user's place with the one above and the way to the top 10; None when the user is not
        in the table."""
        async with at_one_moment(self._pool, table) as at:
            if at.final:
                return await at.final.user(user)
            mine = await at.fetchrow("place", user)
            if mine is None:
                return None
            players, rank = await at.fetchrow("above", *place_of(mine))
            first = max(0, rank - 2)
            rows = await at.fetch("page", *BEFORE_ALL, first, rank - first)
            shared = await at.shared_rank(rows)
            tenth = await at.fetchrow("page", *BEFORE_ALL, TOP_TEN - 1, 1)
        *above, own = ranked(_shown(rows, at.rules), first, players, shared)
        return user_standing(
            own, above[0] if above else None, tenth and tenth["score"] * at.rules.sign
        )

    async def page(self, table: str, place: Place, limit: int) -> Page:
        """Up to ``limit`` users in order of rank, from the place on."""
        skipped = 0
        async with at_one_moment(self._pool, table) as at:
            if at.final:
                return await at.final.page(place, limit)
            match place.kind:
                case "rank":
                    start, skipped = BEFORE_ALL, int(place.at) - 1
                case "behind" if not at.shared:
                    start = spot_behind(place.at * at.rules.sign)
                case "score" | "behind":  # who shares a rank stands not behind others
                    start = spot_behind(place.at * at.rules.sign + 1)
                case "after":
                    start = spot_behind(place.at, place.user_id)
            players, above = await at.fetchrow("above", *start)
            rows = await at.fetch("page", *start, skipped, limit)
            shared = await at.shared_rank(rows)
        above = min(above + skipped, players)
        standings = ranked(_shown(rows, at.rules), above, players, shared)
        last = None
        if rows and above + len(rows) < players:
            user, score, reached_ms = rows[-1]
            last = Place("after", stamp(score, reached_ms), user)
        return Page(standings, above + 1, players, last)


def _shown(rows: Sequence[Any], rules: BoardSettings) -> Iterator[tuple[str, int]]:
    """Users with their scores, of rows that have both."""
    for row in rows:
        yield row["user_id"], row["score"] * rules.sign


def _standing(user: str, score: int, rank: int, players: int) -> Standing:
    # The players were counted a moment earlier, maybe before this one joined.
    return Standing(user, score, rank, percentile(rank, max(rank, players)))
