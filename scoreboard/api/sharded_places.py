"""Where watched players of boards with shards stand (domain/shards.py), among the users of all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from math import floor
from operator import itemgetter

from scoreboard.api.ports import WatchedShards, WatchedTables
from scoreboard.api.sharded_boards import best_first, first_with
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.shards import shard_names, shard_of
from scoreboard.domain.standings import Rows, Spot
from scoreboard.domain.tables import board_of
from scoreboard.errors import BoardCold
from scoreboard.wire.places import Places, RawPlace

_UNOPENED = Places(b"-")


class ShardedPlaces:
    """Reads places on boards with and without shards. Of a board with shards, their states and ids
    make up one text. See WatchedTables."""

    def __init__(
        self,
        tables: WatchedTables,
        shards: WatchedShards,
        settings_of: Callable[[str], Awaitable[BoardSettings]],
    ) -> None:
        self._tables = tables
        self._shards = shards
        self._settings_of = settings_of

    async def watch(self, board: str) -> bytes:
        """See WatchedTables."""
        settings = await self._settings_of(board)
        names = shard_names(board, settings.shard_count)
        return b"|".join(await asyncio.gather(*map(self._tables.watch, names)))

    async def places(
        self, table: str, users: Sequence[str], *, known: bytes, since: bytes
    ) -> Places:
        """See WatchedTables."""
        settings = await self._settings_of(board_of(table))
        names = shard_names(table, settings.shard_count)
        if len(names) == 1:
            return await self._tables.places(table, users, known=known, since=since)
        states, ids = (text.split(b"|") if text else [b""] * len(names) for text in (known, since))
        told = await asyncio.gather(
            *(
                self._part(name, state, id_)
                for name, state, id_ in zip(names, states, ids, strict=True)
            )
        )
        state = b"|".join(one.state for one in told)
        if known and all(one.places is None for one in told):
            return Places(state)
        last = [id_ if one.places is None else one.last for one, id_ in zip(told, ids, strict=True)]
        players, places = await self._among_all(table, names, settings, users)
        return Places(
            state,
            players,
            settings.sign,
            settings.rank_style == "standard",
            b"|".join(last) if all(last) else b"",
            sum(one.looked for one in told),
            *_in_order(told),
            places,
        )

    async def _part(self, name: str, known: bytes, since: bytes) -> Places:
        """What has changed in a shard; nothing in one that has not opened the occurrence yet."""
        try:
            return await self._tables.places(name, (), known=known, since=since)
        except BoardCold:
            if not await self._shards.unopened(name):
                raise
            return _UNOPENED

    async def _among_all(
        self, table: str, names: Sequence[str], settings: BoardSettings, users: Sequence[str]
    ) -> tuple[int, list[RawPlace]]:
        """How many users there are, and the place of each listed one."""
        if not users:
            return 0, []
        stamps = await asyncio.gather(
            *(self._shards.stamps(shard_of(table, user, len(names)), [user]) for user in users)
        )
        spots = [
            Spot(at, user) for user, (at,) in zip(users, stamps, strict=True) if at is not None
        ]
        told = await asyncio.gather(*(self._shards.around(name, spots) for name in names))
        near: list[Rows] = []
        for number, spot in enumerate(spots):
            rows = {row for _, _, around in told for row in around[number]}
            near.append(_next_to(spot, best_first({*rows, (spot.user_id, spot.zset_score)})))
        above = [max(1, sum(counts)) for counts in zip(*(one for _, one, _ in told), strict=True)]
        ranks = await self._ranks(names, settings, spots, near, above)
        found = {
            spot.user_id: _raw(spot, rows, three)
            for spot, rows, three in zip(spots, near, ranks, strict=True)
        }
        return sum(players for players, _, _ in told), [found.get(user, b"") for user in users]

    async def _ranks(
        self,
        names: Sequence[str],
        settings: BoardSettings,
        spots: Sequence[Spot],
        near: Sequence[Rows],
        places: Sequence[int],
    ) -> list[tuple[int, int, int]]:
        """Of each spot the ranks of the one above, of the user who is there and of the one below,
        whether there are such neighbours or not; ``places`` are what they would be if nobody shared
        any."""
        if settings.rank_style == "ordinal" or not spots:
            return [(place - 1, place, place + 1) for place in places]
        firsts = [
            first_with(at)
            for rows, spot in zip(near, spots, strict=True)
            for at in (rows[0][1], spot.zset_score)
        ]
        counts = await asyncio.gather(*(self._shards.above(name, firsts) for name in names))
        shared = [1 + sum(one) for one in zip(*(above for _, above in counts), strict=True)]
        ranks = []
        for number, (spot, place) in enumerate(zip(spots, places, strict=True)):
            above, rank = shared[2 * number : 2 * number + 2]
            level = floor(near[number][-1][1]) == floor(spot.zset_score)
            ranks.append((above, rank, rank if level else place + 1))
        return ranks


def _in_order(told: Sequence[Places]) -> tuple[list[bytes], list[bytes]]:
    """The moves of all shards, oldest first, and their ids."""
    moves = [
        (_moment(id_), id_, one.moves[3 * number : 3 * number + 3])
        for one in told
        for number, id_ in enumerate(one.ids)
    ]
    moves.sort(key=itemgetter(0))
    return [text for _, _, move in moves for text in move], [id_ for _, id_, _ in moves]


def _moment(id_: bytes) -> tuple[int, int]:
    milliseconds, _, number = id_.partition(b"-")
    return int(milliseconds), int(number)


def _next_to(spot: Spot, rows: Rows) -> Rows:
    """Whoever is there, with the neighbours."""
    place = rows.index((spot.user_id, spot.zset_score))
    return rows[max(0, place - 1) : place + 2]


def _raw(spot: Spot, rows: Rows, ranks: tuple[int, int, int]) -> RawPlace:
    """In the form of lua/read_places.lua."""
    above, own, below = (b"%d" % rank for rank in ranks)
    is_first, is_last = rows[0][0] == spot.user_id, rows[-1][0] == spot.user_id
    raw = [own, b"" if is_first else above, b"" if is_last else below]
    for user, zset_score in rows:
        raw += user.encode(), repr(zset_score).encode()
    return raw
