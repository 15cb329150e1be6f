"""How late posts are answered while a service is looked after: a board of many users is rebuilt,
the append-only file rewritten, the persister started again, the ledger vacuumed.

    python -m scripts.bench.upkeep [--rate 500] [--seconds 8] [--rounds 3] [--users 1000000]

A whole service of our own takes posts at one rate, and latency counts from when each was due. Each
work is done in turn, between runs without any, so that a machine that does other work as well can
be told from what the work costs. Figures are medians of the rounds.
"""

from __future__ import annotations

import asyncio
import secrets
import statistics
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.request import urlopen

import asyncpg
import typer
from redis.asyncio import Redis
from rich.console import Console

from scoreboard.api import tokens
from scoreboard.local.child_processes import Child, stop_together
from scoreboard.local.embedded_servers import Postgres, Valkey, free_port
from scoreboard.wire.keys import Keyspace
from scripts.bench import http_client
from scripts.bench.figures import Bound, JsonFile, report
from scripts.bench.growth import PARTITIONS, board_of_size, fill, make_live
from scripts.bench.http_client import Load
from scripts.load import servers
from scripts.load.target import Target

INTO = 1.0  # seconds of a run before the work begins
START_TIMEOUT = 60.0
LOOK = 0.05
CALM = "no work"


@dataclass(frozen=True)
class Service:
    """One that runs, with a board of ``users`` beside the one that is posted to."""

    target: Target
    persister: Child
    valkey: Valkey
    postgres: Postgres
    users: int


Work = Callable[[Service], Awaitable[None]]


async def _nothing(_: Service) -> None:
    pass


async def _rebuild(service: Service) -> None:
    board = board_of_size(service.users)
    async with Redis.from_url(service.valkey.url) as redis:
        await redis.delete(Keyspace(PARTITIONS).board(board).meta)
    await asyncio.to_thread(make_live, service.target, service.users)


async def _rewrite(service: Service) -> None:
    async with Redis.from_url(service.valkey.url) as connected:
        redis: Any = connected  # its annotations are those of all of its modes at once
        await redis.bgrewriteaof()
        while (await redis.info("persistence"))["aof_rewrite_in_progress"]:  # noqa: ASYNC110
            await asyncio.sleep(LOOK)


async def _restart(service: Service) -> None:
    await asyncio.to_thread(stop_together, [service.persister])
    await asyncio.to_thread(service.persister.start)


async def _vacuum(service: Service) -> None:
    database = await asyncpg.connect(service.postgres.url)
    await database.execute("VACUUM ANALYZE", timeout=START_TIMEOUT)
    await database.close()


WORKS: dict[str, Work] = {
    "a rebuild": _rebuild,
    "a rewrite of the append-only file": _rewrite,
    "a restart of the persister": _restart,
    "a vacuum": _vacuum,
}


def main(
    rate: Annotated[float, typer.Option(help="Posts a second.", min=1)] = 500.0,
    seconds: Annotated[float, typer.Option(help="Length of one run.", min=2)] = 8.0,
    rounds: Annotated[int, typer.Option(help="How often each is measured.", min=1)] = 3,
    users: Annotated[int, typer.Option(help="Of the board that is rebuilt.", min=1)] = 1_000_000,
    json: JsonFile = None,
) -> None:
    """Measure how late posts are answered during upkeep; about five minutes."""
    seen: defaultdict[str, list[float]] = defaultdict(list)
    with Console().status("starting a service") as status, _running(users) as service:
        for turn in range(rounds + 1):  # the first makes the boards live and is not counted
            for name, work in WORKS.items():
                for what, done in ((CALM, _nothing), (name, work)):
                    status.update(f"round {turn} of {rounds}: {what}")
                    latencies = asyncio.run(_posts(service, rate, seconds if turn else 2.0, done))
                    for percent, value in latencies.items() if turn else ():
                        seen[f"{what}: p{percent}, ms"].append(value)
    report(
        {name: statistics.median(values) for name, values in seen.items()},
        json,
        targets={f"{name}: p99, ms": Bound(50) for name in WORKS},
    )


async def _posts(service: Service, rate: float, seconds: float, work: Work) -> dict[int, float]:
    """Percentiles of the latency in ms, while the work is done."""
    load = Load(service.target, "score", seconds, rate=rate, seed=secrets.randbits(32))
    posting = asyncio.create_task(http_client.run(load))
    await asyncio.sleep(INTO)
    await work(service)
    outcome = await posting
    if set(outcome.statuses) != {200}:
        raise SystemExit(f"answers {dict(outcome.statuses)}")
    return {percent: outcome.percentile_ms(percent) for percent in (50, 99)}


@contextmanager
def _running(users: int) -> Iterator[Service]:
    with ExitStack() as stack:
        folder = stack.enter_context(servers.temporary_folder())
        valkey, postgres = stack.enter_context(
            servers.databases({"auto-aof-rewrite-percentage": "0"})
        )
        keys = tokens.local_keys(secrets.token_hex(32))
        token = tokens.mint(keys, "HS256", subject="bench", scope="score:write", ttl=86_400)
        port = free_port()
        environment = servers.environment(valkey.url, postgres.url, keys, PORT=str(port))
        servers.migrate(environment)
        asyncio.run(fill(postgres.url, users))
        serve, persister = (
            Child(
                f"`scoreboard {role}`",
                [sys.executable, "-m", "scoreboard", role],
                log=folder / f"{role}.log",
                environment=environment,
            )
            for role in ("serve", "persist")
        )
        stack.callback(stop_together, [serve, persister])
        persister.start()
        serve.start()
        target = Target(f"http://127.0.0.1:{port}", token)
        serve.wait_until(lambda: _answers(target), timeout=START_TIMEOUT)
        make_live(target, users)
        yield Service(target, persister, valkey, postgres, users)


def _answers(target: Target) -> bool:
    try:
        with urlopen(f"{target.url}/healthz", timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False


if __name__ == "__main__":
    typer.run(main)
