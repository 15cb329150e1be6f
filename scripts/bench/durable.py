"""What a durable action costs: posts that are answered once Postgres has them, and those that Redis
answers for, on a whole service of our own.

    python -m scripts.bench.durable [--seconds 5] [--rounds 3] [--gate off]

Each load runs in turn, several times over; figures are medians. CPU is that of all the service's
processes, with what the persister and Postgres still do once the last post is answered. The gate
of the board is off; by itself `scoreboard up` sets it to the mode flag, in which an action takes
about as much again.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import defaultdict
from typing import Annotated, NamedTuple

import asyncpg
import typer
from rich.console import Console

from scripts.bench import http_client
from scripts.bench.figures import Bound, JsonFile, report
from scripts.bench.http_client import Load, Outcome
from scripts.load import cpu, service
from scripts.load.service import Server

LEVEL = "postgres"


class Case(NamedTuple):
    """Posts of ``size`` actions, as fast as ``connections`` get answers, or at a ``rate``."""

    level: str
    connections: int
    size: int = 1
    rate: float | None = None

    def __str__(self) -> str:
        what = f"{self.level}, {self.connections} connections"
        what += f", batches of {self.size}" if self.size > 1 else ""
        return what + (f", {self.rate:,.0f}/s" if self.rate else "")


LONE, MANY, CROWD = Case(LEVEL, 1), Case(LEVEL, 64), Case(LEVEL, 256)
SINGLE, BATCHES = Case("redis", 64), Case("redis", 8, size=100)
CALM = Case("redis", 64, rate=800)
CASES = [LONE, MANY, CROWD, Case(LEVEL, 8, size=100), SINGLE, BATCHES, CALM]


def main(
    seconds: Annotated[float, typer.Option(help="Length of one measurement.", min=0.5)] = 5.0,
    rounds: Annotated[int, typer.Option(help="How often each is measured.", min=1)] = 3,
    gate: Annotated[str, typer.Option(help="Mode of the board's gate: off, flag, reject.")] = "off",
    json: JsonFile = None,
) -> None:
    """Measure posts by the durability that they ask for; about two minutes."""
    settings = {"SCOREBOARD_DEFAULT_GATE_MODE": gate}
    seen: defaultdict[str, list[float]] = defaultdict(list)
    with (
        Console().status("starting a service") as status,
        service.of_our_own(1, settings) as server,
    ):
        for turn in range(rounds + 1):  # the first makes the board live and is not counted
            for case in CASES:
                status.update(str(case))
                figures = asyncio.run(_measured(server, case, seconds if turn else 1.0, turn))
                for name, value in figures.items() if turn else ():
                    seen[f"{case}: {name}"].append(value)
    report(
        {name: statistics.median(values) for name, values in seen.items()},
        json,
        targets={
            f"{LONE}: p50, ms": Bound(5),
            f"{MANY}: posts/s": Bound(6_000, at_least=True),
            f"{MANY}: p50, ms": Bound(10),
            f"{MANY}: p99, ms": Bound(25),
            f"{MANY}: CPU, \u00b5s an action": Bound(200),
            f"{CROWD}: posts/s": Bound(9_000, at_least=True),
            f"{SINGLE}: CPU, \u00b5s an action": Bound(65),
            f"{BATCHES}: CPU, \u00b5s an action": Bound(38),
            f"{CALM}: CPU, \u00b5s an action": Bound(250),
        },
    )


async def _measured(server: Server, case: Case, seconds: float, turn: int) -> dict[str, float]:
    kind = "score" if case.size == 1 else f"scores-{case.size}"
    seed = hash((case, turn, time.monotonic_ns()))
    load = Load(server.target, kind, seconds, case.connections, case.rate, seed, case.level)
    outcome, spent = await posted(server, load)
    return {
        "posts/s": outcome.rate,
        "p50, ms": outcome.percentile_ms(50),
        "p99, ms": outcome.percentile_ms(99),
        "CPU, \u00b5s an action": sum(spent.values()),
        **{f"{part}, \u00b5s": value for part, value in spent.items()},
    }


async def posted(server: Server, load: Load) -> tuple[Outcome, dict[str, float]]:
    """What came of a load of posts, and the microseconds of CPU that each part of the service spent
    on an action of it, with what follows on the last post."""
    assert server.pid is not None
    assert server.database_url is not None
    database = await asyncpg.connect(server.database_url)
    try:
        counted = await settled(database)
        before = cpu.parts(server.pid)
        outcome = await http_client.run(load)
        actions = await settled(database) - counted
    finally:
        await database.close()
    after = cpu.parts(server.pid)
    if set(outcome.statuses) != {200}:
        raise SystemExit(f"{load.kind}: answers {dict(outcome.statuses)}")
    return outcome, {part: (after[part] - before[part]) / actions * 1e6 for part in after}


async def settled(database: asyncpg.Connection, ledger: str = "score_action") -> int:
    """How many actions the table ``ledger`` has, once it gets no more."""
    found: int = -1
    while True:
        latest: int = await database.fetchval(f"SELECT count(*) FROM {ledger}")  # noqa: S608
        if latest == found:
            return found
        found = latest
        await asyncio.sleep(0.3)


if __name__ == "__main__":
    typer.run(main)
