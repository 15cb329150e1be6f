"""The write path and the durable side together, as one process of the service has them."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec
from redis.asyncio import Redis

from scoreboard.assembly.recovery import Recovery, recovery
from scoreboard.domain.actions import ScoreAction
from scoreboard.domain.stamps import total_of
from scoreboard.domain.submissions import Result, Submission
from scoreboard.redisio.line_pool import ScriptLines
from scoreboard.redisio.topologies import topology_at
from scoreboard.settings import Settings
from scoreboard.wire.keys import BoardKeys, Keyspace
from scoreboard.workers.persister import persist_batches
from scoreboard.write_path.plain_calls import PlainCalls
from scoreboard.write_path.ports import CallMaker
from scoreboard.write_path.submitter import Submitter
from tests.support.stand_ins import no_durability_waits

_attempts = itertools.count()


class Arena:
    """Submits actions on one board, persists on demand, and shows what is where.

    What redis-py gives is typed Any, as its own types are those of all its modes at once."""

    def __init__(
        self, board: str, redis: Redis, durable: Recovery, submitter: Submitter, settings: Settings
    ) -> None:
        self.board = board
        self.keys: BoardKeys = Keyspace(settings.partitions).board(board)
        self.redis = redis
        self.durable = durable
        self.submitter = submitter

    async def submit(self, *actions: tuple[str, str, int]) -> list[Result]:
        """The results of (user, action, points) in one call."""
        submissions = [
            Submission(ScoreAction(user, action, points), f"at{next(_attempts)}", 0, 0)
            for user, action, points in actions
        ]
        results, _ = await self.submitter.submit(self.board, submissions, create=True)
        return results

    async def persist(self, limit: int = 1000) -> None:
        """Persists everything that the board's partition has."""
        durable = self.durable
        async with durable.ledger.locked(self.keys.partition) as session:
            while await persist_batches(
                durable.streams[self.keys.partition], session, durable.reverter, limit
            ):
                pass

    async def zset(self, key: str | None = None) -> dict[str, float]:
        """The stamped score of every user."""
        rows: Any = await self.redis.zrange(key or self.keys.board, 0, -1, withscores=True)
        return {user.decode(): score for user, score in rows}

    async def totals(self) -> dict[str, int]:
        return {user: total_of(score) for user, score in (await self.zset()).items()}

    async def meta(self) -> dict[str, str]:
        fields: Any = await self.redis.hgetall(self.keys.meta)
        return {name.decode(): value.decode() for name, value in fields.items()}

    async def receipt(self, user: str, action: str) -> tuple[str, int]:
        """(text, milliseconds left) of a receipt."""
        key = self.keys.action(user.encode(), action.encode())
        text: Any = await self.redis.get(key)
        return (text or b"").decode(), await self.redis.pttl(key)

    async def lose_epoch(self) -> None:
        """What a restart of Redis does: the board was loaded under another history."""
        await self.redis.hset(self.keys.meta, "epoch", "another")


@asynccontextmanager
async def opened_arena(
    settings: Settings,
    redis: Redis,
    pool: asyncpg.Pool,
    board: str = "arena",
    *,
    judged: CallMaker | None = None,
    **changed: Any,
) -> AsyncIterator[Arena]:
    """``judged`` prepares the calls while the board's gate is on."""
    settings = msgspec.structs.replace(settings, **changed)
    durable = recovery(settings, topology_at(settings.redis_url), redis, redis, pool)
    submitter = Submitter(
        ScriptLines(
            topology_at(settings.redis_url),
            timeout=settings.redis_timeout,
            most=4,
        ),
        durable.rebuilder,
        keyspace=durable.keyspace,
        dedupe_window=settings.dedupe_window,
        board_idle=settings.board_idle,
        backlog_limit=settings.backlog_limit,
        waits=no_durability_waits(),
        judged=judged or PlainCalls(durable.keyspace),
        calendar=durable.calendar,
    )
    try:
        yield Arena(board, redis, durable, submitter, settings)
    finally:  # or the connections of a test that fails would be told of in those behind it
        await submitter.close()
        await durable.rebuilder.close()
