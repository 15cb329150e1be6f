"""How fast a sorted set of another library becomes a board, and a board a file, and at what cost.

    python -m scripts.bench.in_and_out [--users 100000] [--persist]

Starts a Valkey and a durable Postgres of its own, makes a sorted set of so many members, and
imports it as `scoreboard import --from-redis` does: once, and once more, which changes nothing.
Then all is persisted, standings and actions are exported as CSV, and the audit compares the ledger,
the totals and Redis, user by user. With ``--persist`` a persister works beside the import, as it
does in a deployment; without, it comes afterwards.
"""

from __future__ import annotations

import asyncio
import random
import resource
import sys
import time
from asyncio.subprocess import Process

import asyncpg
import typer
import uvloop
from redis.asyncio import Redis

from scoreboard.assembly.operator import Operator, operator
from scoreboard.commands.import_ import Given, import_standings
from scoreboard.domain.audit import Difference
from scoreboard.domain.snapshots import Wanted, What
from scoreboard.formats.writers import CsvWriter
from scoreboard.local.embedded_servers import Postgres, Valkey
from scoreboard.pg.exports import BoardExports
from scoreboard.pg.migrations import migrate
from scoreboard.redisio.topologies import topology_at
from scoreboard.settings import Settings
from scoreboard.wire.keys import Keyspace
from scoreboard.write_path.importer import BEFORE, NEW
from scripts.bench.figures import Bound, JsonFile, report
from scripts.load.cpu import used
from scripts.load.servers import databases, environment

BOARD, KEY = "arena", "highscores"
CHUNK = 10_000
WHATS: tuple[What, ...] = ("standings", "actions")


async def fill(redis: Redis, users: int) -> None:
    """A sorted set with scores as a game has them: many of them equal."""
    draw = random.Random(1)
    for begin in range(0, users, CHUNK):
        await redis.zadd(
            KEY,
            {
                f"player-{at:07}": draw.randrange(100_000)
                for at in range(begin, min(begin + CHUNK, users))
            },
        )


async def persisted(redis: Redis, stream: str) -> None:
    while await redis.xlen(stream):  # noqa: ASYNC110 (ask the server)
        await asyncio.sleep(0.2)


async def differences(tools: Operator) -> int:
    found: list[Difference] = []
    await tools.verifier.verify(BOARD, found.append, lambda _: None)
    return len(found)


async def exporting(tools: Operator, what: What) -> float:
    """The seconds that an export takes."""
    started = time.perf_counter()
    wanted = Wanted(BOARD, what)
    async with BoardExports(tools.pool).open(wanted, by="benchmark") as (snapshot, rows):
        writer = CsvWriter(snapshot)
        async for chunk in rows:
            writer.rows(chunk)
    return time.perf_counter() - started


async def measure(
    settings: Settings, users: int, valkey: Valkey, postgres: Postgres, persist: bool
) -> dict[str, float]:
    redis = topology_at(settings.redis_url).client(timeout=60)
    database = await asyncpg.connect(settings.database_url)
    await migrate(database)
    keyspace = Keyspace(settings.partitions)
    await database.execute(
        "INSERT INTO board (board, partition, version) VALUES ($1, $2, 1)",
        BOARD,
        keyspace.partition_of(BOARD),
    )
    await fill(redis, users)
    variables = environment(settings.redis_url, settings.database_url, {"k": "x" * 40})
    command = [sys.executable, "-m", "scoreboard", "persist"]
    given = Given(redis=settings.redis_url, key=KEY)

    def cpu() -> dict[str, float]:
        return {
            "import": time.process_time(),
            "valkey": used(valkey.process.pid or 0),
            "postgres": used(postgres.process.pid or 0),
        }

    async def start() -> Process:
        return await asyncio.create_subprocess_exec(*command, env=variables)

    persister = await start() if persist else None
    try:
        before, started = cpu(), time.perf_counter()
        counts = await import_standings(settings, BOARD, given)
        seconds = time.perf_counter() - started
        after = cpu()
        assert counts == {NEW: users}, counts
        persister = persister or await start()
        await persisted(redis, keyspace.board(BOARD).events)
        all_seconds = time.perf_counter() - started
        started = time.perf_counter()
        counts = await import_standings(settings, BOARD, given)
        again = time.perf_counter() - started
        assert counts == {BEFORE: users}, counts
    finally:
        if persister is not None:
            persister.terminate()
            await persister.wait()
    async with operator(settings) as tools:
        differing = await differences(tools)
        exported = {
            f"{what}_exported_per_second": round(users / await exporting(tools, what))
            for what in WHATS
        }
    await redis.aclose()
    await database.close()
    thousands = users / 1000
    return {
        "users": users,
        "seconds": round(seconds, 1),
        "rows_per_second": round(users / seconds),
        "seconds_until_all_is_in_postgres": round(all_seconds, 1),
        "rows_per_second_of_a_second_run": round(users / again),
        **exported,
        "differences": differing,
        **{
            f"{name}_cpu_ms_per_thousand": round((after[name] - before[name]) * 1000 / thousands, 1)
            for name in before
        },
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def main(users: int = 100_000, persist: bool = False, json: JsonFile = None) -> None:
    """Measure how fast a sorted set becomes a board, and a board a file, and at what cost."""
    with databases() as (valkey, postgres):
        settings = Settings(
            redis_url=valkey.url, database_url=postgres.url, backlog_limit=max(users * 2, 1_000_000)
        )
        figures = uvloop.run(measure(settings, users, valkey, postgres, persist))
    targets = {
        "rows_per_second": Bound(20_000, at_least=True),
        "rows_per_second_of_a_second_run": Bound(20_000, at_least=True),
        "differences": Bound(0),
    }
    report(figures, json, targets=targets)


if __name__ == "__main__":
    typer.run(main)
