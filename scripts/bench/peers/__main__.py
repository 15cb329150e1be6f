"""``make bench-peers``: Scoreboard beside what a user would build instead, in one run."""

from __future__ import annotations

import asyncio
import statistics
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from scoreboard.errors import ConfigurationError
from scripts.bench.figures import write
from scripts.bench.peers import measuring
from scripts.bench.peers.contenders import CONTENDERS, Contender, Product, products
from scripts.bench.peers.installation import need_node
from scripts.bench.peers.picture import picture
from scripts.bench.peers.retries import Faults
from scripts.bench.peers.rows import Row, table

Seen = defaultdict[str, list[float]]
console = Console()


def main(
    seconds: Annotated[float, typer.Option(help="Length of one measurement.", min=0.5)] = 4.0,
    rounds: Annotated[int, typer.Option(help="How often each is measured.", min=1)] = 3,
    rate: Annotated[float, typer.Option(help="Posts a second of the calm load.", min=1)] = 500,
    actions: Annotated[int, typer.Option(help="Actions of each under kills.", min=1)] = 20_000,
    kills: Annotated[int, typer.Option(help="kill -9 of each.", min=0)] = 10,
    reports: Annotated[Path, typer.Option(help="Folder of the figures.")] = Path("reports"),
) -> None:
    """Compare Scoreboard with its peers; about five minutes on idle cores. Needs Node.js with npm,
    and installs the peers' packages into a temporary folder."""
    try:
        need_node()
        with products(lambda step: console.print(f"[dim]{step}[/]")) as running:
            rows = asyncio.run(_compared(running, seconds, rounds, rate, actions, kills))
    except ConfigurationError as error:
        console.print(f"[red]{error}[/]")
        raise typer.Exit(1) from None
    console.print(table(rows))
    reports.mkdir(exist_ok=True)
    write(rows, reports / "bench-peers.json")
    (reports / "bench-peers.svg").write_text(picture(rows), encoding="utf-8")
    console.print(f"figures and picture: {reports}/bench-peers.json, .svg")


async def _compared(
    running: Mapping[str, Product],
    seconds: float,
    rounds: int,
    rate: float,
    actions: int,
    kills: int,
) -> list[Row]:
    seen = {contender: Seen(list) for contender in CONTENDERS}
    with Progress(console=console, transient=True) as progress:
        filling = progress.add_task("a score for each user", total=len(running))
        for product in running.values():
            await measuring.fill(product)
            progress.advance(filling)
        measured = progress.add_task("rates and latencies", total=rounds * len(CONTENDERS))
        for _ in range(rounds):
            for contender in CONTENDERS:
                product = running[contender.product]
                await _measure(contender, product, seconds, rate, seen[contender])
                progress.advance(measured)
        rows = []
        for contender in CONTENDERS:
            product = running[contender.product]
            faults = await _kill(contender, product, actions, kills, progress)
            rows.append(_row(contender, rate, seen[contender], faults))
    return rows


async def _measure(
    contender: Contender, product: Product, seconds: float, rate: float, seen: Seen
) -> None:
    """One round of a contender."""
    for load, asked in (("post", None), ("calm", rate)):
        for name, value in (await measuring.posts(contender, product, seconds, asked)).items():
            seen[f"{load}_{name}"].append(value)
    if contender.durability != "postgres":  # reads are the same at each level
        for kind in ("top", "around"):
            for name, value in (await measuring.reads(contender, product, kind, seconds)).items():
                seen[f"{kind}_{name}"].append(value)


async def _kill(
    contender: Contender, product: Product, actions: int, kills: int, progress: Progress
) -> Faults:
    task = progress.add_task(f"kill -9: {contender.name}", total=actions)
    return await measuring.faults(
        contender, product, actions, kills, lambda done: progress.update(task, completed=done)
    )


def _row(contender: Contender, rate: float, seen: Seen, faults: Faults) -> Row:
    medians = {name: statistics.median(values) for name, values in seen.items()}
    return Row(
        name=contender.name,
        counted=contender.counted,
        durable=contender.durable,
        post_rate=medians["post_rate"],
        post_p50_ms=medians["post_p50_ms"],
        post_p99_ms=medians["post_p99_ms"],
        post_cpu_us=medians["post_cpu_us"],
        calm_rate=rate,
        calm_p50_ms=medians["calm_p50_ms"],
        calm_p99_ms=medians["calm_p99_ms"],
        top_rate=medians.get("top_rate"),
        top_cpu_us=medians.get("top_cpu_us"),
        around_rate=medians.get("around_rate"),
        around_cpu_us=medians.get("around_cpu_us"),
        faults=faults,
    )


if __name__ == "__main__":
    typer.run(main)
