"""Takes what Redis has of erased players away. Calling a method again does not repeat what it has
done."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis

from scoreboard.redisio.commands import by_server, reachable, run_script, scanned
from scoreboard.redisio.occurrence_tables import tables_of, tell_tables
from scoreboard.wire import scripts
from scoreboard.wire.erasures import encode_news
from scoreboard.wire.keys import (
    ERASED,
    EVERY_KEY,
    BoardKeys,
    Keyspace,
    board_with_users,
    user_of,
)

STEP = 1_000  # keys that one SCAN looks at


class ErasedUsers:
    """Every method raises Unavailable when Redis is away."""

    def __init__(self, redis: Redis, *, keyspace: Keyspace) -> None:
        self._redis = redis
        self._keyspace = keyspace

    async def tell(self, digest: bytes, *, erased: bool) -> None:
        """Tells all processes whether an id is an erased player's from now on."""
        with reachable():
            await self._redis.publish(ERASED, encode_news(digest, erased=erased))

    async def take_out(
        self, board: str, user: str, name: str | None = None, version: int = 0
    ) -> int:
        """Takes a user out of all tables of a board, or gives the user a name there; the board has
        at least this version then, if it is live. Returns in how many zsets the user was."""
        return await take_out(self._redis, self._keyspace, board, user, name or "", version)

    async def forget_devices(self, board: str, devices: Sequence[str]) -> int:
        """Deletes the agents' memories of devices, which name the accounts that were seen on them.
        They are made again from the ledger. Returns how many there were."""
        keys = self._keyspace.board(board)
        with reachable():
            return int(await self._redis.unlink(*(keys.device(one.encode()) for one in devices)))

    async def memory(self, board: str, user: str) -> object:
        """The agents' memory of the user on the board, of whatever format; None: there is none."""
        with reachable():
            text: Any = await self._redis.get(self._keyspace.board(board).profile(user.encode()))
        if text is None:
            return None
        try:
            return msgspec.msgpack.decode(text.partition(b":")[2])
        except msgspec.DecodeError:
            return None

    async def sweep(self, user: str) -> tuple[int, set[str]]:
        """Looks through all keys: unlinks those of the user, and takes the user out of every zset.
        Returns how many of both there were, and the boards that had the user in a zset."""
        name, found = user.encode(), 0
        boards: set[str] = set()
        async for keys in scanned(self._redis, EVERY_KEY, STEP):
            owned = [key for key in keys if user_of(key) == name]
            zsets = [(key, board) for key in keys if (board := board_with_users(key))]
            with reachable():
                if owned:
                    found += await self._redis.unlink(*owned)
                if zsets:
                    async with self._redis.pipeline(transaction=False) as pipe:
                        for key, _ in zsets:
                            pipe.zscore(key, name)
                        scores = await pipe.execute()
                    found_in = zip(zsets, scores, strict=True)
                    holding = [one for one, score in found_in if score is not None]
                    for key, board in holding:
                        boards.add(board)
                        await self.take_out(board, user)
                        found += 1
                        await self._redis.zrem(key, name)  # of a table that the board does not know
        return found, boards

    async def sweep_all(self, is_erased: Callable[[bytes], bool]) -> int:
        """Looks through all keys and unlinks those of users of whom that is true. Returns how
        many."""
        found = 0
        async for keys in scanned(self._redis, EVERY_KEY, STEP):
            owned = [key for key in keys if (user := user_of(key)) and is_erased(user)]
            if owned:
                with reachable():
                    found += await self._redis.unlink(*owned)
        return found

    async def now_ms(self) -> int:
        """Unix milliseconds by the clock that gives events their ids."""
        with reachable():
            seconds, microseconds = await self._redis.time()
        return int(seconds) * 1000 + int(microseconds) // 1000

    async def epoch(self) -> str:
        """Which history of Redis this is (lua/lib_epoch.lua), of all servers of a cluster."""
        with reachable():
            servers = await by_server(self._redis, range(self._keyspace.partitions))
        epochs: set[str] = set()
        for partitions in servers:
            keys = BoardKeys("", partitions[0])  # no board has no name
            call = scripts.board_state(
                key_board=keys.board,
                key_hidden=keys.hidden,
                key_meta=keys.meta,
                key_players=keys.players,
            )
            epochs.add((await run_script(self._redis, call))[0].decode())
        if len(epochs) == 1:
            return str(epochs.pop())
        return hashlib.sha256("+".join(sorted(epochs)).encode()).hexdigest()


async def take_out(
    redis: Redis, keyspace: Keyspace, board: str, user: str, name: str = "", version: int = 0
) -> int:
    """As the method. Raises Unavailable when Redis is away."""
    tables = await tables_of(redis, keyspace, board)
    keys = keyspace.board(board)
    call = scripts.erase_user(
        key_board=keys.board,
        key_hidden=keys.hidden,
        key_meta=keys.meta,
        key_channel=keys.channel,
        key_players=keys.players,
        arg_board=board,
        arg_user=user,
        arg_name=name,
        arg_version=version,
    )
    tell_tables(call, keyspace, ((table,) for table in tables))
    taken = int((await run_script(redis, call))[0])
    with reachable():
        await redis.unlink(keys.moves)  # of all; who watches the board has them noted anew
    return taken
