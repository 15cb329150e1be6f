"""``make test-hostile``: attacks on a service of our own, with an honest client all the while."""

from __future__ import annotations

import asyncio
import random
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from scripts.hostile import traces
from scripts.hostile.descriptors import descriptors
from scripts.hostile.disks import full_postgres_disk, full_redis_disk, small_disks
from scripts.hostile.ground import Attack, Ground
from scripts.hostile.honest import Figures, Honest
from scripts.hostile.raw_http import raw_http
from scripts.hostile.schemas import schemas
from scripts.hostile.slow_clients import slow_clients
from scripts.hostile.tokens import tokens
from scripts.load.processes import Process
from scripts.load.servers import temporary_folder
from scripts.load.service import Server, running_in

ATTACKS: tuple[Attack, ...] = (
    tokens,
    raw_http,
    schemas,
    slow_clients,
    descriptors,
    full_redis_disk,
    full_postgres_disk,
)
NAMES = [attack.__name__.replace("_", "-") for attack in ATTACKS]
WELL_WITHIN = 5.0  # seconds after an attack
CALM = 2.0  # seconds before the first


def main(
    only: Annotated[
        list[str] | None, typer.Argument(help=f"Which: {', '.join(NAMES)}; default: all.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, help="How long each attack goes on.")] = 30,
    seed: Annotated[int | None, typer.Option(help="Repeats those attacks; default: drawn.")] = None,
) -> None:
    """Attack a service of our own. Ends with 1 when an answer, the log, the memory or a total is
    not as it should be."""
    if unknown := sorted(set(only or ()) - set(NAMES)):
        raise typer.BadParameter(f"unknown: {', '.join(unknown)}")
    seed = secrets.randbelow(10**6) if seed is None else seed
    chosen = [a for a, name in zip(ATTACKS, NAMES, strict=True) if not only or name in only]
    console = Console()
    console.print(f"seed {seed}, {seconds:g} s for each attack")
    with temporary_folder() as folder, small_disks(folder), running_in(folder) as server:
        findings = asyncio.run(_attack(server, folder, chosen, seconds, seed, console))
        findings += _audit(folder)
    for finding in findings:
        console.print(f"- {finding}", style="red", markup=False, highlight=False)
    if findings:
        console.print(f"FAILED: {len(findings)} findings; repeat with --seed {seed}")
        raise typer.Exit(1)
    console.print(
        "passed: nothing hung, nothing leaked, every answer was in order, verify is clean"
    )


async def _attack(
    server: Server, folder: Path, attacks: list[Attack], seconds: float, seed: int, console: Console
) -> list[str]:
    assert server.pid is not None
    pids = traces.serving(server.pid)
    ground = Ground(server.target, folder, pids, random.Random(seed), seconds)
    ground.secrets |= traces.known_secrets(folder)
    table = Table("attack", "what was done", "answers", "503", "p99, ms", "longest, ms", "well, s")
    async with Process(Honest, server.target) as honest:
        await honest.call(Honest.start)
        await honest.call(Honest.begin, "before")
        await asyncio.sleep(CALM)
        table.add_row("(none)", "", *_row(await honest.call(Honest.figures)), "")
        for attack in attacks:
            name = attack.__name__.replace("_", " ")
            console.print(f"{name} ...")
            await honest.call(Honest.begin, name)
            memory, logged = traces.memory(pids), traces.size_of_logs(folder)
            done = await attack(ground)
            figures = await honest.call(Honest.figures)
            after = await _well_after(honest)
            if after is None:
                ground.find(f"{name}: not everything was well within {WELL_WITHIN:g} s after it")
            if (grown := traces.memory(pids) - memory) > traces.MAX_MEMORY:
                ground.find(f"{name}: the service grew by {grown / 2**20:.0f} MiB")
            if (grown := traces.size_of_logs(folder) - logged) > traces.MAX_LOG:
                ground.find(f"{name}: the logs grew by {grown / 2**20:.1f} MiB")
            table.add_row(name, done, *_row(figures), "never" if after is None else f"{after:.1f}")
        account = await honest.call(Honest.stop)
    console.print(table)
    # A post that was under way at the end may or may not count.
    if not account.settled <= account.total <= account.settled + 1:
        ground.find(f"{account.settled} points were acknowledged, the board has {account.total}")
    if account.seen == 0:
        ground.find("the WebSocket showed nothing")
    return account.findings + ground.findings + traces.leaks(ground)


def _row(figures: Figures) -> tuple[str, str, str, str]:
    answers, refused, p99, longest = figures
    return str(answers), str(refused), f"{p99:.0f}", f"{longest:.0f}"


async def _well_after(honest: Process[Honest]) -> float | None:
    """Seconds until everything worked; None when that took too long."""
    began = time.monotonic()
    while not await honest.call(Honest.is_well):
        if time.monotonic() - began > WELL_WITHIN:
            return None
        await asyncio.sleep(0.1)
    return time.monotonic() - began


def _audit(folder: Path) -> list[str]:
    """What `scoreboard verify` finds."""
    command = [sys.executable, "-m", "scoreboard", "verify", "--data-dir", str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    said = ended.stdout[-2000:] + ended.stderr[-2000:]
    return [] if ended.returncode == 0 else [f"verify: {said}"]


if __name__ == "__main__":
    typer.run(main)
