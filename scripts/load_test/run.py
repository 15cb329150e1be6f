"""One run from the first connection to the audit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from scripts.load import histograms
from scripts.load.api import Api
from scripts.load.processes import Processes
from scripts.load_test import audit, figures, machine
from scripts.load_test.audit import Check
from scripts.load_test.calls import Calls, Deliveries, measured
from scripts.load_test.messages import Position, SenderReport, SentSoFar, WatcherReport
from scripts.load_test.monitor import Monitor, Sample
from scripts.load_test.plan import PROBE, Plan
from scripts.load_test.results import Results
from scripts.load_test.schedule import SECOND
from scripts.load_test.series import series
from scripts.load_test.server import Server

LEAD = 0.5  # seconds from the last preparation to the first call

Progress = Callable[[int, SentSoFar], None]


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


def run(plan: Plan, server: Server, progress: Progress, step: Callable[[str], None]) -> Results:
    """Loads ``server`` as planned. ``progress`` is told what the senders say, ``step`` what
    happens around the load. Raises ApiError and ProcessFailed."""
    api = Api(server.target)
    try:
        step(f"creating {plan.boards} board(s)")
        before = _create_boards(api, plan)
        with Processes(plan, server.target) as processes:
            step(f"connecting {plan.clients:,} WebSocket clients, {plan.connections} connections")
            processes.start()
            with Monitor(server) as monitor:
                start = time.monotonic_ns() + int(LEAD * SECOND)
                processes.begin(start)
                step("loading")
                senders = processes.reports(progress)
                step("waiting for what is written behind")
                drained, undrained = audit.drained(api)
            step("auditing")
            expected = figures.acknowledged(plan, senders, before)
            actions = sum(report.acknowledged_actions for report in senders)
            positions: list[Position] = []

            def ask() -> list[Position]:
                positions[:] = [c for found in processes.positions() for c in found.clients]
                return positions

            checks = [
                _answers(senders),
                audit.boards(api, plan, expected),
                audit.postgres(
                    server.database_url, expected, actions + plan.boards * len(plan.lift)
                ),
                audit.screens(api, plan, ask),
            ]
            if undrained:
                checks.append(Check("Write-behind", "everything is written", undrained))
            watchers = processes.finish_watchers()
    finally:
        api.close()
    reconnects = sum(client.lost for client in positions)
    return _results(
        plan,
        server,
        _Raw(start, senders, watchers, monitor.samples, reconnects, drained, checks),
    )


def _create_boards(api: Api, plan: Plan) -> dict[str, int]:
    """Makes each board by lifting its probe above everyone; the probe's points by board."""
    for index in range(plan.boards):
        for number, points in enumerate(plan.lift):
            api.submit(plan.board(index), PROBE, f"{plan.run}-lift-{number}", points)
    return {plan.board(index): sum(plan.lift) for index in range(plan.boards)}


def _answers(senders: list[SenderReport]) -> Check:
    return audit.answers(
        sum(report.unsettled for report in senders),
        sum(report.violation_count for report in senders),
        [text for report in senders for text in report.violations],
    )


def _results(plan: Plan, server: Server, raw: _Raw) -> Results:
    calls = Calls.of(raw.senders)
    deliveries = Deliveries.of(
        raw.senders, raw.watchers, since=raw.start + int(plan.warmup * SECOND)
    )
    within = measured(plan, calls.due)
    accepted = figures.rate(plan, calls, calls.accepted)
    outcomes: dict[str, int] = {}
    for report in raw.senders:
        for name, count in report.outcomes.items():
            outcomes[name] = outcomes.get(name, 0) + count
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
        probes=sum(len(report.probe_due) // 8 for report in raw.senders),
        undelivered=deliveries.missed,
        outcomes=dict(sorted(outcomes.items())),
        cpu=figures.cpu_per_thousand(plan, calls, raw.samples, raw.start),
        write_behind=figures.write_behind(plan, raw.samples, raw.start, accepted, raw.drained),
        generator=figures.generator(plan, calls, raw.senders, raw.watchers, raw.samples, raw.start),
        reconnects=raw.reconnects,
        series=series(plan, calls, deliveries, raw.samples, raw.start),
        audit=raw.checks,
    )
