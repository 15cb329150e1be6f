"""What the size of a board costs: CPU of a whole service for calls to boards of 1,000 to 1,000,000
users.

    python -m scripts.bench.growth [--full] [--seconds 2] [--rounds 3]

One service of our own has a board of each size. Each load runs in turn on all of them, several
times over; figures are medians. CPU is that of all the service's processes, so that it can be
compared on a machine that does other work as well; for posts with what the persister and Postgres
still do once the last one is answered.
"""

from __future__ import annotations

import asyncio
import math
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Annotated, Any

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from scoreboard.wire.keys import Keyspace
from scripts.bench import http_client
from scripts.bench.durable import settled
from scripts.bench.figures import JsonFile, write
from scripts.bench.http_client import Load
from scripts.load import cpu, service
from scripts.load.service import Server
from scripts.load.target import Target

SIZES = (1_000, 100_000, 1_000_000)
PARTITIONS = 8  # as `scoreboard up` has them
SCORES = 1_000_000
DAY_MS = 86_400_000
READS = ("top", "rank", "around", "user", "standings")
LOADS = ("score", *READS)
SLACK = 1.5  # times the logarithm, by which a read may grow
PATIENCE = 300.0  # seconds until a board is live

Spent = dict[tuple[str, int], float]  # microseconds of a load's call, by the size of the board


def main(
    seconds: Annotated[float, typer.Option(help="Length of one measurement.", min=0.5)] = 2.0,
    rounds: Annotated[int, typer.Option(help="How often each is measured.", min=1)] = 3,
    full: Annotated[bool, typer.Option("--full", help="Also 10,000,000 users.")] = False,
    json: JsonFile = None,
) -> None:
    """Measure calls to boards of several sizes; about four minutes."""
    sizes = (*SIZES, 10_000_000) if full else SIZES
    console = Console()
    with console.status("starting a service") as status, service.of_our_own(1) as server:
        assert server.database_url is not None
        for users in sizes:
            status.update(f"a board of {users:,} users")
            asyncio.run(fill(server.database_url, users))
            make_live(server.target, users)
        seen: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
        for turn in range(rounds):
            for kind in LOADS:
                for users in sizes if turn % 2 else reversed(sizes):
                    status.update(f"round {turn + 1}: {kind}, {users:,} users")
                    seen[kind, users].append(asyncio.run(_spent(server, kind, users, seconds)))
    medians = {case: statistics.median(values) for case, values in seen.items()}
    console.print(_table(medians, sizes))
    write({f"{kind}, {users} users, µs": spent for (kind, users), spent in medians.items()}, json)
    if missed := [kind for kind in READS if not _keeps_pace(medians, kind, sizes)]:
        console.print(f"[red]grows faster than {SLACK} times the logarithm: {', '.join(missed)}[/]")
        raise typer.Exit(1)


def board_of_size(users: int) -> str:
    """The name of the board with so many users."""
    return f"size-{users}"


async def fill(database_url: str, users: int) -> None:
    """Writes a board into the ledger, as a persister would have long ago."""
    board, chance = board_of_size(users), random.Random(users)
    long_ago = round(time.time() * 1000) - DAY_MS - users

    def row(number: int) -> tuple[Any, ...]:
        at = long_ago + number
        reached = datetime.fromtimestamp(at / 1000, UTC)
        return board, f"user{number}", chance.randrange(SCORES), reached, at, 0

    database = await asyncpg.connect(database_url)
    await database.copy_records_to_table(
        "board",
        columns=["board", "partition", "version", "event_ms"],
        records=[(board, Keyspace(PARTITIONS).partition_of(board), 1, long_ago + users)],
    )
    await database.copy_records_to_table(
        "user_score",
        columns=["board", "user_id", "score", "reached_at", "last_event_ms", "last_event_seq"],
        records=map(row, range(users)),
        timeout=PATIENCE,
    )
    await database.execute("VACUUM ANALYZE user_score", timeout=PATIENCE)
    await database.close()


def make_live(target: Target, users: int) -> None:
    """Asks for the board until Redis answers: its tops have a version, and Postgres's have not."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        connection = HTTPConnection(target.host, target.port, timeout=30)
        connection.request("GET", f"/api/boards/{board_of_size(users)}/top")
        if connection.getresponse().getheader("ETag"):
            return
        connection.close()
        time.sleep(0.2)
    raise SystemExit(f"the board of {users:,} users is not live")


async def _spent(server: Server, kind: str, users: int, seconds: float) -> float:
    """CPU of all processes for a call, in microseconds."""
    assert server.pid is not None
    assert server.database_url is not None
    load = Load(
        server.target,
        kind,
        seconds,
        seed=time.monotonic_ns(),
        board=board_of_size(users),
        users=users,
    )
    database = await asyncpg.connect(server.database_url)
    try:
        await settled(database)
        before = cpu.parts(server.pid)
        outcome = await http_client.run(load)
        if kind not in READS:
            await settled(database)
        after = cpu.parts(server.pid)
    finally:
        await database.close()
    if set(outcome.statuses) != {200}:
        raise SystemExit(f"{kind} of {users:,} users: answers {dict(outcome.statuses)}")
    return (sum(after.values()) - sum(before.values())) / len(outcome.latencies) * 1e6


def _keeps_pace(medians: Spent, kind: str, sizes: Sequence[int]) -> bool:
    return all(
        medians[kind, users] / medians[kind, sizes[0]] <= SLACK * _logarithm(users, sizes)
        for users in sizes
    )


def _logarithm(users: int, sizes: Sequence[int]) -> float:
    return math.log(users) / math.log(sizes[0])


def _table(medians: Spent, sizes: Sequence[int]) -> Table:
    table = Table(title="CPU of all processes, µs a call (to that of the smallest board)")
    table.add_column("call")
    for users in sizes:
        table.add_column(f"{users:,} users", justify="right")
    for kind in LOADS:
        first = medians[kind, sizes[0]]
        spent = [medians[kind, users] for users in sizes]
        table.add_row(kind, *(f"{value:.1f} ({value / first:.2f})" for value in spent))
    table.add_row("logarithm", *(f"{_logarithm(users, sizes):.2f}" for users in sizes))
    return table


if __name__ == "__main__":
    typer.run(main)
