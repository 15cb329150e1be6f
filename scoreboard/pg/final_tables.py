"""Reads of a final table in Postgres, by the places and ranks that were stored. What one costs does
not depend on how large the table is. After a decision some places may be empty, until the table is
ranked anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from scoreboard.domain.moments import moment_of
from scoreboard.domain.stamps import reached_between, stamp, total_of
from scoreboard.domain.standings import (
    TOP_TEN,
    Page,
    Place,
    Standing,
    TopEntry,
    UserStanding,
    percentile,
    user_standing,
)
from scoreboard.pg.sql import statements

_sql = statements("final_tables")


class FinalTable(NamedTuple):
    """A table by its name, on a connection that sees it as it is at one moment. ``sign`` is that of
    its totals, ``users`` how many have a place, ``shared`` whether equal totals share a rank."""

    connection: Any
    name: str
    sign: int
    users: int
    shared: bool

    async def top(self, size: int) -> list[TopEntry]:
        """The first ``size`` users."""
        rows = await self._behind(0, size)
        return [TopEntry(row["user_id"], row["score"] * self.sign) for row in rows]

    async def standings(self, users: Sequence[str]) -> list[Standing | None]:
        """The standing of each user in order; None for one who is not in the table."""
        rows = await self.connection.fetch(_sql["by_name"], self.name, users)
        found = {row["user_id"]: self._standing(row) for row in rows}
        return [found.get(user) for user in users]

    async def around(self, user: str, radius: int) -> list[Standing] | None:
        """The user with up to ``radius`` neighbours on each side; None when not in the table."""
        place = await self._place(user)
        if place is None:
            return None
        rows = [*await self._up_to(place, radius + 1), *await self._behind(place, radius)]
        return list(map(self._standing, rows))

    async def user(self, user: str) -> UserStanding | None:
        """The user's place with the one above and the way to the top 10; None when the user is not
        in the table."""
        place = await self._place(user)
        if place is None:
            return None
        *above, own = map(self._standing, await self._up_to(place, 2))
        tenth = await self._behind(TOP_TEN - 1, 1)
        return user_standing(
            own, above[0] if above else None, tenth[0]["score"] * self.sign if tenth else None
        )

    async def page(self, place: Place, limit: int) -> Page:
        """Up to ``limit`` users in order of rank, from the place on."""
        match place.kind:
            case "rank":
                above = min(int(place.at) - 1, self.users)
            case "behind" if not self.shared:
                above = await self._above(spot_behind(place.at * self.sign))
            case "score" | "behind":  # who shares a rank stands not behind others
                above = await self._above(spot_behind(place.at * self.sign + 1))
            case "after":
                above = await self._above(spot_behind(place.at, place.user_id))
        rows = await self._behind(above, limit)
        last = None
        if rows and above + len(rows) < self.users:
            user, score, _, reached_ms = rows[-1]
            last = Place("after", stamp(score, reached_ms), user)
        return Page(list(map(self._standing, rows)), above + 1, self.users, last)

    async def part(self, spot: tuple[Any, ...], before: int, behind: int) -> tuple[int, list[Any]]:
        """How many users stand above a spot, as ``spot_behind`` gives it, and up to so many before
        it and behind."""
        above = await self._above(spot)
        rows = await self._up_to(above, before) if before else []
        return above, rows + (await self._behind(above, behind) if behind else [])

    async def above(self, spots: Sequence[tuple[Any, ...]]) -> list[int]:
        """How many users stand above each of these spots."""
        return [await self._above(spot) for spot in spots]

    async def _behind(self, above: int, limit: int) -> list[Any]:
        rows: list[Any] = await self.connection.fetch(_sql["by_place"], self.name, above, limit)
        return rows

    async def _up_to(self, place: int, limit: int) -> list[Any]:
        rows: list[Any] = await self.connection.fetch(_sql["up_to"], self.name, place, limit)
        return rows[::-1]

    async def _place(self, user: str) -> int | None:
        place: int | None = await self.connection.fetchval(_sql["place"], self.name, user)
        return place

    async def _above(self, at: tuple[Any, ...]) -> int:
        return int(await self.connection.fetchval(_sql["above"], self.name, self.users, *at))

    def _standing(self, row: Any) -> Standing:
        return Standing(
            row["user_id"],
            row["score"] * self.sign,
            row["rank"],
            percentile(row["rank"], self.users),
        )


def spot_behind(zset_score: float, user: str = "") -> tuple[Any, ...]:
    """What statements are told of the spot right behind a user of this name with this zset score:
    the total, from when to when it was reached, and the name."""
    first, last = reached_between(zset_score)
    return total_of(zset_score), moment_of(first), moment_of(last), user
