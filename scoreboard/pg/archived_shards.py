"""Reads of shards in Postgres, of which reads of boards are made while a shard is not live, and of
occurrences that are final."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg

from scoreboard.domain.stamps import stamp
from scoreboard.domain.standings import BEFORE_ALL, BEHIND_ALL, Part, Spot
from scoreboard.pg import read_tables
from scoreboard.pg.final_tables import spot_behind
from scoreboard.pg.read_tables import at_one_moment


class ArchivedShards:
    """Every method raises UnknownBoard, or Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def part(self, shard: str, spot: Spot, *, before: int, behind: int) -> Part:
        """How many stand above the spot, with up to so many users ``before`` it and ``behind``."""
        async with at_one_moment(self._pool, shard) as at:
            place = _place_of(spot)
            if at.final:
                above, rows = await at.final.part(place, before, behind)
                found = [(row["user_id"], row["score"], row["reached_ms"]) for row in rows]
                return Part(at.version, at.final.users, above, list(_stamped(found)))
            players, above = await at.fetchrow("above", *place)
            rows = list(reversed(await at.fetch("page_before", *place, before))) if before else []
            if behind:
                rows += await at.fetch("page", *place, 0, behind)
        return Part(at.version, players, above, list(_stamped(rows)))

    async def stamps(self, shard: str, users: Sequence[str]) -> list[float | None]:
        """The zset score of each user in order; None for one who is not there."""
        async with at_one_moment(self._pool, shard) as at:
            found = dict(_stamped(await at.fetch("places", list(users))))
        return [found.get(user) for user in users]

    async def above(self, shard: str, spots: Sequence[Spot]) -> tuple[int, list[int]]:
        """How many users there are, and how many of them stand above each spot."""
        async with at_one_moment(self._pool, shard) as at:
            if at.final:
                return at.final.users, await at.final.above(list(map(_place_of, spots)))
            players = await at.players()
            rows = await at.fetch(
                "above_spots",
                [spot.zset_score for spot in spots],
                [spot.user_id for spot in spots],
            )
        return players, [row["above"] for row in rows]


def _place_of(spot: Spot) -> tuple[Any, ...]:
    """The same as statements want it."""
    if spot == BEFORE_ALL:
        return read_tables.BEFORE_ALL
    if spot == BEHIND_ALL:
        return read_tables.BEHIND_ALL
    return spot_behind(*spot)


def _stamped(rows: Iterable[Any]) -> Iterable[tuple[str, float]]:
    for user, score, reached_ms in rows:
        yield user, stamp(score, reached_ms)
