"""What submit_scores costs when it is called directly: python -m scripts.bench.script [--full]

Calls are prepared beforehand and sent over one connection to a server of its own (append-only file
synced every second). For every size of the board and of the call it prints the best of several
rounds, which take turns so that a busy machine disturbs all alike: actions a second on the wire,
CPU of the whole server, time in the script, and its part in the sorted set's commands (nothing
else depends on the size of the board), each per action. The last lines tell how the time in the
script grows with the board, next to the logarithm.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from scripts.bench.figures import JsonFile, write
from scripts.bench.script_calls import FullBoard, Line, running

SIZES = (10**3, 10**4, 10**5, 10**6)
FULL_SIZES = (*SIZES, 10**7)
BATCHES = (1, 10, 100, 1000)
IN_FLIGHT = {1: 64, 10: 16, 100: 2, 1000: 2}  # calls sent at a time
ACTIONS = {1: 4_000, 10: 8_000, 100: 10_000, 1000: 10_000}  # in a round
GROWTH_BATCH = 100
SORTED_SET = ("zmscore", "zincrby", "zrevrank")


@dataclass
class Figures:
    """The best of all rounds: per second, and microseconds per action."""

    users: int
    batch: int
    rate: float = 0.0
    cpu: float = math.inf
    script: float = math.inf
    sorted_set: float = math.inf


def cpu_seconds(redis: Any) -> float:
    used = redis.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"])


def measure(redis: Any, line: Line, board: FullBoard, best: Figures) -> None:
    """One round; ``best`` keeps what is better than before."""
    actions = ACTIONS[best.batch]
    calls = [board.call(best.batch) for _ in range(actions // best.batch)]
    redis.config_resetstat()
    cpu, started = cpu_seconds(redis), time.perf_counter()
    line.run(calls, IN_FLIGHT[best.batch])
    elapsed = time.perf_counter() - started
    spent = redis.info("commandstats")
    in_sorted_set = sum(spent[f"cmdstat_{name}"]["usec"] for name in SORTED_SET)
    best.rate = max(best.rate, actions / elapsed)
    best.cpu = min(best.cpu, (cpu_seconds(redis) - cpu) * 1e6 / actions)
    best.script = min(best.script, spent["cmdstat_evalsha"]["usec"] / actions)
    best.sorted_set = min(best.sorted_set, in_sorted_set / actions)
    redis.xtrim(board.keys.events, maxlen=0, approximate=False)


def growth(figures: list[Figures]) -> list[dict[str, float]]:
    """From each size of board to the next: the ratio of the times in the script and the ratio of
    the logarithms."""
    chosen = [best for best in figures if best.batch == GROWTH_BATCH]
    return [
        {
            "from": small.users,
            "to": large.users,
            "script": large.script / small.script,
            "logarithm": math.log(large.users) / math.log(small.users),
        }
        for small, large in pairwise(chosen)
    ]


def main(
    full: Annotated[bool, typer.Option("--full", help="Also 10,000,000 users.")] = False,
    seconds: Annotated[float, typer.Option(help="New rounds begin until then.")] = 40,
    server: Annotated[
        Path | None, typer.Option(help="A redis-server to use in place of Valkey.")
    ] = None,
    json: JsonFile = None,
) -> None:
    """Measure what submit_scores costs when it is called directly."""
    with running(server) as (valkey, redis):
        sizes = FULL_SIZES if full else SIZES
        boards = [FullBoard(redis, f"users-{size}", size) for size in sizes]
        figures = [Figures(board.users, batch) for board in boards for batch in BATCHES]
        line = Line(valkey.url)
        rounds, started = 0, time.monotonic()
        while time.monotonic() - started < seconds:
            for board in boards:
                for best in figures:
                    if best.users == board.users:
                        measure(redis, line, board, best)
            rounds += 1
        line.close()
        info = redis.info("server")
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = info.get("valkey_version", info["redis_version"])
    table = Table(title=f"submit_scores on {name} {version}, best of {rounds} rounds")
    for heading in ("users", "a call", "actions/s", "server CPU, µs", "script, µs", "zset, µs"):
        table.add_column(heading, justify="right")
    for best in figures:
        table.add_row(
            *(f"{best.users:,}", f"{best.batch:,}", f"{best.rate:,.0f}"),
            *(f"{best.cpu:.1f}", f"{best.script:.1f}", f"{best.sorted_set:.1f}"),
        )
    Console().print(table)
    steps = growth(figures)
    for step in steps:
        print(
            f"from {step['from']:,} to {step['to']:,} users: time in the script "
            f"x{step['script']:.2f}, logarithm x{step['logarithm']:.2f}"
        )
    write({"server": f"{name} {version}", "figures": figures, "growth": steps}, json)


if __name__ == "__main__":
    typer.run(main)
