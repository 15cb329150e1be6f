"""Builds the moderator, for the service and for the operator's commands."""

from __future__ import annotations

import asyncpg
from redis.asyncio import Redis

from scoreboard.assembly.recovery import Recovery
from scoreboard.pg.board_settings import StoredSettings
from scoreboard.pg.reviews import Reviews
from scoreboard.redisio.moderation import ModeratedBoards
from scoreboard.settings import Settings
from scoreboard.workers.moderator import Moderator


def moderator(settings: Settings, redis: Redis, pool: asyncpg.Pool, durable: Recovery) -> Moderator:
    """Puts the parts together without connecting to anything."""
    return Moderator(
        durable.ledger,
        durable.rebuilder,
        Reviews(pool),
        StoredSettings(pool),
        ModeratedBoards(redis, keyspace=durable.keyspace, dedupe_window=settings.dedupe_window),
        keyspace=durable.keyspace,
    )
