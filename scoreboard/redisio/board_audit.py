"""What the verifier reads in Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from redis.asyncio import Redis

from scoreboard.domain.ledger import KeptAction
from scoreboard.errors import Unavailable
from scoreboard.redisio.commands import reachable
from scoreboard.redisio.reverter import receipt_of
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.known_periods import KnownPeriod

SCAN = 5_000
PERIOD = b"period:"  # begins the field of a period, by its name, in a board's meta hash


class RedisAudit:
    """Reads boards' tables as they are, live or not. Every method raises Unavailable when Redis is
    away."""

    def __init__(self, redis: Redis, *, keyspace: Keyspace) -> None:
        self._redis = redis
        self._keyspace = keyspace

    async def scores(
        self, table: str, users: Sequence[str]
    ) -> list[tuple[float | None, float | None]]:
        """(zset score shown, zset score hidden) of each user."""
        if not users:
            return []
        keys = self._keyspace.board(table)
        with reachable():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.zmscore(keys.board, list(users))
                pipe.zmscore(keys.hidden, list(users))
                shown, hidden = await pipe.execute()
        return list(zip(shown, hidden, strict=True))

    async def users(self, table: str) -> int:
        """How many users the table has, shown and hidden."""
        keys = self._keyspace.board(table)
        with reachable():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.zcard(keys.board)
                pipe.zcard(keys.hidden)
                return sum(await pipe.execute())

    async def attempts(self, table: str, users: Sequence[str]) -> list[int | None]:
        """How many actions of each user count for the table's limits; None for who is not in."""
        if not users:
            return []
        with reachable():
            found: Any = await self._redis.zmscore(self._keyspace.board(table).players, list(users))
        return [None if count is None else int(count) for count in found]

    async def players(self, table: str) -> int:
        """How many users are in."""
        with reachable():
            count: int = await self._redis.zcard(self._keyspace.board(table).players)
        return count

    async def joined(self, table: str) -> AsyncIterator[list[str]]:
        """All users who are in, in chunks; some may come twice."""
        async for users in self._scanned(self._keyspace.board(table).players):
            yield users

    async def periods(
        self, board: str, names: Sequence[str]
    ) -> tuple[int, dict[str, KnownPeriod | str]]:
        """The board's time in Unix ms, and what it knows of these periods, by their names. Where
        the text is not one that a script writes, that text."""
        fields = [b"event", *(PERIOD + name.encode() for name in names)]
        with reachable():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.time()
                pipe.hmget(self._keyspace.board(board).meta, fields)
                (seconds, micros), (event, *texts) = await pipe.execute()
        told_ms = (event or b"").partition(b"-")[0]
        event_ms = int(told_ms) if told_ms.isdigit() else 0
        now = max(seconds * 1000 + micros // 1000, event_ms)  # as lib_time has it
        return now, {
            name: _known(text) for name, text in zip(names, texts, strict=True) if text is not None
        }

    async def members(self, table: str) -> AsyncIterator[list[str]]:
        """All users of the table in chunks; some may come twice."""
        keys = self._keyspace.board(table)
        for key in (keys.board, keys.hidden):
            async for users in self._scanned(key):
                yield users

    async def _scanned(self, key: str) -> AsyncIterator[list[str]]:
        cursor = 0
        while True:
            with reachable():
                reply: Any = await self._redis.zscan(key, cursor, count=SCAN)
            cursor, pairs = reply
            if pairs:
                yield [user.decode() for user, _ in pairs]
            if cursor == 0:
                break

    async def differing_receipts(
        self, board: str, actions: Sequence[KeptAction]
    ) -> list[tuple[KeptAction, str, str]]:
        """(action, expected receipt, found receipt or '') for each action whose two receipts differ
        in anything but the agents' names and the total before."""
        if not actions:
            return []
        keys = self._keyspace.board(board)
        names = [keys.action(a.user_id.encode(), a.action_id.encode()) for a in actions]
        with reachable():
            found: list[Any] = await self._redis.mget(names)
        differing = []
        for action, text in zip(actions, found, strict=True):
            expected, there = receipt_of(action), (text or b"").decode()
            if _compared(expected) != _compared(there):
                differing.append((action, expected, there))
        return differing

    async def backlog(self) -> int:
        """How many entries the streams hold together."""
        with reachable():
            async with self._redis.pipeline(transaction=False) as pipe:
                for keys in self._keyspace.every_partition():
                    pipe.xlen(keys.events)
                return sum(await pipe.execute())


def _known(text: bytes) -> KnownPeriod | str:
    try:
        known = KnownPeriod.from_text(text)
    except Unavailable:
        known = None
    told = text.decode(errors="backslashreplace")
    return told if known is None or known.to_text() != told else known


def _compared(receipt: str) -> tuple[list[str], str]:
    fields, moves = receipt.partition(";")[::2]
    return fields.split(",")[:4], moves.removesuffix("!")
