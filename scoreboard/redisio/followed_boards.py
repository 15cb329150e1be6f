"""Boards in Redis follow the profiles of their users."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from redis.asyncio import Redis

from scoreboard.errors import BoardCold
from scoreboard.redisio.commands import run_script
from scoreboard.redisio.occurrence_tables import tables_of, tell_tables
from scoreboard.wire import scripts
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.scripts import COLD

_encode = msgspec.json.Encoder().encode


class FollowedBoards:
    """Raises Unavailable when Redis is away."""

    def __init__(self, redis: Redis, *, keyspace: Keyspace) -> None:
        self._redis = redis
        self._keyspace = keyspace

    async def follow(
        self, board: str, *, hide: Sequence[str], show: Sequence[str], rename: Sequence[str]
    ) -> None:
        """Hides users and shows others again, in all tables of the board, and makes a new version
        of those whose top changes by that, or has somebody whose name changed. Again, it makes
        another version and changes nothing else. Raises BoardCold."""
        keys = self._keyspace.board(board)
        known = await tables_of(self._redis, self._keyspace, board)
        while True:
            call = scripts.follow_profiles(
                key_board=keys.board,
                key_hidden=keys.hidden,
                key_meta=keys.meta,
                key_channel=keys.channel,
                arg_board=board,
                arg_hide=_encode(hide),
                arg_show=_encode(show),
                arg_rename=_encode(rename),
            )
            tell_tables(call, self._keyspace, ((table,) for table in known))
            reply = await run_script(self._redis, call)
            if reply[0] == COLD:
                raise BoardCold("The board is not live in Redis.")
            # A period may go on before something is done with its tables; who is hidden on the
            # board by then is so in what follows.
            done, known = known, await tables_of(self._redis, self._keyspace, board)
            if set(known) <= set(done):
                return
