"""Reads of shards of boards that are live, of which reads of whole boards are made."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from scoreboard.domain.standings import Part, Rows, Spot
from scoreboard.errors import BoardCold
from scoreboard.redisio.live_boards import keys_of
from scoreboard.redisio.period_states import PeriodStates
from scoreboard.redisio.reads import Reads, readable
from scoreboard.wire import scripts
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.scripts import ScriptCall


class LiveShards:
    """Reads shards, and their parts of occurrences' tables, from Redis. A table that a shard is
    still to open is empty. Every method raises BoardCold, or Unavailable when Redis is away."""

    def __init__(self, reads: Reads, *, keyspace: Keyspace) -> None:
        self._reads = reads
        self._keyspace = keyspace
        self._states = PeriodStates(reads, keyspace=keyspace)

    async def part(self, shard: str, spot: Spot, *, before: int, behind: int) -> Part:
        """How many stand above the spot, with up to so many users ``before`` it and ``behind``."""
        call = scripts.read_part(
            **keys_of(self._keyspace.board(shard)),
            arg_at=repr(spot.zset_score),
            arg_user=spot.user_id,
            arg_before=before,
            arg_behind=behind,
        )
        try:
            version, players, above, rows = await self._reads.read(call)
        except BoardCold:
            if (version := await self._states.unopened(shard)) is None:
                raise
            return Part(version, 0, 0, [])
        with readable():
            return Part(int(version), int(players), int(above), _rows(rows))

    async def stamps(self, shard: str, users: Sequence[str]) -> list[float | None]:
        """The zset score of each user in order; None for one who is not there."""
        call = scripts.read_stamps(**keys_of(self._keyspace.board(shard)))
        call.args.extend(user.encode() for user in users)
        told = await self._read(shard, call)
        if told is None:
            return [None] * len(users)
        _, *stamps = told
        with readable():
            return [_stamp(stamp) if stamp else None for stamp in stamps]

    async def above(self, shard: str, spots: Sequence[Spot]) -> tuple[int, list[int]]:
        """How many users there are, and how many of them stand above each spot."""
        told = await self._read(shard, self._above(shard, spots, neighbours=b""))
        if told is None:
            return 0, [0] * len(spots)
        players, *above = told
        with readable():
            return int(players), list(map(int, above))

    async def around(self, shard: str, spots: Sequence[Spot]) -> tuple[int, list[int], list[Rows]]:
        """The same, and of each spot the two users directly above and the one behind."""
        reply = await self._read(shard, self._above(shard, spots, neighbours=b"1"))
        if reply is None:
            return 0, [0] * len(spots), [[] for _ in spots]
        players, *told = reply
        with readable():
            return int(players), list(map(int, told[::2])), list(map(_rows, told[1::2]))

    async def unopened(self, shard: str) -> bool:
        """Whether this is the table of an occurrence that the shard is still to open."""
        return await self._states.unopened(shard) is not None

    async def _read(self, shard: str, call: ScriptCall) -> list[Any] | None:
        """The reply; None of what is still to be opened."""
        try:
            return await self._reads.read(call)
        except BoardCold:
            if not await self.unopened(shard):
                raise
            return None

    def _above(self, shard: str, spots: Sequence[Spot], *, neighbours: bytes) -> ScriptCall:
        keys = keys_of(self._keyspace.board(shard))
        call = scripts.read_above(**keys, arg_neighbours=neighbours)
        for spot in spots:
            call.args.extend((repr(spot.zset_score).encode(), spot.user_id.encode()))
        return call


def _rows(pairs: Sequence[bytes]) -> Rows:
    users = zip(pairs[::2], pairs[1::2], strict=True)
    return [(user.decode(), _stamp(zset_score)) for user, zset_score in users]


def _stamp(text: bytes) -> float:
    stamp = float(text)
    if not isfinite(stamp):
        raise ValueError(f"{stamp} is no zset score of a board")
    return stamp
