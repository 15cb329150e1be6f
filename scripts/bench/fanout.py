"""What the relay's fan-out costs: python -m scripts.bench.fanout [--full] [--json FILE]

One run measures, on this machine, with clients in other processes: memory and idle CPU of a
connection, the longest block of the event loop and the delivery times while updates go to all
clients, the CPU of a broadcast against the bare write of the same frame, and what becomes of
clients that stop reading. No Redis takes part: updates are handed to the hub as its source does.
docs/fanout.md tells how to read the figures.
"""

from __future__ import annotations

import asyncio
import gc
import math
import os
import resource
import sys
import time
from statistics import median
from typing import Annotated

import structlog
import typer
import uvloop

from scoreboard.api.live.connections import Connection
from scoreboard.api.live.hub import Hub
from scoreboard.settings import Settings
from scripts.bench.fanout_clients import Crowd
from scripts.bench.fanout_relay import (
    BOARD,
    Blocks,
    Board,
    percentile,
    queued,
    relay,
    resident,
    unsent,
)
from scripts.bench.figures import Bound, JsonFile, report
from scripts.load import cpu
from scripts.load.processes import Process

TARGETS = {
    "memory per connection, bytes": Bound(18 * 1024),
    "idle CPU per connection, µs/s": Bound(3.0),
    "longest block of the event loop, ms": Bound(50.0),
    "broadcast / bare write, CPU": Bound(1.15),
    "live clients, p99 delivery, ms": Bound(100.0),
    "stalled client, bytes in the kernel": Bound(150 * 1024),
    "stalled client, frames in the process": Bound(1.0),
    "waking client, ms to the newest version": Bound(100.0),
}

# When other programs use more than this, what is measured by the clock tells of them, not of us.
OTHERS, BUSY = "CPU of other programs meanwhile, %", 25.0
BY_THE_CLOCK = {name for name in TARGETS if ", ms" in name}


def taken_by_others() -> float:
    """CPU seconds that all other programs of the machine have used so far."""
    return cpu.machine_used() - cpu.used(os.getpid())


