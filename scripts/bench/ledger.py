"""What the persister's write costs on a ledger in parts of time, beside one plain table.

    python -m scripts.bench.ledger [--known 500000] [--actions 100000] [--users 10000]

Starts a durable Postgres of its own with two databases that have the same ``known`` actions of the
last ten weeks: one table here, parts there. Then both get the same batches in turn, by the
persister's own statements, so that what else the machine does meets both. The CPU time is that of
Postgres's process behind the connection; sizes of indexes are those of all parts together.
"""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import msgspec
import typer

from scoreboard.domain.ledger import Entry
from scoreboard.local.embedded_servers import Postgres
from scoreboard.pg.ledger import Ledger
from scoreboard.pg.ledger_parts import PART, open_ahead, partition
from scoreboard.pg.migrations import migrate
from scoreboard.pg.pool import open_pool
from scoreboard.wire.events import Body, Event, decode_event
from scripts.bench.figures import Bound, JsonFile, report
from scripts.load.cpu import used
from scripts.load.servers import temporary_folder

BOARD = "arena"
CONTEXT = (
    '{"occurredAt":"2026-01-31T18:00:00Z","ip":"203.0.113.7","country":"FR",'
    '"deviceId":"phone-4711","actionType":"kill"}'
)
CHUNK = 50_000
REACH = 35 * 86_400.0  # seconds: what SCOREBOARD_LEDGER_DEDUPE is by default


class Ledgers(NamedTuple):
    """One form of the ledger: its database, and a pool of it."""

    database: asyncpg.Connection
    pool: asyncpg.Pool


async def opened(postgres: Postgres, name: str) -> Ledgers:
    """A new database with the schema."""
    admin = await asyncpg.connect(postgres.database_url("postgres"))
    await admin.execute(f"CREATE DATABASE {name}")
    await admin.close()
    url = postgres.database_url(name)
    database = await asyncpg.connect(url)
    await migrate(database)
    return Ledgers(database, await open_pool(url, connections=1, timeout=60))


async def cut(database: asyncpg.Connection) -> int:
    """Cuts an empty ledger. Returns where its first part ends, Unix ms, of four."""
    await partition(database, lambda _: None)
    bound = int(await database.fetchval("SELECT min(to_ms) FROM ledger_part"))
    await open_ahead(database, bound + PART)
    return bound


async def fill(database: asyncpg.Connection, known: int, users: int, begin: int, span: int) -> None:
    """Writes known actions of random users, spread over ``span`` ms from ``begin`` on."""
    draw = random.Random(1)
    await database.execute("SET scoreboard.asks = 'on'")  # all are new
    for start in range(0, known, CHUNK):
        rows = [
            (
                *(BOARD, f"player-{draw.randrange(users):07}", f"match-{i >> 5}:{i}", 5, 5),
                *(begin + span * i // known, i, "accepted", f"k3f9.{i:x}", CONTEXT),
            )
            for i in range(start, min(start + CHUNK, known))
        ]
        await database.copy_records_to_table(
            "score_action",
            records=rows,
            columns=(
                *("board", "user_id", "action_id", "points", "score"),
                *("event_ms", "event_seq", "status", "attempt_id", "context"),
            ),
        )
    await database.execute("ANALYZE score_action")
    await database.execute("CHECKPOINT")


def batch_of(draw: random.Random, first: int, size: int, users: int, now: int) -> Any:
    """Events of further actions, at ``now``."""
    found: list[tuple[Event, Entry]] = []
    for i in range(first, first + size):
        body = Body(
            *(1, BOARD, f"player-{draw.randrange(users):07}", f"late-{i >> 5}:{i}", 5),
            f"m7.{i:x}",
            i=now,
            c=msgspec.Raw(CONTEXT.encode()),
        )
        known = ((b"o", b"A"), (b"s", b"5"), (b"k", b"%d" % now), (b"n", b"0"))
        entry = (b"%d-%d" % (now, i), dict((*known, (b"d", msgspec.json.encode(body)))))
        found.append((decode_event(*entry), entry))
    return found


async def size_of_ledger(database: asyncpg.Connection, function: str) -> float:
    """Bytes that a function of Postgres gives for a table, summed up over all parts."""
    parts = await database.fetch("SELECT relid::text FROM pg_partition_tree('score_action')")
    tables = [row[0] for row in parts] or ["score_action"]
    return sum([float(await database.fetchval(f"SELECT {function}('{one}')")) for one in tables])


async def measure(
    postgres: Postgres, known: int, actions: int, users: int, batch: int
) -> dict[str, float]:
    forms = {name: await opened(postgres, name) for name in ("plain", "parts")}
    begin = await cut(forms["parts"].database) - PART
    for form in forms.values():
        await fill(form.database, known, users, begin, 2 * PART)
    now = begin + 2 * PART + 1  # the running part is the third
    sums = {name: {"seconds": 0.0, "cpu": 0.0, "wal": 0.0} for name in forms}
    draw = random.Random(2)
    for first in range(0, actions, batch):
        events = batch_of(draw, first, min(batch, actions - first), users, now)
        for name, form in forms.items():
            async with Ledger(form.pool, reach=REACH).locked(0) as session:
                pid = session.connection.get_server_pid()
                wal = await form.database.fetchval("SELECT pg_current_wal_insert_lsn()")
                cpu, started = used(pid), time.perf_counter()
                await session.write(events, ())
                sums[name]["seconds"] += time.perf_counter() - started
                sums[name]["cpu"] += used(pid) - cpu
                query = "SELECT pg_current_wal_insert_lsn() - $1::pg_lsn"
                sums[name]["wal"] += float(await form.database.fetchval(query, wal))
    figures: dict[str, float] = {"known": known, "actions": actions}
    for name, form in forms.items():
        assert await form.database.fetchval("SELECT count(*) FROM score_action") == known + actions
        rows = await size_of_ledger(form.database, "pg_table_size")
        indexes = await size_of_ledger(form.database, "pg_indexes_size")
        figures |= {
            f"{name}_actions_per_second": round(actions / sums[name]["seconds"]),
            f"{name}_postgres_cpu_us_per_action": round(sums[name]["cpu"] * 1e6 / actions, 1),
            f"{name}_wal_bytes_per_action": round(sums[name]["wal"] / actions),
            f"{name}_row_bytes_per_action": round(rows / (known + actions), 1),
            f"{name}_index_bytes_per_action": round(indexes / (known + actions), 1),
        }
        figures[f"{name}_total_bytes_per_user"] = await form.database.fetchval(
            "SELECT pg_total_relation_size('user_score') / count(*) FROM user_score"
        )
        await form.pool.close()
        await form.database.close()
    figures["cost"] = round(
        figures["plain_actions_per_second"] / figures["parts_actions_per_second"], 3
    )
    return figures


def main(
    known: int = 500_000,
    actions: int = 100_000,
    users: int = 10_000,
    batch: int = 5_000,
    json: JsonFile = None,
) -> None:
    """Measure what the persister's write costs on a ledger in parts, beside one plain table."""
    with temporary_folder() as folder:
        postgres = Postgres(Path(folder) / "postgres")
        try:
            postgres.start()
            figures = asyncio.run(measure(postgres, known, actions, users, batch))
        finally:
            postgres.stop()
    report(figures, json, targets={"cost": Bound(1.1)})


if __name__ == "__main__":
    typer.run(main)
