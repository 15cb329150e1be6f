"""What a service costs of which nobody asks anything: CPU of each of its processes.

    python -m scripts.bench.rest [--seconds 60] [--boards 0]

That of `scoreboard up` itself, which a deployment does not have, is told apart. Each of the
``boards`` has three periods, of each of which an occurrence is open.
"""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import asyncpg
import typer
from rich.console import Console

from scoreboard.domain.boards import BoardSettings
from scoreboard.settings import Settings
from scoreboard.wire.keys import Keyspace
from scripts.bench.figures import Bound, JsonFile, report
from scripts.bench.periods import PERIODS
from scripts.load import cpu, service

SETTLE = 20.0  # seconds after the start until it rests
ALL = "all of it, % of a core"
OPENED, ENDS = 0, 4_000_000_000_000  # Unix ms; none of them ends meanwhile


def main(
    seconds: Annotated[float, typer.Option(help="How long to look.", min=1)] = 60.0,
    boards: Annotated[int, typer.Option(help="Boards with periods.", min=0)] = 0,
    json: JsonFile = None,
) -> None:
    """Measure a whole service at rest; a minute and a half."""
    with Console().status("at rest"), service.of_our_own(1) as server:
        assert server.pid is not None
        assert server.database_url is not None
        if boards:
            asyncio.run(_make_boards(server.database_url, boards))
        time.sleep(SETTLE)
        since, before, of_up = time.perf_counter(), cpu.parts(server.pid), cpu.own(server.pid)
        time.sleep(seconds)
        after, passed = cpu.parts(server.pid), time.perf_counter() - since
        up = (cpu.own(server.pid) - of_up) / passed * 100
    shares = {part: (after[part] - before[part]) / passed * 100 for part in after}
    figures = {f"{part}, % of a core": share for part, share in shares.items()}
    report(
        {ALL: sum(shares.values()), **figures, "`up`, % of a core": up},
        json,
        targets={ALL: Bound(0.3)},
    )


async def _make_boards(database_url: str, count: int) -> None:
    keyspace, rules = Keyspace(Settings().partitions), BoardSettings(periods=PERIODS).to_text()
    names = [f"board{number}" for number in range(count)]
    database = await asyncpg.connect(database_url)
    await database.execute(
        "INSERT INTO board (board, partition, settings, version)"
        " SELECT name, partition, $3, 1"
        " FROM unnest($1::text[], $2::integer[]) AS made (name, partition)",
        names,
        list(map(keyspace.partition_of, names)),
        rules,
    )
    await database.execute(
        "INSERT INTO period_occurrence (board, period, occurrence, starts_at, ends_at, final_at)"
        " SELECT name, period, 1, $3, $4, $4"
        " FROM unnest($1::text[]) AS name, unnest($2::text[]) AS period",
        names,
        [period.name for period in PERIODS],
        OPENED,
        ENDS,
    )
    await database.close()


if __name__ == "__main__":
    typer.run(main)