async def connected(crowds: list[Process[Crowd]], total: int) -> float:
    """Opens ``total`` connections, an equal part in each process; returns seconds it took."""
    start = time.monotonic()
    shares = [total // len(crowds)] * len(crowds)
    opened = await asyncio.gather(
        *(c.call(Crowd.connect, n) for c, n in zip(crowds, shares, strict=True))
    )
    if opened != shares:
        sys.exit(f"only {sum(opened)} of {total} clients got their snapshot")
    return time.monotonic() - start


async def hold(board: Board, crowds: list[Process[Crowd]], seconds: float) -> dict[str, float]:
    """Two updates a second to all clients."""
    for crowd in crowds:
        await crowd.call(Crowd.report)
    blocks = Blocks()
    watching = asyncio.create_task(blocks.watch())
    spent, others = time.process_time(), taken_by_others()
    updates = int(seconds * 2)
    for _ in range(updates):
        board.change()
        await asyncio.sleep(0.5)
    spent, others = time.process_time() - spent, taken_by_others() - others
    watching.cancel()
    reports = [await crowd.call(Crowd.report) for crowd in crowds]
    latencies = [ns for report in reports for ns in report.latencies]
    behind = [v for crowd in crowds for v in await crowd.call(Crowd.versions) if v != board.version]
    return {
        "updates": updates,
        "delivered": len(latencies),
        "versions that went back": sum(report.backwards for report in reports),
        "clients not on the newest version": len(behind),
        "p50 delivery, ms": percentile(latencies, 0.5),
        "p99 delivery, ms": percentile(latencies, 0.99),
        "longest block of the event loop, ms": blocks.longest * 1e3,
        "longest block in CPU of the loop, ms": blocks.busiest * 1e3,
        "CPU of the server, %": 100 * spent / seconds,
        OTHERS: 100 * others / seconds,
    }


async def cost(board: Board, hub: Hub, rounds: int) -> dict[str, float]:
    """CPU of the hub's broadcast and of the bare write of the same frame, in turns."""
    feed = await hub.open(BOARD)
    clients = list(feed.connections)

    async def bare() -> None:
        frame = feed.frame()
        for client in clients:
            client.transport.write(frame)

    async def broadcast() -> None:
        board.change()
        while feed.busy:  # noqa: ASYNC110  # this measures the hub as it is
            await asyncio.sleep(0.001)

    spent: dict[str, list[float]] = {"bare": [], "broadcast": []}
    for turn in range(rounds):
        for work in (bare, broadcast) if turn % 2 else (broadcast, bare):
            await asyncio.sleep(0.2)  # the clients read, on the same cores
            start = time.process_time()
            await work()
            spent[work.__name__].append((time.process_time() - start) / len(clients))
    return {
        "bare write, µs": median(spent["bare"]) * 1e6,
        "broadcast, µs": median(spent["broadcast"]) * 1e6,
        "broadcast / bare write, CPU": median(spent["broadcast"]) / median(spent["bare"]),
    }


async def crowd_of(total: int, seconds: float, idle: float) -> dict[str, float]:
    """Everything that is measured on one large crowd."""
    board = Board('{"userId":"player-0123456789","score":12345}')
    settings = Settings(max_connections=2 * total)
    async with (
        relay(board, settings) as (hub, port),
        Process(Crowd, port) as one,
        Process(Crowd, port) as other,
    ):
        crowds = [one, other]
        await connected(crowds, 100)  # what is allocated once is allocated
        gc.collect()
        gc.freeze()  # as the role ``serve`` does
        before = resident()
        blocks = Blocks()
        watching = asyncio.create_task(blocks.watch())
        took = await connected(crowds, total)
        watching.cancel()
        found = {
            "connections": len(hub._connections),
            "connections opened per second": total / took,
            "longest block while they came, ms": blocks.longest * 1e3,
            "the same in CPU of the loop, ms": blocks.busiest * 1e3,
            "memory per connection, bytes": (resident() - before) / total,
        }
        spent, start = time.process_time(), time.monotonic()
        await asyncio.sleep(idle)
        spent = (time.process_time() - spent) / (time.monotonic() - start)
        found["idle CPU per connection, µs/s"] = spent / len(hub._connections) * 1e6
        found |= await hold(board, crowds, seconds)
        found |= await cost(board, hub, rounds=16)
    return found


async def stalled(live: int, stalled: int, write_timeout: float) -> dict[str, float]:
    """Clients that stop reading among others that go on: first they wake up, then they don't."""
    board = Board(f'{{"userId":"{"x" * 128}","score":12345}}')
    settings = Settings(max_connections=20_000, write_timeout=write_timeout)
    async with (
        relay(board, settings) as (hub, port),
        Process(Crowd, port) as readers,
        Process(Crowd, port, receive_buffer=16_384) as sleepers,
    ):
        await connected([readers], live)
        await connected([sleepers], stalled)
        await sleepers.call(Crowd.stall)
        await readers.call(Crowd.report)
        lagging: list[Connection] = []
        while len(lagging) < stalled:
            board.change()
            await asyncio.sleep(0.05)
            lagging = [c for c in hub._connections if not c.drained]
        for _ in range(10):  # versions that they will have skipped
            board.change()
            await asyncio.sleep(0.05)
        frame = len(lagging[0].feed.frame())
        found = {
            "live": live,
            "stalled": len(lagging),
            "frame, bytes": frame,
            "stalled client, frames in the process": max(
                c.transport.get_write_buffer_size() / frame for c in lagging
            ),
            "stalled client, bytes in the kernel": max(map(queued, lagging)),
            "stalled client, of which frames": max(map(unsent, lagging)),
        }
        times = await sleepers.call(Crowd.wake, board.version)
        found["woken"] = len(times)
        found["waking client, ms to the newest version"] = max(times, default=math.nan) / 1e6
        await sleepers.call(Crowd.stall)
        start = time.monotonic()
        while len(hub._connections) > live and time.monotonic() - start < 3 * write_timeout:
            board.change()
            await asyncio.sleep(0.05)
        found["aborted"] = live + stalled - len(hub._connections)
        found["aborted after, s"] = time.monotonic() - start
        report = await readers.call(Crowd.report)
        found["live clients, p99 delivery, ms"] = percentile(report.latencies, 0.99)
        found["live clients, versions that went back"] = report.backwards
    return found


async def measure(clients: int, hold: float, idle: float, write_timeout: float) -> dict[str, float]:
    found = await crowd_of(clients, hold, idle)
    gc.unfreeze()
    return found | await stalled(live=500, stalled=50, write_timeout=write_timeout)


def main(
    clients: int = 10_000,
    hold: Annotated[float, typer.Option(help="Seconds of two updates a second.")] = 15,
    idle: Annotated[float, typer.Option(help="Seconds: one turn of the pings.")] = 26,
    write_timeout: float = 5,
    full: Annotated[
        bool, typer.Option("--full", help="Hold for a minute, timeout of 10 s.")
    ] = False,
    json: JsonFile = None,
) -> None:
    """Measure what the relay's fan-out costs; fails when a target is missed."""
    if full:
        hold, write_timeout = 60, 10
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most < clients + 100:
        sys.exit(f"{clients} clients need as many open files; the limit is {most}")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    found = uvloop.run(measure(clients, hold, idle, write_timeout))
    missed = set(report(found, json, TARGETS))
    if found[OTHERS] > BUSY:
        print("The machine is busy: figures by the clock are not held against their targets.")
        missed -= BY_THE_CLOCK
    if missed:
        sys.exit("a target was missed")


if __name__ == "__main__":
    typer.run(main)
