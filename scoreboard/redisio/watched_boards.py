"""Boards of which clients watch players."""

from __future__ import annotations

from collections.abc import Sequence

from scoreboard.domain.tables import occurrence_of
from scoreboard.redisio.reads import Reads
from scoreboard.wire import scripts
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.places import MOST_MOVES, Places

NOTED_MS = 30_000  # for how long moves are noted once somebody has asked for it


class WatchedBoards:
    """Every method raises BoardCold, or Unavailable when Redis is away."""

    def __init__(self, reads: Reads, *, keyspace: Keyspace) -> None:
        self._reads = reads
        self._keyspace = keyspace

    async def watch(self, board: str) -> bytes:
        """Has it noted for 30 s who moves on the board; behind the id that this returns."""
        keys = self._keyspace.board(board)
        call = scripts.watch_board(key_meta=keys.meta, key_moves=keys.moves, arg_period=NOTED_MS)
        noted: bytes = (await self._reads.read(call))[0]
        return noted

    async def places(
        self, table: str, users: Sequence[str], *, known: bytes, since: bytes
    ) -> Places:
        """Where users stand in a table, unless that is in the ``known`` state; with up to
        MOST_MOVES moves behind ``since``, unless that is empty."""
        keys = self._keyspace.board(table)
        call = scripts.read_places(
            key_board=keys.board,
            key_meta=keys.guard,
            key_table=keys.meta,
            key_moves=keys.moves,
            arg_occurrence=occurrence_of(table) or "",
            arg_known=known,
            arg_since=since,
            arg_most=MOST_MOVES,
        )
        call.args.extend(user.encode() for user in users)
        reply = await self._reads.read(call)
        if len(reply) == 1:
            return Places(reply[0])
        state, players, sign, style, last, looked, moves, ids, *places = reply
        shared = style == b"standard"
        return Places(state, int(players), int(sign), shared, last, looked, moves, ids, places)
