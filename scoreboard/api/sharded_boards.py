"""Boards whose users are spread over shards (domain/shards.py), read as one. All shards are asked
at once, and what they say is added up and merged: zset scores order users of different shards as
they order those of one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from math import floor
from typing import Any, NamedTuple, TypeVar

import msgspec

from scoreboard.api.ports import BoardOpener, ReadableShards, UnshardedBoards
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.descriptions import Description
from scoreboard.domain.shards import shard_names, shard_of
from scoreboard.domain.stamps import total_of
from scoreboard.domain.standings import (
    BEFORE_ALL,
    BEHIND_ALL,
    TOP_TEN,
    Page,
    Part,
    Place,
    Rows,
    Spot,
    Standing,
    TopEntry,
    UserStanding,
    percentile,
    ranked,
    user_standing,
)
from scoreboard.domain.tables import board_of
from scoreboard.domain.urgency import Urgency
from scoreboard.errors import Unavailable, UnknownBoard

T = TypeVar("T")

FRESH = 2.0  # seconds for which a board's settings are remembered
MOST = 10_000  # boards, or tables, of which they are
LOOKS = 5  # at all shards, until two in a row see the same versions
TRIES = 3  # to find a user who moves all the time
NEAR = 500  # users between two spots that are read to find the one at a rank
RUNGS = 32  # spots that are looked at at once to come near it

_encode = msgspec.json.Encoder().encode


class ShardedBoards:
    """Reads boards from one place: those without shards as they are there, as ``whole``, the others
    by their ``shards``. Every method raises what these raise, and Unavailable while shards are
    being made or removed."""

    def __init__(self, whole: UnshardedBoards, shards: ReadableShards) -> None:
        self._whole = whole
        self._shards = shards
        self._known: dict[str, tuple[float, BoardSettings]] = {}

    async def shards_of(self, table: str) -> list[str]:
        """The names of the board's shards, as they were a moment ago at the earliest."""
        board = board_of(table)
        return shard_names(board, (await self.settings(board)).shard_count)

    def forget(self, board: str) -> None:
        """Has the number of its shards read anew."""
        self._known.pop(board, None)

    async def settings(self, table: str) -> BoardSettings:
        """See UnshardedBoards; as they were a moment ago at the earliest."""
        known = self._known.get(table)
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        settings = await self._whole.settings(table)
        self._remember(table, settings)
        return settings

    async def top(self, board: str) -> tuple[int, bytes]:
        """See ReadableBoards. The version is the sum of those of the shards."""
        settings = await self.settings(board)
        if settings.shard_count == 1:
            return await self._whole.top(board)
        merged = _merged(settings, await self._parts(board, settings, settings.top_size))
        # With a second look that sees the same versions, there was a moment at which all that is
        # seen was the newest.
        for _ in range(LOOKS - 1):
            before = merged
            merged = _merged(settings, await self._parts(board, settings, settings.top_size))
            if merged.versions == before.versions:
                break
        entries = [TopEntry(*row) for row in merged.shown(merged.rows[: settings.top_size])]
        return merged.version, _encode(entries)

    async def description(self, board: str) -> Description:
        """See ReadableBoards."""
        described = await self._whole.description(board)
        self._remember(board, described.settings)
        names = shard_names(board, described.settings.shard_count)[1:]
        others = await _all(map(self._whole.description, names))
        return Description(
            described.settings,
            described.users + sum(one.users for one in others),
            described.version + sum(one.version for one in others),
        )

    async def standings(self, board: str, users: list[str]) -> list[Standing | None]:
        """See ReadableBoards."""
        settings = await self.settings(board)
        if settings.shard_count == 1:
            return await self._whole.standings(board, users)
        stamps = await self._stamps(board, settings, users)
        there = [(user, at) for user in users if (at := stamps[user]) is not None]
        if not there:
            return [None] * len(users)
        shared = settings.rank_style == "standard"
        spots = [first_with(at) if shared else Spot(at, user) for user, at in there]
        players, above = await self._above(board, settings, spots)
        found = {}
        for (user, at), others in zip(there, above, strict=True):
            rank = max(1, others + shared)  # the user, too, stands above an own spot
            share = percentile(rank, max(rank, players))
            found[user] = Standing(user, total_of(at) * settings.sign, rank, share)
        return [found.get(user) for user in users]

    async def around(self, board: str, user: str, radius: int) -> list[Standing] | None:
        """See ReadableBoards."""
        settings = await self.settings(board)
        if settings.shard_count == 1:
            return await self._whole.around(board, user, radius)
        found = await self._near(board, settings, user, radius, radius)
        if found is None:
            return None
        merged, place = found
        first = max(0, place - radius)
        rows = merged.rows[first : place + radius + 1]
        above = merged.above - 1 - (place - first)
        return await self._ranked(board, settings, merged, rows, above)

    async def user(self, board: str, user: str) -> UserStanding | None:
        """See ReadableBoards."""
        settings = await self.settings(board)
        if settings.shard_count == 1:
            return await self._whole.user(board, user)
        found, top = await asyncio.gather(
            self._near(board, settings, user, 1, 0), self._parts(board, settings, TOP_TEN)
        )
        if found is None:
            return None
        merged, place = found
        first = max(0, place - 1)
        rows = merged.rows[first : place + 1]
        above = merged.above - len(rows)
        *before, own = await self._ranked(board, settings, merged, rows, above)
        tenth = merged.shown(_merged(settings, top).rows[TOP_TEN - 1 : TOP_TEN])
        return user_standing(own, before[0] if before else None, tenth[0][1] if tenth else None)

    async def page(self, board: str, place: Place, limit: int) -> Page:
        """See ReadableBoards."""
        settings = await self.settings(board)
        if settings.shard_count == 1:
            return await self._whole.page(board, place, limit)
        spot = await self._spot(board, settings, place)
        merged = _merged(settings, await self._parts(board, settings, limit, spot))
        rows = merged.rows[:limit]
        standings = await self._ranked(board, settings, merged, rows, merged.above)
        last = None
        if rows and merged.above + len(rows) < merged.players:
            user, zset_score = rows[-1]
            last = Place("after", zset_score, user)
        return Page(standings, merged.above + 1, merged.players, last)

    def _remember(self, table: str, settings: BoardSettings) -> None:
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[table] = time.monotonic() + FRESH, settings

    async def _parts(
        self,
        board: str,
        settings: BoardSettings,
        behind: int,
        spot: Spot = BEFORE_ALL,
        before: int = 0,
    ) -> list[Part]:
        return await self._each(
            board,
            settings,
            lambda shard: self._shards.part(shard, spot, before=before, behind=behind),
        )

    async def _above(
        self, board: str, settings: BoardSettings, spots: Sequence[Spot]
    ) -> tuple[int, list[int]]:
        told = await self._each(board, settings, lambda shard: self._shards.above(shard, spots))
        counts = zip(*(above for _, above in told), strict=True)
        return sum(players for players, _ in told), list(map(sum, counts))

    async def _stamps(
        self, board: str, settings: BoardSettings, users: Iterable[str]
    ) -> dict[str, float | None]:
        by_shard: dict[str, list[str]] = {}
        for user in users:
            by_shard.setdefault(shard_of(board, user, settings.shard_count), []).append(user)
        told = await _all(self._shards.stamps(shard, there) for shard, there in by_shard.items())
        found = {
            user: stamp
            for there, stamps in zip(by_shard.values(), told, strict=True)
            for user, stamp in zip(there, stamps, strict=True)
        }
        # Who was made anonymous stays where the id was that nobody knows any more.
        lacking = [user for user, stamp in found.items() if stamp is None]
        if lacking:
            everywhere = await self._each(
                board, settings, lambda shard: self._shards.stamps(shard, lacking)
            )
            for user, *stamps in zip(lacking, *everywhere, strict=True):
                found[user] = next((one for one in stamps if one is not None), None)
        return found

    async def _each(
        self,
        board: str,
        settings: BoardSettings,
        ask: Callable[[str], Coroutine[Any, Any, T]],
    ) -> list[T]:
        return await _all(map(ask, shard_names(board, settings.shard_count)))

    async def _near(
        self, board: str, settings: BoardSettings, user: str, before: int, behind: int
    ) -> tuple[_Merged, int] | None:
        """The users around one, with the place of that one among them; None for who is not there.
        All shards are asked about the spot at which the user's shard has just told the user."""
        for _ in range(TRIES):
            at = (await self._stamps(board, settings, [user]))[user]
            if at is None:
                return None
            parts = await self._parts(board, settings, behind, Spot(at, user), before + 1)
            merged = _merged(settings, parts)
            if (user, at) in merged.rows:
                return merged, merged.rows.index((user, at))
        raise Unavailable("The user moves too fast to be found among all shards.")

    async def _ranked(
        self, board: str, settings: BoardSettings, merged: _Merged, rows: Rows, above: int
    ) -> list[Standing]:
        shared = None
        if settings.rank_style == "standard" and rows:
            _, (better,) = await self._above(board, settings, [first_with(rows[0][1])])
            shared = better + 1
        return ranked(merged.shown(rows), above, merged.players, shared)

    async def _spot(self, board: str, settings: BoardSettings, place: Place) -> Spot:
        match place.kind:
            case "rank":
                return await self._spot_behind(board, settings, int(place.at) - 1)
            case "after":
                return Spot(place.at, place.user_id)
            case "behind" if settings.rank_style == "ordinal":
                return Spot(place.at * settings.sign)
            case "score" | "behind":  # who shares a rank stands not behind others
                return Spot(place.at * settings.sign + 1)

    async def _spot_behind(self, board: str, settings: BoardSettings, number: int) -> Spot:
        """The spot behind so many users. It is closed in on: of many spots between two that enclose
        it, all shards tell how many stand above."""
        if number == 0:
            return BEFORE_ALL
        first, last = await asyncio.gather(
            self._parts(board, settings, 1),
            self._parts(board, settings, 0, BEHIND_ALL, before=1),
        )
        ends = [_merged(settings, parts) for parts in (first, last)]
        if number >= ends[1].players:
            return BEHIND_ALL
        if not (ends[0].rows and ends[1].rows):
            return BEFORE_ALL
        upper, over = BEFORE_ALL, 0  # as many as `over` stand above it, and that is not too many
        high, low, under = ends[0].rows[0][1], ends[1].rows[-1][1], ends[1].players
        while under - over > NEAR:
            rungs = [high - (high - low) * rung / RUNGS for rung in range(1, RUNGS)]
            rungs = [rung for rung in dict.fromkeys(rungs) if low < rung < high]
            if not rungs:
                break  # all between have one of two zset scores
            _, above = await self._above(board, settings, list(map(Spot, rungs)))
            for rung, count in zip(rungs, above, strict=True):
                if count <= number:
                    upper, over, high = Spot(rung), count, rung
                else:
                    low, under = rung, count
                    break
        if number <= over:
            return upper
        parts = await self._parts(board, settings, number - over, upper)
        rows = _merged(settings, parts).rows[: number - over]
        return Spot(rows[-1][1], rows[-1][0]) if rows else upper


