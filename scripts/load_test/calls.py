"""What came of all calls and probes, put together from the processes' reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scripts.load.open_loop import SECOND
from scripts.load_test.account import Ints, SenderReport
from scripts.load_test.plan import Plan
from scripts.load_test.watcher import WatcherReport


@dataclass(frozen=True)
class Calls:
    """All senders' calls. ``due`` in ns after the start, the others in ns or actions."""

    due: Ints
    lag: Ints
    service: Ints
    latency: Ints
    accepted: Ints
    known: Ints
    refused: Ints

    @classmethod
    def of(cls, reports: Sequence[SenderReport]) -> Calls:
        return cls(*np.concatenate([report.calls for report in reports]).T)

    @property
    def answered(self) -> Ints:
        return self.due + self.latency

    @property
    def actions(self) -> Ints:
        return self.accepted + self.known + self.refused


@dataclass(frozen=True)
class Deliveries:
    """One entry for each probe and client that saw it: the probe's ``due`` (monotonic ns) and
    ``latency`` (ns). ``missed`` counts those that never arrived."""

    due: Ints
    latency: Ints
    missed: int

    @classmethod
    def of(
        cls, senders: Sequence[SenderReport], watchers: Sequence[WatcherReport], since: int
    ) -> Deliveries:
        """Of the probes due from ``since`` on. A probe has arrived with the first top 10 in which
        its user has at least the score that it was acknowledged with: scores of probes only
        grow, so this holds however calls overtake one another and updates are merged."""
        boards, due, scores = np.concatenate([report.probes for report in senders]).T
        dues, latencies, missed = [], [], 0
        for report in watchers:
            for board, seen_at, seen_score in zip(
                report.boards, report.seen_at, report.seen_score, strict=True
            ):
                own = (boards == board) & (due >= since)
                first = np.searchsorted(seen_score, scores[own])
                arrived = first < len(seen_at)
                missed += int((~arrived).sum())
                dues.append(due[own][arrived])
                latencies.append(seen_at[first[arrived]] - due[own][arrived])
        nothing = np.zeros(0, np.int64)
        return cls(np.concatenate([nothing, *dues]), np.concatenate([nothing, *latencies]), missed)


def measured(plan: Plan, instants: Ints) -> npt.NDArray[np.bool_]:
    """Which ``instants`` (ns after the start) lie after the warm-up and before the end."""
    begin = int(plan.warmup * SECOND)
    return (instants >= begin) & (instants < int(plan.seconds * SECOND))
