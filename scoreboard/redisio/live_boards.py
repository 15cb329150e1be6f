"""Reads of live boards. Every read runs a small script that also checks the epoch, so that a board
that may have lost its last writes never answers."""

from __future__ import annotations

from scoreboard.domain.standings import Standing, percentile
from scoreboard.errors import BoardCold, OutcomeUnknown, Unavailable
from scoreboard.redisio.line_pool import ScriptLines
from scoreboard.wire import scripts
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.scripts import COLD, ScriptCall


class LiveBoards:
    """Reads boards from Redis. Every method raises BoardCold, or Unavailable when Redis is away.

    It uses script lines, which cost the process a third of what redis-py's commands cost, and which
    repeat a read whose answer was lost.
    """

    def __init__(self, lines: ScriptLines, *, keyspace: Keyspace) -> None:
        self._lines = lines
        self._keyspace = keyspace

    async def top(self, board: str) -> tuple[int, bytes]:
        """(version, ready JSON array of the top 10)."""
        version, top = await self._read(scripts.read_top(key_meta=self._keyspace.board(board).meta))
        return int(version), top

    async def standings(self, board: str, users: list[str]) -> list[Standing | None]:
        """The standing of each user in order; None for one who is not on the board."""
        keys = self._keyspace.board(board)
        call = scripts.read_standings(key_board=keys.board, key_meta=keys.meta)
        call.args.extend(user.encode() for user in users)
        reply = await self._read(call)
        players = int(reply[0])
        pairs = zip(users, reply[1::2], reply[2::2], strict=True)
        return [
            Standing(user, int(score), int(rank), percentile(int(rank), players)) if score else None
            for user, score, rank in pairs
        ]

    async def around(self, board: str, user: str, radius: int) -> list[Standing] | None:
        """The user with up to ``radius`` neighbours on each side, by rank; None when the user is
        not on the board."""
        keys = self._keyspace.board(board)
        reply = await self._read(
            scripts.read_around(
                key_board=keys.board, key_meta=keys.meta, arg_user=user, arg_radius=radius
            )
        )
        if len(reply) == 1:
            return None
        players, first = int(reply[0]), int(reply[1])
        pairs = zip(reply[2::2], reply[3::2], strict=True)
        return [
            Standing(member.decode(), int(score), rank, percentile(rank, players))
            for rank, (member, score) in enumerate(pairs, first)
        ]

    async def _read(self, call: ScriptCall) -> list[bytes]:
        line = await self._lines.acquire()
        line.unsure = False
        try:
            reply: list[bytes] = (await line.run(call))[0]
        except OutcomeUnknown as error:
            raise Unavailable("Redis can't be reached.") from error  # a read has no outcome
        finally:
            self._lines.release(line)
        if reply[0] == COLD:
            raise BoardCold("The board is not live in Redis.")
        return reply
