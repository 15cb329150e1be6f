"""What is measured of a contender: how fast, how late, at what cost, and what kills do to it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence

import asyncpg

from scripts.bench import http_client
from scripts.bench.durable import settled
from scripts.bench.http_client import Load
from scripts.bench.peers.contenders import Contender, Product
from scripts.bench.peers.retries import Faults, RetryingClient, judged
from scripts.load.processes import Process

CONNECTIONS = 64
LOOK_EVERY = 0.02  # seconds between looks at how far a client is
PATIENCE = 120.0  # seconds without an acknowledged action after which a contender is given up

Progress = Callable[[int], None]


async def fill(product: Product) -> None:
    """Gives every user that the loads name a score, so that reads find them."""
    users = [f"user{number}" for number in range(http_client.USERS)]
    await _post_each(product, None, users, kills=0, progress=lambda _: None)


async def posts(
    contender: Contender, product: Product, seconds: float, rate: float | None
) -> dict[str, float]:
    """Single posts as fast as they are answered, or at a ``rate`` a second: the rate, p50 and p99
    in ms, and the CPU of all processes in microseconds an action."""
    load = Load(
        product.target, "score", seconds, CONNECTIONS, rate, secrets.randbits(32),
        contender.durability,
    )  # fmt: skip
    database = await asyncpg.connect(product.postgres.url)
    try:
        counted = await settled(database, product.ledger)
        before = product.cpu_used()
        outcome = await http_client.run(load)
        actions = await settled(database, product.ledger) - counted
        spent = product.cpu_used() - before
    finally:
        await database.close()
    _need_success(contender, outcome)
    return {
        "rate": outcome.rate,
        "p50_ms": outcome.percentile_ms(50),
        "p99_ms": outcome.percentile_ms(99),
        "cpu_us": spent / actions * 1e6,
    }


async def reads(
    contender: Contender, product: Product, kind: str, seconds: float
) -> dict[str, float]:
    """Requests of the ``kind`` as fast as they are answered: the rate, and the CPU of all processes
    in microseconds a request."""
    load = Load(product.target, kind, seconds, CONNECTIONS, seed=secrets.randbits(32))
    before = product.cpu_used()
    outcome = await http_client.run(load)
    spent = product.cpu_used() - before
    _need_success(contender, outcome)
    return {"rate": outcome.rate, "cpu_us": spent / len(outcome.latencies) * 1e6}


async def faults(
    contender: Contender, product: Product, actions: int, kills: int, progress: Progress
) -> Faults:
    """Kills the process that takes requests ``kills`` times, evenly over ``actions`` that a client
    repeats until they are answered, and looks what the board then has. ``progress`` is told how
    many are."""
    run_id = secrets.token_hex(4)
    users = [f"{run_id}-{number}" for number in range(actions)]
    await _post_each(product, contender.durability, users, kills, progress)
    return judged(users, await product.scores(users))


async def _post_each(
    product: Product, durability: str | None, users: Sequence[str], kills: int, progress: Progress
) -> None:
    """Returns when an action of each user is acknowledged."""
    due = [len(users) * (number + 1) // (kills + 1) for number in range(kills)]
    async with Process(RetryingClient, product.target, durability, users, CONNECTIONS) as client:
        await client.call(RetryingClient.begin)
        loop = asyncio.get_running_loop()
        seen, since = 0, loop.time()
        while seen < len(users):
            await asyncio.sleep(LOOK_EVERY)
            acknowledged = await client.call(RetryingClient.acknowledged)
            if acknowledged > seen:
                seen, since = acknowledged, loop.time()
                progress(seen)
            elif loop.time() - since > PATIENCE:
                raise SystemExit(f"{product.name}: no action acknowledged for {PATIENCE:.0f} s")
            if due and seen >= due[0]:
                del due[0]
                product.service.kill()
                await asyncio.to_thread(product.start)


def _need_success(contender: Contender, outcome: http_client.Outcome) -> None:
    if set(outcome.statuses) != {200}:
        raise SystemExit(f"{contender.name}: answers {dict(outcome.statuses)}")
