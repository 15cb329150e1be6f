"""Revocations over Redis: told to all processes at once, and a copy of those that Postgres has, for
a process that starts while Postgres is away."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from scoreboard.domain.revocations import Revocation
from scoreboard.redisio.commands import reachable
from scoreboard.wire.keys import REVOCATIONS, REVOKED
from scoreboard.wire.revocations import WHOLE, decode_revocation, encode_revocation


class SharedRevocations:
    """Every method raises Unavailable when Redis is away. The copy is a zset of revocations by the
    moment until which they count. It is whole if it has the member WHOLE: whoever makes it anew,
    after Redis was emptied, has to begin with all."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def tell(self, revocation: Revocation) -> None:
        """Adds it to the copy and tells it to all processes."""
        text = encode_revocation(revocation)
        with reachable():
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.zadd(REVOCATIONS, {text: revocation.until})
                pipeline.publish(REVOKED, text)
                await pipeline.execute()

    async def keep(self, revocations: Sequence[Revocation], *, all_of_them: bool) -> bool:
        """Adds these to the copy. Returns False when the copy is not whole."""
        members = {encode_revocation(each): each.until for each in revocations}
        with reachable():
            if all_of_them:
                members[WHOLE] = math.inf
                over = await self._redis.zrange(REVOCATIONS, 0, int(time.time()), byscore=True)
                if over:
                    await self._redis.zrem(REVOCATIONS, *over)
            if members:
                await self._redis.zadd(REVOCATIONS, members)
            return await self._redis.zscore(REVOCATIONS, WHOLE) is not None

    async def read(self) -> list[Revocation] | None:
        """The copy; None when it is not whole. Raises msgspec.DecodeError for one that this version
        can't read."""
        with reachable():
            texts: list[Any] = await self._redis.zrange(REVOCATIONS, 0, -1)
        if WHOLE not in texts:
            return None
        return [decode_revocation(text) for text in texts if text != WHOLE]
