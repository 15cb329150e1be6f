"""A run: clients post while the faults of the schedule are done, then everything is audited."""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from scoreboard.wire.keys import PartitionKeys
from scripts.chaos.actions import MIXED, Book, Load
from scripts.chaos.audit import Lost, audit
from scripts.chaos.clients import Client
from scripts.chaos.cluster_faults import ClusterFaults
from scripts.chaos.faults import Fault, Faults, schedule
from scripts.chaos.periods import BLITZ, SEASON, audit_periods, boundaries_crossed, make_boards
from scripts.chaos.replicated import cluster_stack, sentinel_stack
from scripts.chaos.sentinel_faults import SentinelFaults
from scripts.chaos.service import PARTITIONS, Service, running
from scripts.chaos.stack import Stack
from scripts.chaos.valkey_faults import SeasonFaults, ValkeyFaults

SETTLE_TIMEOUT = 120.0  # seconds until everybody has an answer and the backlog is gone

Progress = Callable[[str], None]


class Form(enum.Enum):
    """What Redis is: one server, a cluster with a replica of each master, or a master and a replica
    that Sentinels watch."""

    SERVER = "server"
    CLUSTER = "cluster"
    SENTINEL = "sentinel"

    def faults(self, folder: Path) -> Faults[Any]:
        """Of a stack of this form in ``folder``, which is not started yet."""
        match self:
            case Form.SERVER:
                return ValkeyFaults(Stack(folder))
            case Form.CLUSTER:
                return ClusterFaults(cluster_stack(folder))
            case Form.SENTINEL:
                return SentinelFaults(sentinel_stack(folder))


class Unsettled(Exception):
    """The service did not recover within the time for it."""


async def run(
    folder: Path,
    *,
    seed: int,
    actions: int,
    kills: int,
    progress: Progress,
    form: Form = Form.SERVER,
) -> dict[str, Any]:
    """The report, with what contradicts a promise in ``violations``."""
    faults = form.faults(folder)
    plan = schedule(seed, actions, kills, faults.kinds)
    return await _run(faults, plan, MIXED, seed, actions, progress)


async def season(
    folder: Path, *, seed: int, rate: int, boundaries: int, kills: int, progress: Progress
) -> dict[str, Any]:
    """The same of a board whose period of 5 s ends ``boundaries`` times while each of ``rate``
    posts a second counts in it, and Redis and the persisters are killed."""
    load = Load(clients=128, boards=(SEASON,), most=1, rate=rate)
    actions = round(rate * BLITZ * (boundaries + 1))
    faults = SeasonFaults(Stack(folder))
    plan = [
        fault._replace(kind=kind)
        for fault, kind in zip(schedule(seed, actions, kills, faults.kinds), cycle(faults.turns))
    ]
    report = await _run(faults, plan, load, seed, actions, progress)
    if report["boundaries"] < boundaries:
        report["violations"].append(f"only {report['boundaries']} boundaries were crossed")
    return report


async def _run(
    faults: Faults[Any],
    plan: Sequence[Fault],
    load: Load,
    seed: int,
    actions: int,
    progress: Progress,
) -> dict[str, Any]:
    began = time.monotonic()
    book = Book(actions)
    async with running(faults.stack) as stack, faults.at_work():
        await make_boards(stack)
        fired = 0

        def may_go() -> bool:
            if load.rate and len(book.actions) > (time.monotonic() - posting_since) * load.rate:
                return False
            # Nobody runs far ahead of a fault that waits for its target to be up again.
            return fired == len(plan) or len(book.actions) < plan[fired].at + actions // len(plan)

        async def do_all() -> None:
            nonlocal fired
            async with asyncio.TaskGroup() as repairs:
                for fault in plan:
                    lock = faults.lock(fault)
                    while len(book.actions) < fault.at or lock.locked():  # noqa: ASYNC110
                        await asyncio.sleep(0.005)
                    await lock.acquire()
                    fired += 1
                    repairs.create_task(faults.do(fault, lock))

        async with stack.apis() as apis:
            posting_since = time.monotonic()
            clients = [
                Client(n, seed, apis, book, may_go, faults.levels, load)
                for n in range(load.clients)
            ]
            telling = asyncio.create_task(_tell(book, faults, len(plan), progress))
            try:
                async with asyncio.TaskGroup() as tasks:
                    doing = tasks.create_task(do_all())
                    posting = [tasks.create_task(client.run()) for client in clients]
                    await doing
                    faults.end()
                    await asyncio.wait(posting, timeout=SETTLE_TIMEOUT)
                    if any(not task.done() for task in posting):
                        raise Unsettled(f"no answer for some actions: {book.answers}")
            finally:
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)
        posted = time.monotonic() - posting_since
        progress("all clients have their answers; waiting for the backlog")
        await drained(stack)
        progress("auditing")
        final, wrong = await audit_periods(stack)
        book.violations += wrong
        crossed = await boundaries_crossed(stack)
        lost = await audit(stack, book, faults.losses)
    return {
        "seed": seed,
        "seconds": round(time.monotonic() - began, 1),
        "actions": len(book.actions),
        "actions_a_second": round(len(book.actions) / posted),
        "kills": faults.kills,
        "faults": faults.done,
        "lost_replies": faults.lost_replies,
        "answers": dict(sorted(book.answers.items())),
        "acknowledged": _levels(book),
        "final_occurrences": final,
        "boundaries": crossed,
        "given_up": sum(action.given_up for action in book.actions),
        "lost": _described(lost),
        "longest_loss_window": {
            kind: round(
                max(loss.until - loss.since for loss in faults.losses if loss.kind == kind), 2
            )
            for kind in sorted({loss.kind for loss in faults.losses})
        },
        "logged_errors": stack.errors()[:20],
        "violations": book.violations,
    }


async def drained(stack: Service) -> None:
    """Returns once Postgres has everything. Raises Unsettled."""
    async with stack.client() as redis:
        deadline = time.monotonic() + SETTLE_TIMEOUT
        while True:
            left = [await redis.xlen(PartitionKeys(p).events) for p in range(PARTITIONS)]
            if not any(left):
                return
            if time.monotonic() > deadline:
                raise Unsettled(f"the backlog does not drain: {left}")
            await asyncio.sleep(0.05)


async def _tell(book: Book, faults: Faults[Any], planned: int, progress: Progress) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(2)
        known = sum(action.level is not None for action in book.actions)
        done = sum(faults.done.values())
        progress(
            f"{time.monotonic() - began:5.0f} s  {known:,} of {book.limit:,} actions "
            f"acknowledged, {done} of {planned} faults, {faults.kills} kills"
            + (f", {len(book.violations)} VIOLATIONS" if book.violations else "")
        )


def _levels(book: Book) -> dict[str, int]:
    levels: dict[str, int] = {}
    for action in book.actions:
        name = action.level or "none"
        levels[name] = levels.get(name, 0) + 1
    return dict(sorted(levels.items()))


def _described(lost: Lost) -> dict[str, Any]:
    return {
        "by_level": dict(lost.by_level),
        "by_fault": dict(lost.by_kind),
        "oldest_seconds": max(lost.ages, default=0.0),
    }
