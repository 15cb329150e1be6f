"""A keeper of weeks in a process of its own, which ends when all that is due is judged.

python -m tests.support.judge_weeks REDIS_URL DATABASE_URL NOW_MS
"""

from __future__ import annotations

import asyncio
import sys

from scoreboard.assembly.moderation import week_keeper
from scoreboard.assembly.recovery import recovery
from scoreboard.pg.pool import open_pool
from scoreboard.redisio.topologies import topology_of
from scoreboard.settings import Settings
from scoreboard.workers import week_keeper as steps
from tests.support.signing import JWT_KEYS
from tests.support.waiting import PATIENCE


async def judge(redis_url: str, database_url: str, now: int) -> None:
    settings = Settings(
        redis_url=redis_url,
        database_url=database_url,
        jwt_keys=JWT_KEYS,
        redis_timeout=PATIENCE,
    )
    topology = topology_of(settings)
    redis = topology.client(timeout=settings.redis_timeout)
    pool = await open_pool(database_url, connections=5, timeout=PATIENCE)
    durable = recovery(settings, topology, redis, redis, pool)
    await week_keeper(redis, pool, durable).judge_all(now)


if __name__ == "__main__":
    steps.PAGE = 2
    asyncio.run(judge(sys.argv[1], sys.argv[2], int(sys.argv[3])))
