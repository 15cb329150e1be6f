"""The course of a run, interval by interval."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from scripts.load.open_loop import SECOND
from scripts.load_test.account import Ints
from scripts.load_test.calls import Calls, Deliveries
from scripts.load_test.monitor import Sample
from scripts.load_test.plan import Plan
from scripts.load_test.results import Series

MAX_INTERVALS = 120


def series(
    plan: Plan, calls: Calls, deliveries: Deliveries, samples: Sequence[Sample], start: int
) -> Series:
    """The course of the run, warm-up included."""
    step = max(1.0, np.ceil(plan.seconds / MAX_INTERVALS))
    count = int(np.ceil(plan.seconds / step))
    width = int(step * SECOND)
    answered = np.clip(calls.answered // width, 0, count)

    def rates(actions: Ints) -> list[float]:
        sums = np.bincount(answered, actions, minlength=count + 1)[:count]
        return [round(float(value), 1) for value in sums / step]

    p50, p99, top = _percentiles(calls.due // width, calls.latency, count)
    delivery_p50, delivery_p99, _ = _percentiles(
        (deliveries.due - start) // width, deliveries.latency, count
    )
    return Series(
        step=float(step),
        accepted=rates(calls.accepted),
        duplicates=rates(calls.known),
        refused=rates(calls.refused),
        post_p50=p50,
        post_p99=p99,
        post_max=top,
        delivery_p50=delivery_p50,
        delivery_p99=delivery_p99,
        cpu=_cores(samples, start, width, count),
        backlog=_backlog(samples, start, width, count),
    )


def _percentiles(interval: Ints, values: Ints, count: int) -> tuple[list[float | None], ...]:
    """p50, p99 and the maximum, ms, of the values of each interval."""
    order = np.argsort(interval, kind="stable")
    edges = np.searchsorted(interval[order], np.arange(count + 1))
    found: list[tuple[float | None, ...]] = []
    for begin, end in itertools.pairwise(edges):
        part = values[order[begin:end]]
        at = np.percentile(part, (50, 99, 100)) / 1e6 if len(part) else (None,) * 3
        found.append(tuple(None if value is None else round(float(value), 3) for value in at))
    return tuple(list(column) for column in zip(*found, strict=True))


def _cores(
    samples: Sequence[Sample], start: int, width: int, count: int
) -> dict[str, list[float | None]]:
    known = [sample for sample in samples if sample.cpu]
    cores: dict[str, list[float | None]] = {}
    for before, after in itertools.pairwise(known):
        interval = ((before.at + after.at) // 2 - start) // width
        if 0 <= interval < count:
            for part, used in after.cpu.items():
                share = (used - before.cpu[part]) * SECOND / (after.at - before.at)
                cores.setdefault(part, [None] * count)[interval] = round(share, 3)
    return cores


def _backlog(samples: Sequence[Sample], start: int, width: int, count: int) -> list[float | None]:
    backlog: list[float | None] = [None] * count
    for sample in samples:
        interval = (sample.at - start) // width
        if 0 <= interval < count and sample.backlog is not None:
            backlog[interval] = max(sample.backlog, backlog[interval] or 0)
    return backlog
