"""What slow clients cost others: an honest client's times, in turns without and with a crowd that
is idle, drips heads or leaves answers unread."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from statistics import median
from typing import Annotated

import typer

from scoreboard.assembly.descriptors import raise_limit
from scripts.hostile import traces
from scripts.hostile.ground import Connection, Ground
from scripts.hostile.honest import Figures, Honest
from scripts.hostile.slow_clients import drip_head, idle, leave_unread
from scripts.load.processes import Process
from scripts.load.servers import temporary_folder
from scripts.load.service import Server, running_in

AT_ONCE = 50  # connections that are opened together
ALL = 0.95  # of the crowd are held at least: the service ends drippers, who come again
MOST = 2.0  # times the p99 without the crowd

Behavior = Callable[[Ground, Connection], Awaitable[None]]


def main(
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 3,
    seconds: Annotated[float, typer.Option(min=1, help="For how long.")] = 20,
    idlers: Annotated[int, typer.Option(min=0, help="Connections that say nothing.")] = 5000,
    drippers: Annotated[int, typer.Option(min=0, help="Those that drip a head.")] = 1000,
    unread: Annotated[int, typer.Option(min=0, help="Those that read no answer.")] = 200,
) -> None:
    """Print the p99 without and with the crowd. Ends with 1 when it more than doubles."""
    crowd = [*[idle] * idlers, *[drip_head] * drippers, *[leave_unread] * unread]
    raise_limit()
    with temporary_folder() as folder, running_in(folder) as server:
        ground = Ground(server.target, folder, _pids(server), random.Random(0), seconds)
        without, beside = asyncio.run(_measure(ground, crowd, rounds))
    before, after = (median(figures.p99 for figures in phases) for phases in (without, beside))
    times = after / before
    typer.echo(f"median p99 {before:.1f} ms without, {after:.1f} ms with: {times:.2f} times")
    if times > MOST:
        raise typer.Exit(1)


def _pids(server: Server) -> list[int]:
    assert server.pid is not None
    return traces.serving(server.pid)


async def _measure(
    ground: Ground, crowd: Sequence[Behavior], rounds: int
) -> tuple[list[Figures], list[Figures]]:
    without: list[Figures] = []
    beside: list[Figures] = []
    async with Process(Honest, ground.target) as honest:
        await honest.call(Honest.start)
        for _ in range(rounds):
            without.append(await _phase(honest, ground.seconds))
            async with _gathered(ground, crowd) as held:
                beside.append(await _phase(honest, ground.seconds))
                still = held()
            a, b = without[-1], beside[-1]
            typer.echo(
                f"p99 {a.p99:.1f} ms of {a.answers} answers; with {still} slow connections "
                f"{b.p99:.1f} ms of {b.answers}, {b.refused} refused"
            )
        account = await honest.call(Honest.stop)
    for finding in account.findings:
        typer.echo(f"- {finding}")
    return without, beside


async def _phase(honest: Process[Honest], seconds: float) -> Figures:
    await honest.call(Honest.begin, "")
    await asyncio.sleep(seconds)
    return await honest.call(Honest.figures)


@contextlib.asynccontextmanager
async def _gathered(ground: Ground, crowd: Sequence[Behavior]) -> AsyncIterator[Callable[[], int]]:
    """The crowd, once nearly all of it is there; gives how many connections it holds."""
    held, doors, there = 0, asyncio.Semaphore(AT_ONCE), asyncio.Event()

    async def client(behave: Behavior) -> None:
        nonlocal held
        while True:  # who is sent away comes again
            with contextlib.suppress(OSError, TimeoutError):
                async with doors:
                    connection = await ground.connect()
                held += 1
                if held >= ALL * len(crowd):
                    there.set()
                try:
                    await behave(ground, connection)
                finally:
                    held -= 1
                    connection[1].transport.abort()

    tasks = [asyncio.create_task(client(behave)) for behave in crowd]
    try:
        await there.wait()
        yield lambda: held
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    typer.run(main)
