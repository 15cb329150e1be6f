"""``make bench``: every benchmark in turn, each in a process of its own; figures in reports/."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from scripts.bench.shared_cores import slowdown

BENCHMARKS = {
    "script": "submit_scores alone: batch and board sizes",
    "rules": "submit_scores alone on boards with rules, against one without",
    "http": "posts, batches and reads over HTTP against their bounds",
    "durable": "posts by the durability that they ask for, over all processes",
    "shards": "the work of a board of 8 shards beside one without, and two masters beside one",
    "paging": "pages of a board of 100,000 while posts move half of it",
    "fanout": "WebSockets: broadcast, memory, idle cost, stalled clients",
    "players": "WebSockets that follow players of a board of a million",
    "names": "from the PUT of a name to a browser's row",
    "ledger": "the persister's write on a ledger in parts of time, beside one plain table",
    "folding": "an old part of the ledger into totals while batches are written",
    "persister": "from the stream into Postgres",
    "in_and_out": "a sorted set of another library into a board, and the board into files",
    "rebuild": "a board of a million users made live again",
    "gate": "the four agents",
    "memory": "Redis memory per user and per receipt",
    "startup": "start-up time and memory at rest",
    "rest": "CPU of a whole service at rest",
}
REPORTS = Path("reports")


def main(
    only: Annotated[
        list[str] | None, typer.Argument(help=f"Which: {', '.join(BENCHMARKS)}; default: all.")
    ] = None,
) -> None:
    """Run the benchmarks; about ten minutes for all of them on two idle cores."""
    console = Console()
    if unknown := sorted(set(only or ()) - BENCHMARKS.keys()):
        raise typer.BadParameter(f"unknown: {', '.join(unknown)}")
    REPORTS.mkdir(exist_ok=True)
    failed = []
    for name, about in BENCHMARKS.items():
        if only and name not in only:
            continue
        load = os.getloadavg()[0]
        console.rule(f"{name}: {about}")
        if load > 0.5:
            console.print(f"[yellow]The machine is busy already (load {load:.1f}).[/]")
        if (shared := slowdown()) > 1.25:
            console.print(
                f"[yellow]A busy core slows the others down {shared:.1f} times: the machine does "
                "not have all of its cores now, and figures below are of fewer.[/]"
            )
        started = time.perf_counter()
        report = REPORTS / f"bench-{name}.json"
        command = [sys.executable, "-m", f"scripts.bench.{name}", "--json", str(report)]
        if subprocess.run(command, check=False).returncode != 0:
            failed.append(name)
        console.print(f"{time.perf_counter() - started:.0f} s, figures in {report}")
    if failed:
        console.print(f"[red]failed or missed a target: {', '.join(failed)}[/]")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
