"""The command ``python -m scripts.chaos``."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer

from scripts.chaos import replies
from scripts.chaos import run as chaos
from scripts.chaos.losses import CASES, Measured, measure
from scripts.chaos.proxy import Loss
from scripts.chaos.run import Form
from scripts.chaos.stalled_persister import Step
from scripts.chaos.steps import Row
from scripts.chaos.steps import measure as kill_at
from scripts.load.servers import temporary_folder

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def chaos_commands() -> None:
    """Prove on real processes, killed again and again, that no acknowledged score is lost.

    REDIS_SERVER in the environment names another server than the embedded Valkey.
    """


@app.command()
def run(
    seed: Annotated[int | None, typer.Option(help="Replays that schedule; default: drawn.")] = None,
    actions: Annotated[
        int | None,
        typer.Option(min=1000, help="Score actions to post; default: 300000, or 100000."),
    ] = None,
    kills: Annotated[
        int | None,
        typer.Option(
            min=1, help="Processes to kill (-9); of a cluster or Sentinels, faults. 200, or 60."
        ),
    ] = None,
    redis: Annotated[
        Form, typer.Option(help="One server, a cluster, or a pair with Sentinels.")
    ] = Form.SERVER,
    folder: Annotated[
        Path | None, typer.Option(help="Keep data and logs there; default: thrown away.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report as JSON there.")] = None,
) -> None:
    """Kill everything again and again under load, then audit. Ends with 1 on any violation.

    A cluster has three masters with a replica each. Masters are killed, frozen, cut off (as root,
    in a network of their own) and replaced in good order; slots move, servers come and go.
    """
    seed = secrets.randbelow(10**6) if seed is None else seed
    one = redis is Form.SERVER
    actions = actions or (300_000 if one else 100_000)
    kills = kills or (200 if one else 60)
    print(f"seed {seed}: {actions:,} actions, {kills} {'kills' if one else 'faults'}")
    work = partial(chaos.run, seed=seed, actions=actions, kills=kills, progress=_print, form=redis)
    _audited(work, seed, folder, report)


@app.command()
def season(
    seed: Annotated[int | None, typer.Option(help="Replays that schedule; default: drawn.")] = None,
    rate: Annotated[int, typer.Option(min=10, help="Posts a second, one action each.")] = 2_000,
    boundaries: Annotated[
        int, typer.Option(min=1, help="How often a period of 5 s turns over.")
    ] = 12,
    kills: Annotated[int, typer.Option(min=1, help="Redis or a persister, killed (-9).")] = 8,
    folder: Annotated[
        Path | None, typer.Option(help="Keep data and logs there; default: thrown away.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report as JSON there.")] = None,
) -> None:
    """Let a period turn over again and again under posts at a steady rate, then audit."""
    seed = secrets.randbelow(10**6) if seed is None else seed
    print(f"seed {seed}: {rate:,} posts a second, {boundaries} boundaries, {kills} kills")
    work = partial(
        chaos.season, seed=seed, rate=rate, boundaries=boundaries, kills=kills, progress=_print
    )
    _audited(work, seed, folder, report)


def _audited(
    work: Callable[[Path], Coroutine[None, None, dict[str, Any]]],
    seed: int,
    folder: Path | None,
    report: Path | None,
) -> None:
    """Does the work in the folder, and tells what was found. Ends with 1 on any violation."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    with temporary_folder() as temporary:
        where = folder or temporary
        where.mkdir(parents=True, exist_ok=True)
        if any(where.iterdir()):
            raise typer.BadParameter(f"{where} is not empty")
        found = asyncio.run(work(where))
    text = json.dumps(found, indent=2)
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(text + "\n", encoding="utf-8")
    print(text)
    if found["violations"]:
        print(f"FAILED: {len(found['violations'])} violations; replay with --seed {seed}")
        raise typer.Exit(1)
    print("passed: ledger = user_score = zset, and every promise was kept")


@app.command()
def lost_replies(
    seed: Annotated[int, typer.Option(help="Of the actions.")] = 1,
    actions: Annotated[int, typer.Option(min=1000, help="Score actions to post.")] = 100_000,
    every: Annotated[int, typer.Option(min=5, help="Each such reply is lost.")] = 10,
    loss: Annotated[Loss, typer.Option(help="How replies are lost.")] = Loss.RESET,
) -> None:
    """Lose every Nth reply of Redis, and see that each retry learns its first result."""
    with temporary_folder() as folder:
        found = asyncio.run(
            replies.run(folder, seed=seed, actions=actions, every=every, loss=loss, progress=_print)
        )
    print(json.dumps(found, indent=2))
    if found["violations"]:
        print(f"FAILED: {len(found['violations'])} violations")
        raise typer.Exit(1)
    print("passed: every action counted once, and every retry learned its first result")


@app.command()
def losses(
    rounds: Annotated[int, typer.Option(min=1, help="Faults a line of the table.")] = 3,
) -> None:
    """Measure what each level of durability loses by each fault, as a table."""
    rows: list[Measured] = []
    with temporary_folder() as folder:
        for case in CASES:
            row = asyncio.run(measure(folder, case, rounds))
            _print(f"{row.level}, {row.fault}: {row.lost:,} of {row.acknowledged:,} lost")
            rows.append(row)
    print("\n| level | fault | acknowledged | lost | oldest lost |\n|---|---|---|---|---|")
    for row in rows:
        oldest = f"{row.oldest:.2f} s" if row.lost else "-"
        print(f"| {row.level} | {row.fault} | {row.acknowledged:,} | {row.lost:,} | {oldest} |")
    if broken := [row for row in rows if row.broken]:
        print(f"FAILED: {', '.join(f'{row.level} under {row.fault}' for row in broken)}")
        raise typer.Exit(1)


@app.command()
def steps(
    seed: Annotated[int | None, typer.Option(help="Of the actions; default: drawn.")] = None,
    kills: Annotated[int, typer.Option(min=1, help="Persisters to kill (-9) at each step.")] = 50,
) -> None:
    """Kill a persister at each step: read, before commit, after commit, before acknowledge.

    The table shows what it had in hand at its kills, how much of that was committed by then, and
    what is lost or doubled at the end. Ends with 1 on any.
    """
    seed = secrets.randbelow(10**6) if seed is None else seed
    print(f"seed {seed}: {kills} kills at each step")
    rows: list[Row] = []
    with temporary_folder() as temporary:
        for step in Step:
            folder = temporary / step.name
            rows.append(asyncio.run(kill_at(folder, step, kills=kills, seed=seed, progress=_print)))
    print("\n| step | kills | actions | in hand | committed | lost | doubled |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        figures = (row.kills, row.actions, row.entries, row.committed, row.lost, row.doubled)
        print(f"| {row.step.value} | {' | '.join(f'{figure:,}' for figure in figures)} |")
    for row in rows:
        for violation in row.violations[:50]:
            print(f"{row.step.value}: {violation}")
    if broken := [row.step.value for row in rows if row.broken]:
        print(f"FAILED: {', '.join(broken)}; replay with --seed {seed}")
        raise typer.Exit(1)
    print("passed: at every step nothing was lost and nothing doubled")


def _print(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    app()
