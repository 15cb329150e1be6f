"""What a board's rules cost in the script: python -m scripts.bench.rules

Calls of submit_scores on boards with rules take turns with such on a board without, so that a busy
machine disturbs both alike. Printed is the time in the script an action, and the median of the
rounds' ratios to the board without.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from statistics import median
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from scoreboard.domain.boards import BoardSettings
from scripts.bench.figures import JsonFile, write
from scripts.bench.periods import PERIODS
from scripts.bench.script_calls import FullBoard, Line, running

USERS = 100_000
CALLS = {1: 1_000, 10: 150, 100: 20}  # in a round, by the actions of a call
IN_FLIGHT = 16
RULES = {
    "none": BoardSettings(),
    "asc": BoardSettings(order="asc"),
    "last": BoardSettings(operator="last"),
    "best": BoardSettings(operator="best"),
    "standard ranks": BoardSettings(rank_style="standard"),
    "top of 100": BoardSettings(top_size=100),
    "best, asc, standard": BoardSettings(operator="best", order="asc", rank_style="standard"),
    "opens": BoardSettings(opens=datetime(2026, 1, 1, tzinfo=UTC)),
    "attempts, capacity": BoardSettings(attempts=1_000_000, capacity=1_000_000),
    "1 period": BoardSettings(periods=PERIODS[:1]),
    "3 periods": BoardSettings(periods=PERIODS),
}


def main(
    seconds: Annotated[float, typer.Option(help="New rounds begin until then.")] = 40,
    json: JsonFile = None,
) -> None:
    """Measure what a board's rules cost in the script."""
    spent: dict[tuple[str, int], list[float]] = {
        (name, batch): [] for name in RULES for batch in CALLS
    }
    with running(None) as (valkey, redis):
        boards = {
            name: FullBoard(redis, f"board-{number}", USERS, settings)
            for number, (name, settings) in enumerate(RULES.items())
        }
        line = Line(valkey.url)
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            for name, batch in spent:
                spent[name, batch].append(_round(redis, line, boards[name], batch))
        line.close()
    rows = [
        {
            "rules": name,
            "batch": batch,
            "script": min(times),
            "ratio": median(
                own / plain for own, plain in zip(times, spent["none", batch], strict=True)
            ),
        }
        for (name, batch), times in spent.items()
    ]
    table = Table(title=f"The script on boards of {USERS:,} users")
    for heading in ("rules", "a call", "script, µs an action", "to none"):
        table.add_column(heading, justify="left" if heading == "rules" else "right")
    for row in rows:
        table.add_row(
            *(str(row["rules"]), str(row["batch"])),
            *(f"{row['script']:.1f}", f"{row['ratio']:.2f}"),
        )
    Console().print(table)
    write({"figures": rows}, json)


def _round(redis: Any, line: Line, board: FullBoard, batch: int) -> float:
    """Microseconds in the script an action."""
    calls = [board.call(batch) for _ in range(CALLS[batch])]
    redis.config_resetstat()
    line.run(calls, IN_FLIGHT)
    spent = redis.info("commandstats")["cmdstat_evalsha"]["usec"]
    redis.xtrim(board.keys.events, maxlen=0, approximate=False)
    return float(spent / len(calls) / batch)


if __name__ == "__main__":
    typer.run(main)
