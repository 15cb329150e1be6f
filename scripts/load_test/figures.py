"""From the processes' accounts to the figures of the run."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import psutil

from scripts.load import histograms
from scripts.load.open_loop import SECOND
from scripts.load_test.account import Ints, SenderReport
from scripts.load_test.calls import Calls, measured
from scripts.load_test.monitor import Sample
from scripts.load_test.plan import Plan
from scripts.load_test.results import Generator, WriteBehind
from scripts.load_test.watcher import WatcherReport

LAG_BOUND = 5.0  # ms: above, the generator's own delay shows in the figures
CPU_BOUND = 0.85  # of a core, of the one that a process can use
MACHINE_BOUND = 0.95
OTHERS_BOUND = 0.3  # cores
KEPT_UP = 0.98  # of the rate asked for

_CORES = psutil.cpu_count() or 1


def rate(plan: Plan, calls: Calls, actions: Ints) -> float:
    """Of ``actions`` (one entry a call) those answered a second in the measured time."""
    return float(actions[measured(plan, calls.answered)].sum() / plan.duration)


def acknowledged(plan: Plan, reports: Sequence[SenderReport]) -> dict[str, dict[str, int]]:
    """Points by board and user, for every user with an acknowledged action."""
    totals = np.sum([report.points for report in reports], axis=0)
    totals[:, plan.users] += sum(plan.lift)  # the probe's, from before the start
    # Points are positive, so a user without points has no acknowledged action.
    return {
        plan.board(index): {
            plan.user(user): int(row[user]) for user in np.flatnonzero(row).tolist()
        }
        for index, row in enumerate(totals)
    }


def cpu_per_thousand(
    plan: Plan, calls: Calls, samples: Sequence[Sample], start: int
) -> dict[str, float]:
    """CPU milliseconds of each of the server's parts for a thousand actions answered, between the
    samples nearest to the beginning and the end of the measured time: on a busy machine there may
    be none within it. Empty when the server's CPU is not known."""
    known = [sample for sample in samples if sample.cpu]
    if len(known) < 2:
        return {}
    begin, end = start + int(plan.warmup * SECOND), start + int(plan.seconds * SECOND)
    first = min(known[:-1], key=lambda sample: abs(sample.at - begin))
    last = min(known[known.index(first) + 1 :], key=lambda sample: abs(sample.at - end))
    within = (calls.answered >= first.at - start) & (calls.answered < last.at - start)
    actions = int(calls.actions[within].sum())
    if not actions:
        return {}
    return {part: 1e6 * (last.cpu[part] - first.cpu[part]) / actions for part in first.cpu}


def write_behind(
    plan: Plan, samples: Sequence[Sample], start: int, events: float, drained: float | None
) -> WriteBehind:
    """``events`` is how many come a second: what is accepted. Where a busy machine took no sample
    in the time measured, those from before and after it stand in."""
    told = [(sample.at, sample.backlog) for sample in samples if sample.backlog is not None]
    if not told:
        return WriteBehind(None, None, None, drained)
    inside = [backlog for at, backlog in told if measured(plan, np.array([at - start]))[0]]
    backlogs = inside or [backlog for _, backlog in told]
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
    """How the generator itself did, and who else was at work on the machine."""
    inside = [sample for sample in samples if measured(plan, np.array([sample.at - start]))[0]]
    busy = sum(sample.machine for sample in inside) / len(inside) if inside else 0.0
    sending = [report.cpu_seconds / plan.seconds for report in senders]
    watching = [report.cpu_seconds / plan.seconds for report in watchers]
    found = Generator(
        lag=histograms.latency(calls.lag[measured(plan, calls.due)]),
        sender_cpu=max(sending),
        watcher_cpu=max(watching, default=0.0),
        machine_busy=busy,
        others_cpu=_others(busy, sum(sending) + sum(watching), [s for s in inside if s.cpu]),
        warnings=[],
    )
    done = rate(plan, calls, calls.actions)
    return msgspec.structs.replace(found, warnings=_warnings(plan, found, done))


def _others(busy: float, own: float, samples: Sequence[Sample]) -> float | None:
    """Cores that neither the server nor the generator used."""
    if len(samples) < 2:
        return None
    first, last = samples[0], samples[-1]
    used = sum(last.cpu.values()) - sum(first.cpu.values())
    return max(0.0, busy * _CORES - own - used * SECOND / (last.at - first.at))


def _warnings(plan: Plan, found: Generator, done: float) -> list[str]:
    warnings = []
    if found.sender_cpu > CPU_BOUND:
        warnings.append(
            f"A sender used {found.sender_cpu:.0%} of its core: the generator is the limit. "
            "Use more --senders, on a machine with more cores."
        )
    if found.watcher_cpu > CPU_BOUND:
        warnings.append(
            f"A process of WebSocket clients used {found.watcher_cpu:.0%} of its core: delivery "
            "times are the generator's. Use more --watchers, or fewer clients."
        )
    if found.lag.p99 > LAG_BOUND:
        warnings.append(
            f"The generator got to 1% of its calls more than {found.lag.p99:.1f} ms late: "
            "latencies contain its own delay."
        )
    if found.machine_busy > MACHINE_BOUND:
        warnings.append(
            f"All cores were {found.machine_busy:.0%} busy: server and generator compete for them."
        )
    if found.others_cpu is not None and found.others_cpu > OTHERS_BOUND:
        warnings.append(
            f"Other programs used {found.others_cpu:.1f} of {_CORES} cores: the "
            "figures are not those of an idle machine."
        )
    if done < plan.rate * KEPT_UP:
        warnings.append(
            f"{done:,.0f} actions a second were answered of {plan.rate:,.0f} asked for: the rate "
            "is not sustained, so latencies grow with the length of the run."
        )
    return warnings