class ShardedOpener:
    """Makes boards live with all of their shards, which ``boards`` knows once the first is."""

    def __init__(self, opener: BoardOpener, boards: ShardedBoards) -> None:
        self._opener = opener
        self._boards = boards

    async def ensure(self, board: str, *, create: bool, urgency: Urgency) -> None:
        """See BoardOpener."""
        await self._opener.ensure(board, create=create, urgency=urgency)
        others = (await self._boards.shards_of(board))[1:]
        while others:
            try:
                await asyncio.gather(
                    *(self._opener.ensure(one, create=False, urgency=urgency) for one in others)
                )
                return
            except UnknownBoard as error:
                self._boards.forget(board)  # it may be another board of the name by now
                before, others = others, (await self._boards.shards_of(board))[1:]
                if others == before:
                    raise _changing() from error


class _Merged(NamedTuple):
    """What all shards told, together; ``rows`` best first."""

    sign: int
    versions: list[int]
    players: int
    above: int
    rows: Rows

    @property
    def version(self) -> int:
        """That of the board."""
        return sum(self.versions)

    def shown(self, rows: Rows) -> list[tuple[str, int]]:
        """Users with their scores."""
        return [(user, total_of(zset_score) * self.sign) for user, zset_score in rows]


def _merged(settings: BoardSettings, parts: Sequence[Part]) -> _Merged:
    rows = best_first(row for part in parts for row in part.rows)
    return _Merged(
        settings.sign,
        [part.version for part in parts],
        sum(part.players for part in parts),
        sum(part.above for part in parts),
        rows,
    )


def best_first(rows: Iterable[tuple[str, float]]) -> Rows:
    """In the order of Redis."""
    return sorted(rows, key=lambda row: (row[1], row[0]), reverse=True)


def first_with(zset_score: float) -> Spot:
    """The spot before the first user who has this total."""
    return Spot(float(floor(zset_score) + 1))


async def _all(asked: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What they give, asked at once."""
    try:
        return await asyncio.gather(*asked)
    except UnknownBoard as error:
        raise _changing() from error


def _changing() -> Unavailable:
    return Unavailable("The board's shards are being made or removed.")
