"""Finds and unlinks what Redis holds of a board that was deleted or cleared.

Receipts and memories have names of their own for each action, user and device, and only Redis knows
them all. So the sweep walks through its keys by SCAN, in steps of about half a millisecond each.
"""

from __future__ import annotations

from collections.abc import Sequence

from redis.asyncio import Redis

from scoreboard.errors import Misconfigured, Unavailable
from scoreboard.redisio.commands import each_server, reachable, run_script, scanned
from scoreboard.redisio.refusals import Refused
from scoreboard.wire import messages, scripts
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.scripts import OTHER

STEP = 1_000  # keys that one SCAN looks at


class BoardSweeper:
    """Every method raises Unavailable when Redis is away."""

    def __init__(self, redis: Redis, *, keyspace: Keyspace) -> None:
        self._redis = redis
        self._keyspace = keyspace

    async def check_rights(self) -> None:
        """Raises Misconfigured when the service's user may not look for keys."""
        with reachable():
            try:
                for server in await each_server(self._redis):
                    await server.scan(0, count=1)
            except Refused as error:
                if error.word != "NOPERM":
                    raise
                raise Misconfigured(
                    "The service's user in Redis may not delete boards: give it the right +scan.",
                    words=str(error),
                ) from error

    async def sweep(self, board: str, version: int) -> str:
        """Unlinks all keys of a board that is not live and has a lower version, and returns the
        history of Redis in which none is left. Raises Unavailable, too, when Redis restarted
        meanwhile, or a newer board has the name."""
        keys = self._keyspace.board(board)
        epoch = await self._unlink(board, version, [])
        async for found in scanned(self._redis, keys.pattern, STEP):
            owned = [key for key in found if keys.owns(key)]
            if owned:
                await self._unlink(board, version, owned)
        if await self._unlink(board, version, []) != epoch:
            raise Unavailable("Redis restarted while the board was removed.")
        return epoch

    async def tell_gone(self, feeds: Sequence[str]) -> None:
        """Lets those who relay these boards, or the periods of one (``arena:week``), find out at
        once that what they have is gone."""
        with reachable():
            for feed in feeds:
                await self._redis.publish(self._keyspace.board(feed).channel, messages.GONE)

    async def _unlink(self, board: str, version: int, owned: list[bytes]) -> str:
        meta = self._keyspace.board(board).meta
        call = scripts.sweep_board(key_meta=meta, arg_version=version)
        call.keys.extend(owned)
        reply = await run_script(self._redis, call)
        if reply[0] == OTHER:
            raise Unavailable("A newer board has this name.")
        return str(reply[0].decode())
