"""Reads of shards of boards that are live, of which reads of whole boards are made."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from scoreboard.domain.standings import Part, Rows, Spot
from scoreboard.redisio.live_boards import keys_of
from scoreboard.redisio.reads import Reads, readable
from scoreboard.wire import scripts
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.scripts import ScriptCall


class LiveShards:
    """Reads shards from Redis. Every method raises BoardCold, or Unavailable when Redis is away."""

    def __init__(self, reads: Reads, *, keyspace: Keyspace) -> None:
        self._reads = reads
        self._keyspace = keyspace

    async def part(self, shard: str, spot: Spot, *, before: int, behind: int) -> Part:
        """How many stand above the spot, with up to so many users ``before`` it and ``behind``."""
        version, players, above, rows = await self._reads.read(
            scripts.read_part(
                **keys_of(self._keyspace.board(shard)),
                arg_at=repr(spot.zset_score),
                arg_user=spot.user_id,
                arg_before=before,
                arg_behind=behind,
            )
        )
        with readable():
            return Part(int(version), int(players), int(above), _rows(rows))

    async def stamps(self, shard: str, users: Sequence[str]) -> list[float | None]:
        """The zset score of each user in order; None for one who is not there."""
        call = scripts.read_stamps(**keys_of(self._keyspace.board(shard)))
        call.args.extend(user.encode() for user in users)
        _, *stamps = await self._reads.read(call)
        with readable():
            return [_stamp(stamp) if stamp else None for stamp in stamps]

    async def above(self, shard: str, spots: Sequence[Spot]) -> tuple[int, list[int]]:
        """How many users there are, and how many of them stand above each spot."""
        call = self._above(shard, spots, neighbours=b"")
        players, *above = await self._reads.read(call)
        with readable():
            return int(players), list(map(int, above))

    async def around(self, shard: str, spots: Sequence[Spot]) -> tuple[int, list[int], list[Rows]]:
        """The same, and of each spot the two users directly above and the one behind."""
        call = self._above(shard, spots, neighbours=b"1")
        players, *told = await self._reads.read(call)
        with readable():
            return int(players), list(map(int, told[::2])), list(map(_rows, told[1::2]))

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
