"""What the agents remember of users, read beside the hot path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from scoreboard.redisio.commands import reachable
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.memories import payload_of


class UserMemories:
    """Every method raises Unavailable when Redis is away."""

    def __init__(self, redis: Redis, *, keyspace: Keyspace) -> None:
        self._redis = redis
        self._keyspace = keyspace

    async def of_users(self, board: str, users: Sequence[str]) -> list[bytes | None]:
        """The payloads of the memories of these users, one at least, in order; None where there is
        none."""
        keys_of = self._keyspace.board(board)
        with reachable():
            texts: Any = await self._redis.mget([keys_of.profile(user.encode()) for user in users])
        return [payload_of(text) for text in texts]
