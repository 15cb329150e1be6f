"""One run from the first connection to the audit."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

from scripts.load import histograms
from scripts.load.api import Api, ApiError
from scripts.load.open_loop import SECOND
from scripts.load.processes import Process
from scripts.load.requests import action
from scripts.load.service import Server
from scripts.load_test import audit, figures, machine
from scripts.load_test.account import SenderReport
from scripts.load_test.audit import Check
from scripts.load_test.calls import Calls, Deliveries, measured
from scripts.load_test.monitor import Sample, monitored
from scripts.load_test.plan import PROBE, Plan
from scripts.load_test.results import Results
from scripts.load_test.sender import Progress, Sender
from scripts.load_test.series import series
from scripts.load_test.watcher import Position, Watcher, WatcherReport

LEAD = 0.5  # seconds from the last preparation to the first call
TELL_EVERY = 0.5  # seconds

Tell = Callable[[list[Progress]], None]


@dataclass(frozen=True)
class _Raw:
    """What the processes and the audit have said."""

    start: int
    senders: list[SenderReport]
    watchers: list[WatcherReport]
    samples: list[Sample]
    reconnects: int
    drained: float | None
    checks: list[Check]


async def run(plan: Plan, server: Server, tell: Tell, step: Callable[[str], None]) -> Results:
    """Loads ``server`` as planned. ``tell`` is told how far the senders are, ``step`` what happens
    around the load. Raises ApiError and ProcessFailed."""
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(Api(server.target))
        step(f"creating {plan.boards} board(s)")
        await _lift_probes(api, plan)
        step(f"connecting {plan.clients:,} WebSocket clients, {plan.connections} connections")
        watchers = [
            await stack.enter_async_context(Process(Watcher, plan, server.target, index))
            for index in range(min(plan.watchers, plan.clients))
        ]
        senders = [
            await stack.enter_async_context(Process(Sender, plan, server.target, index))
            for index in range(plan.senders)
        ]
        await asyncio.gather(
            *(watcher.call(Watcher.connect) for watcher in watchers),
            *(sender.call(Sender.connect) for sender in senders),
        )
        async with monitored(server) as samples:
            start = time.monotonic_ns() + int(LEAD * SECOND)
            step("loading")
            await asyncio.gather(
                *(watcher.call(Watcher.begin) for watcher in watchers),
                *(sender.call(Sender.begin, start) for sender in senders),
            )
            accounts = await _sent(senders, tell)
            step("waiting for what is written behind")
            drained, undrained = await audit.drained(api)
        step("auditing")
        expected = figures.acknowledged(plan, accounts)
        positions: list[Position] = []

        async def ask() -> list[Position]:
            positions[:] = []
            for watcher in watchers:
                positions.extend(await watcher.call(Watcher.positions))
            return positions

        checks = [
            _answers(accounts),
            await audit.boards(api, plan, expected),
            await audit.postgres(
                server.database_url,
                expected,
                sum(account.acknowledged for account in accounts) + plan.boards * len(plan.lift),
            ),
            await audit.screens(api, plan, ask),
        ]
        if undrained:
            checks.append(Check("Write-behind", "everything is written", undrained))
        seen = [await watcher.call(Watcher.finish) for watcher in watchers]
    reconnects = sum(client.lost for client in positions)
    return _results(plan, server, _Raw(start, accounts, seen, samples, reconnects, drained, checks))


async def _lift_probes(api: Api, plan: Plan) -> None:
    """Makes each board by lifting its probe above everyone. Raises ApiError."""
    for index in range(plan.boards):
        for number, points in enumerate(plan.lift):
            lift = action(PROBE, f"{plan.run}-lift-{number}", points)
            (reply,) = await api.submit(plan.board(index), [lift])
            if reply.status != 200:
                raise ApiError(f"the first action on a board was answered {reply.name}")


async def _sent(senders: Sequence[Process[Sender]], tell: Tell) -> list[SenderReport]:
    """Wait for the senders' reports, telling of their progress meanwhile."""
    while True:
        progress = [await sender.call(Sender.progress) for sender in senders]
        tell(progress)
        if all(one.ended for one in progress):
            return [await sender.call(Sender.report) for sender in senders]
        await asyncio.sleep(TELL_EVERY)


def _answers(accounts: Sequence[SenderReport]) -> Check:
    return audit.answers(
        sum(account.unsettled for account in accounts),
        sum(account.violation_count for account in accounts),
        [text for account in accounts for text in account.violations],
    )


def _results(plan: Plan, server: Server, raw: _Raw) -> Results:
    calls = Calls.of(raw.senders)
    deliveries = Deliveries.of(
        raw.senders, raw.watchers, since=raw.start + int(plan.warmup * SECOND)
    )
    within = measured(plan, calls.due)
    accepted = figures.rate(plan, calls, calls.accepted)
    outcomes = sum((account.outcomes for account in raw.senders), Counter[str]())
    return Results(
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        url=server.target.url,
        own_server=server.pid is not None,
        plan=plan,
        machine=machine.description(),
        accepted_rate=accepted,
        duplicate_rate=figures.rate(plan, calls, calls.known),
        refused_rate=figures.rate(plan, calls, calls.refused),
        post=histograms.latency(calls.latency[within]),
        service=histograms.latency(calls.service[within & (calls.service >= 0)]),
        delivery=histograms.latency(deliveries.latency),
        probes=sum(len(account.probes) for account in raw.senders),
        undelivered=deliveries.missed,
        outcomes=dict(sorted(outcomes.items())),
        cpu=figures.cpu_per_thousand(plan, calls, raw.samples, raw.start),
        write_behind=figures.write_behind(plan, raw.samples, raw.start, accepted, raw.drained),
        generator=figures.generator(plan, calls, raw.senders, raw.watchers, raw.samples, raw.start),
        reconnects=raw.reconnects,
        series=series(plan, calls, deliveries, raw.samples, raw.start),
        audit=raw.checks,
    )
