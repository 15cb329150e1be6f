"""How long a board is fenced while it is made live again.

    python -m scripts.bench.rebuild [--users 1000000] [--receipts 100000]

Starts a Valkey and a durable Postgres of its own, writes a board of many users into the ledger,
and measures: the load into an emptied Redis, a restart of Redis with its data intact, and a restart
that lost the last events. Every zset is compared with the ledger bit by bit afterwards.
"""

from __future__ import annotations

import asyncio
import resource
import time
from typing import Any

import asyncpg
import typer
import uvloop
from redis.asyncio import Redis

from scoreboard.assembly.recovery import Recovery, recovery
from scoreboard.domain.stamps import stamp
from scoreboard.local.embedded_servers import Valkey
from scoreboard.pg.migrations import migrate
from scoreboard.pg.pool import open_pool
from scoreboard.redisio.topologies import topology_at
from scoreboard.settings import Settings
from scoreboard.wire.keys import BoardKeys, Keyspace
from scripts.bench.figures import Bound, JsonFile, report
from scripts.load.servers import databases

BOARD = "big"
LOST = 1_000  # events that the crash takes

FILL = """
WITH events AS (
    SELECT i, $2 + i - CASE WHEN i <= $3 - $5 THEN 86400000 ELSE 0 END AS ms
    FROM generate_series(1, $3::bigint) AS i
), users AS (
    INSERT INTO user_score (board, user_id, score, reached_at, last_event_ms, last_event_seq)
    SELECT $1, 'player-' || lpad(i::text, 7, '0'), (i * 7919) % 100000,
           to_timestamp(ms / 1000::double precision), ms, 0
    FROM events
    RETURNING user_id, score, last_event_ms
), marks AS (
    INSERT INTO board (board, partition, version, event_ms, event_seq)
    VALUES ($1, $4, 1, $2 + $3, 0)
), progress AS (
    INSERT INTO partition_progress VALUES ($4, $2 + $3, 0)
)
INSERT INTO score_action (board, user_id, action_id, points, score, event_ms, event_seq, status,
                          attempt_id)
SELECT $1, user_id, 'match-1', score, score, last_event_ms, 0, 'accepted', 'k3f9.' || last_event_ms
FROM users ORDER BY last_event_ms
"""


async def compare(database: asyncpg.Connection, redis: Redis, keys: BoardKeys) -> None:
    """The zset is the ledger's, bit by bit."""
    rows = await database.fetch(
        "SELECT user_id, score, (extract(epoch FROM reached_at) * 1000)::bigint FROM user_score"
    )
    expected = {user.encode(): stamp(total, reached) for user, total, reached in rows}
    found: Any = await redis.zrange(keys.board, 0, -1, withscores=True)
    assert dict(found) == expected, "Redis and Postgres differ"


async def timed(durable: Recovery) -> float:
    started = time.perf_counter()
    await durable.rebuilder.ensure(BOARD, create=False)
    return round(time.perf_counter() - started, 3)


async def measure(
    settings: Settings, users: int, receipts: int, valkey: Valkey
) -> dict[str, float]:
    topology = topology_at(settings.redis_url)
    redis = topology.client(timeout=60)
    database = await asyncpg.connect(settings.database_url)
    await migrate(database)
    keys = Keyspace(settings.partitions).board(BOARD)
    # One event a millisecond up to now; all but the last ones a whole dedupe window earlier.
    start_ms = round(time.time() * 1000) - users
    await database.execute(FILL, BOARD, start_ms, users, keys.partition, receipts)
    await database.execute("VACUUM ANALYZE")
    pool = await open_pool(settings.database_url, connections=4, timeout=60)
    durable = recovery(settings, topology, redis, redis, pool)

    spent = time.process_time()
    loaded = await timed(durable)
    spent = time.process_time() - spent
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await compare(database, redis, keys)
    kept = await redis.dbsize()
    await redis.config_set("save", "")
    await restart(valkey)
    adopted = await timed(durable)
    await compare(database, redis, keys)

    behind = await database.fetch(
        "SELECT user_id FROM user_score ORDER BY last_event_ms DESC LIMIT $1", LOST
    )
    await redis.zrem(keys.board, *[row["user_id"] for row in behind])
    await redis.hset(keys.meta, "event", f"{start_ms + users - LOST}-0")
    await restart(valkey)
    reconciled = await timed(durable)
    await compare(database, redis, keys)

    await redis.aclose()
    await pool.close()
    await database.close()
    return {
        "users": users,
        "receipts": kept - 3,  # and the board, its meta hash and the stream
        "load_seconds": loaded,
        "load_cpu_seconds": round(spent, 2),
        "adopt_seconds": adopted,
        "reconcile_seconds": reconciled,
        "load_peak_rss_mb": round(peak_kb / 1024, 1),
    }


async def restart(valkey: Valkey) -> None:
    await asyncio.to_thread(valkey.stop)
    await asyncio.to_thread(valkey.start)


def main(users: int = 1_000_000, receipts: int = 100_000, json: JsonFile = None) -> None:
    """Measure how long a board is fenced while it is made live again."""
    with databases() as (valkey, postgres):
        settings = Settings(redis_url=valkey.url, database_url=postgres.url, database_timeout=60)
        figures = uvloop.run(measure(settings, users, receipts, valkey))
    report(figures, json, targets={"load_seconds": Bound(20), "adopt_seconds": Bound(1)})


if __name__ == "__main__":
    typer.run(main)
