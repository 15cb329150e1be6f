"""From the processes' accounts to the figures of the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from scripts.load_test import histograms
from scripts.load_test.calls import Calls, Ints, measured
from scripts.load_test.histograms import Latency
from scripts.load_test.messages import SenderReport, WatcherReport
from scripts.load_test.monitor import Sample
from scripts.load_test.plan import Plan
from scripts.load_test.results import Generator, WriteBehind

LAG_BOUND = 5.0  # ms: above, the generator's own delay shows in the figures
CPU_BOUND = 0.85  # of a core, of the one that a process can use
MACHINE_BOUND = 0.95
KEPT_UP = 0.98  # of the rate asked for


def rate(plan: Plan, calls: Calls, actions: Ints) -> float:
    """Of ``actions`` (one entry a call) those answered a second in the measured time."""
    return float(actions[measured(plan, calls.answered)].sum() / plan.duration)


def acknowledged(
    plan: Plan, reports: Sequence[SenderReport], before: Mapping[str, int]
) -> dict[str, dict[str, int]]:
    """Points by board and user, for every user with an acknowledged action. ``before`` has the
    probe's points of each board from before the start."""
    totals = np.sum([np.frombuffer(report.acknowledged, np.int64) for report in reports], axis=0)
    by_board: dict[str, dict[str, int]] = {}
    for index, row in enumerate(totals.reshape(plan.boards, plan.users + 1)):
        board = plan.board(index)
        row = row.copy()
        row[plan.users] += before[board]
        # Points are positive, so a user without points has no acknowledged action.
        by_board[board] = {plan.user(user): int(row[user]) for user in np.flatnonzero(row).tolist()}
    return by_board


def cpu_per_thousand(
    plan: Plan, calls: Calls, samples: Sequence[Sample], start: int
) -> dict[str, float]:
    """CPU milliseconds of each of the server's parts for a thousand actions answered."""
    inside = [s for s in samples if measured(plan, np.array([s.at - start]))[0] and s.cpu]
    if len(inside) < 2:
        return {}
    first, last = inside[0], inside[-1]
    within = (calls.answered >= first.at - start) & (calls.answered < last.at - start)
    actions = int(calls.actions[within].sum())
    if not actions:
        return {}
    return {part: 1e6 * (last.cpu[part] - first.cpu[part]) / actions for part in first.cpu}


def write_behind(
    plan: Plan, samples: Sequence[Sample], start: int, events: float, drained: float | None
) -> WriteBehind:
    """``events`` is how many come a second: what is accepted."""
    backlogs = [
        sample.backlog
        for sample in samples
        if sample.backlog is not None and measured(plan, np.array([sample.at - start]))[0]
    ]
    if not backlogs:
        return WriteBehind(None, None, None, drained)
    mean = sum(backlogs) / len(backlogs)
    return WriteBehind(mean, max(backlogs), mean / events if events else None, drained)


def generator(
    plan: Plan,
    calls: Calls,
    senders: Sequence[SenderReport],
    watchers: Sequence[WatcherReport],
    samples: Sequence[Sample],
    start: int,
) -> Generator:
    """How the generator itself did."""
    lag = histograms.latency(calls.lag[measured(plan, calls.due)])
    sender_cpu = max(report.cpu_seconds for report in senders) / plan.seconds
    watcher_cpu = max((report.cpu_seconds for report in watchers), default=0.0) / plan.seconds
    busy = [s.machine for s in samples if measured(plan, np.array([s.at - start]))[0]]
    machine = sum(busy) / len(busy) if busy else 0.0
    done = rate(plan, calls, calls.actions)
    return Generator(
        lag, sender_cpu, watcher_cpu, machine,
        _warnings(plan, lag, sender_cpu, watcher_cpu, machine, done),
    )  # fmt: skip


def _warnings(
    plan: Plan, lag: Latency, sender_cpu: float, watcher_cpu: float, machine: float, done: float
) -> list[str]:
    warnings = []
    if sender_cpu > CPU_BOUND:
        warnings.append(
            f"A sender used {sender_cpu:.0%} of its core: the generator is the limit. "
            "Use more --senders, on a machine with more cores."
        )
    if watcher_cpu > CPU_BOUND:
        warnings.append(
            f"A process of WebSocket clients used {watcher_cpu:.0%} of its core: delivery times "
            "are the generator's. Use more --watchers, or fewer clients."
        )
    if lag.p99 > LAG_BOUND:
        warnings.append(
            f"The generator got to 1% of its calls more than {lag.p99:.1f} ms late: latencies "
            "contain its own delay."
        )
    if machine > MACHINE_BOUND:
        warnings.append(
            f"All cores were {machine:.0%} busy: server and generator compete for them."
        )
    if done < plan.rate * KEPT_UP:
        warnings.append(
            f"{done:,.0f} actions a second were answered of {plan.rate:,.0f} asked for: the rate "
            "is not sustained, so latencies grow with the length of the run."
        )
    return warnings
