"""What came of all calls and probes, put together from the processes' reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scripts.load_test.messages import SenderReport, WatcherReport
from scripts.load_test.plan import Plan
from scripts.load_test.schedule import SECOND

Ints = npt.NDArray[np.int64]


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
        return cls(
            *(
                _joined([getattr(report, name) for report in reports])
                for name in ("due", "lag", "service", "latency", "accepted", "known", "refused")
            )
        )

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
        boards = _joined([report.probe_board for report in senders])
        due = _joined([report.probe_due for report in senders])
        scores = _joined([report.probe_score for report in senders])
        dues, latencies, missed = [], [], 0
        for report in watchers:
            for board, seen_at, seen_score in zip(
                report.boards, report.seen_at, report.seen_score, strict=True
            ):
                own = (boards == board) & (due >= since)
                seen = np.frombuffer(seen_at, np.int64)
                first = np.searchsorted(np.frombuffer(seen_score, np.int64), scores[own])
                arrived = first < len(seen)
                missed += int((~arrived).sum())
                dues.append(due[own][arrived])
                latencies.append(seen[first[arrived]] - due[own][arrived])
        return cls(_concatenated(dues), _concatenated(latencies), missed)


def measured(plan: Plan, instants: Ints) -> npt.NDArray[np.bool_]:
    """Which ``instants`` (ns after the start) lie after the warm-up and before the end."""
    begin = int(plan.warmup * SECOND)
    return (instants >= begin) & (instants < int(plan.seconds * SECOND))


def _joined(parts: Sequence[bytes]) -> Ints:
    return _concatenated([np.frombuffer(part, np.int64) for part in parts])


def _concatenated(parts: Sequence[Ints]) -> Ints:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
