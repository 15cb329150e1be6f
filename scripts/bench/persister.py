"""How fast the persister drains a backlog into Postgres, and at what cost.

    python -m scripts.bench.persister [--actions 100000] [--boards 1] [--users 10000] [--periods 0]

Starts a Valkey and a durable Postgres of its own, fills the streams with realistic events, and
drains them with one persister in this process while nothing else runs. The CPU time is that of the
persister, of Postgres (all its processes) and of Valkey.
"""

from __future__ import annotations

import asyncio
import random
import resource
import time
from collections import defaultdict
from typing import NamedTuple

import asyncpg
import typer
import uvloop
from redis.asyncio import Redis

from scoreboard.assembly.recovery import recovery
from scoreboard.local.embedded_servers import Postgres, Valkey
from scoreboard.pg.migrations import migrate
from scoreboard.pg.pool import open_pool
from scoreboard.redisio.script_line import pack
from scoreboard.redisio.topologies import topology_at
from scoreboard.settings import Settings
from scoreboard.wire.keys import Keyspace
from scoreboard.workers.persister import Persister
from scripts.bench.figures import Bound, JsonFile, report
from scripts.load.cpu import used
from scripts.load.servers import databases

CHUNK = 2_000
CONTEXT = (
    '{"occurredAt":"2026-01-31T18:00:00Z","ip":"203.0.113.7","country":"FR",'
    '"deviceId":"phone-4711","actionType":"kill"}'
)


class Backlog(NamedTuple):
    actions: int
    boards: int
    users: int
    periods: int


async def fill(redis: Redis, settings: Settings, backlog: Backlog) -> None:
    """Appends accepted events of random users, as submit_scores does."""
    actions, boards, users, periods = backlog
    draw = random.Random(1)
    names = [f"board-{i}" for i in range(boards)]
    keys = [Keyspace(settings.partitions).board(name).events.encode() for name in names]
    totals: defaultdict[tuple[int, int], int] = defaultdict(int)
    start_ms = round(time.time() * 1000)
    connection = redis.connection_pool.make_connection()
    await connection.connect()
    for begin in range(0, actions, CHUNK):
        commands = []
        for i in range(begin, min(begin + CHUNK, actions)):
            which, user, points = i % boards, draw.randrange(users), draw.randint(1, 50)
            before = totals[which, user]
            totals[which, user] += points
            moves = b";".join(
                b"p%d:1 %d %d %d" % (period, before + points, start_ms + i, before)
                for period in range(periods)
            )
            body = (
                f'{{"v":{3 if periods else 1},"b":"{names[which]}","u":"player-{user:07}",'
                f'"a":"match-{i >> 5}:{i}","p":{points},"t":"k3f9.{i:x}",'
                f'"i":{start_ms},"c":{CONTEXT}}}'
            )
            commands.append(
                pack(
                    (
                        *(b"XADD", keys[which], b"*", b"o", b"A"),
                        *(b"s", b"%d" % totals[which, user], b"k", b"%d" % (start_ms + i)),
                        *(b"n", b"%d" % (i // 100), b"d", body.encode()),
                        *((b"q", moves) if periods else ()),
                    )
                )
            )
        await connection.send_packed_command(commands)
        for _ in commands:
            await connection.read_response()
    await connection.disconnect()


async def measure(
    settings: Settings, backlog: Backlog, valkey: Valkey, postgres: Postgres
) -> dict[str, float]:
    topology = topology_at(settings.redis_url)
    redis, blocking = topology.client(timeout=10), topology.client(timeout=None)
    database = await asyncpg.connect(settings.database_url)
    await migrate(database)
    await fill(redis, settings, backlog)
    pool = await open_pool(settings.database_url, connections=settings.partitions, timeout=60)
    durable = recovery(settings, topology, redis, blocking, pool)
    persister = Persister(
        durable.streams, durable.ledger, durable.reverter, batch=settings.persist_batch
    )
    keyspace = Keyspace(settings.partitions)
    streams = {keyspace.board(f"board-{i}").events for i in range(backlog.boards)}

    def cpu() -> dict[str, float]:
        return {
            "persister": time.process_time(),
            "postgres": used(postgres.process.pid or 0),
            "valkey": used(valkey.process.pid or 0),
        }

    wal = await database.fetchval("SELECT pg_current_wal_lsn()")
    before, started = cpu(), time.perf_counter()
    stopping = asyncio.Event()
    task = asyncio.create_task(persister.run(stopping))
    while sum([await redis.xlen(stream) for stream in streams]):  # noqa: ASYNC110 (ask the server)
        await asyncio.sleep(0.05)
    seconds = time.perf_counter() - started
    after = cpu()
    stopping.set()
    await task
    wal_bytes = await database.fetchval("SELECT pg_current_wal_lsn() - $1::pg_lsn", wal)
    rows = await database.fetchval(
        "SELECT (SELECT count(*) FROM score_action) + (SELECT count(*) FROM user_score)"
    )
    written = await database.fetchval("SELECT count(*) FROM score_action")
    assert written == backlog.actions, f"{written} of {backlog.actions} actions are in the ledger"
    for closing in (redis, blocking):
        await closing.aclose()
    await pool.close()
    await database.close()
    thousands = backlog.actions / 1000
    return {
        "actions": backlog.actions,
        "boards": backlog.boards,
        "seconds": round(seconds, 2),
        "actions_per_second": round(backlog.actions / seconds),
        "rows": int(rows),
        "wal_bytes_per_thousand": round(float(wal_bytes) / thousands),
        **{
            f"{name}_cpu_ms_per_thousand": round((after[name] - before[name]) * 1000 / thousands, 1)
            for name in before
        },
        "persister_peak_rss_mb": round(
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1
        ),
    }


def main(
    actions: int = 100_000,
    boards: int = 1,
    users: int = 10_000,
    periods: int = 0,
    batch: int = Settings().persist_batch,
    json: JsonFile = None,
) -> None:
    """Measure how fast the persister drains a backlog into Postgres, and at what cost."""
    backlog = Backlog(actions, boards, users, periods)
    with databases() as (valkey, postgres):
        settings = Settings(redis_url=valkey.url, database_url=postgres.url, persist_batch=batch)
        figures = uvloop.run(measure(settings, backlog, valkey, postgres))
    report(figures, json, targets={"actions_per_second": Bound(25_000, at_least=True)})


if __name__ == "__main__":
    typer.run(main)
