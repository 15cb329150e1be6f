"""What Redis holds of all partitions, whatever their number was when it was written."""

from __future__ import annotations

from collections.abc import Callable

from redis.asyncio import Redis

from scoreboard.errors import Unavailable
from scoreboard.redisio.commands import reachable, scanned
from scoreboard.wire.keys import EVERY_META_KEY, EVERY_PARTITIONS_KEY, board_of_meta, is_stream

STEP = 1_000  # keys that one SCAN looks at
MOST_PASSES = 10  # over all keys, until none is left


class PartitionRemains:
    """Every method raises Unavailable when Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def boards(self) -> set[str]:
        """The boards that Redis has, live or not."""
        found: set[str] = set()
        async for keys in scanned(self._redis, EVERY_META_KEY, STEP):
            found.update(map(board_of_meta, keys))
        return found

    async def sweep(self, *, streams: bool, tell: Callable[[int], None]) -> None:
        """Unlinks all keys of partitions; those of streams only with ``streams``. Boards that have
        lost their meta hash answer nobody, so these go first, and no board is ever seen in part.
        ``tell`` is told how many keys have gone since its last call. Raises Unavailable, too, when
        there are always new ones."""
        for pattern in (EVERY_META_KEY, EVERY_PARTITIONS_KEY):
            await self._sweep(pattern, streams=streams, tell=tell)

    async def _sweep(self, pattern: str, *, streams: bool, tell: Callable[[int], None]) -> None:
        for _ in range(MOST_PASSES):
            unlinked = 0
            async for keys in scanned(self._redis, pattern, STEP):
                chosen = [key for key in keys if streams or not is_stream(key)]
                if chosen:
                    with reachable():
                        await self._redis.unlink(*chosen)
                    unlinked += len(chosen)
                    tell(len(chosen))
            if not unlinked:
                return
        raise Unavailable("Something writes to Redis while the partitions are changed.")
