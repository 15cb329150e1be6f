"""A board's statistics: its hours, and the points of an action and of a session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from scoreboard.anomaly.forest import Floats
from scoreboard.anomaly.memory.points import points_bucket
from scoreboard.anomaly.memory.sessions import SESSION_BREAK_MS
from scoreboard.domain.judging import Case

OTHER_DAYS: Final = 0.1
"""What an hour's share takes from the same hour on other days of the week."""


class BoardStatistics(msgspec.Struct, frozen=True):
    """The board's statistics in the training data. ``week_bits`` (168 values) and ``hour_share``
    (24 values) are per hour in UTC, the former from Monday 00:00. ``points_tail`` is, for each
    bucket of points, the share of actions with as many points or more. Session totals are stored as
    square roots."""

    week_bits: list[float]
    hour_share: list[float]
    points_low: int
    points_high: int
    points_tail: dict[int, float]
    session_mean: float
    session_variance: float

    def bits_at(self, at_ms: int) -> float:
        """Returns how surprising the hour of the week is, in bits; 0 for an ordinary one."""
        return self.week_bits[(at_ms // 3_600_000 + 72) % 168]


def board_statistics(cases: Sequence[Case]) -> BoardStatistics:
    """Returns the statistics of ``cases``, at least one, in order of time."""
    hours = np.array([case.at_ms for case in cases]) // 3_600_000
    day = _smooth(np.bincount(hours % 24, minlength=24))
    week = _smooth(np.bincount((hours + 72) % 168, minlength=168))
    # An hour with play on other days of the week is less odd than one that is never played.
    week = (1 - OTHER_DAYS) * week + OTHER_DAYS * np.tile(day, 7) / 7
    buckets = np.array([points_bucket(case.points) for case in cases])
    totals = np.sqrt(np.maximum(_session_totals(cases), 0))
    return BoardStatistics(
        week_bits=np.maximum(0.0, -np.log2(168 * week)).tolist(),
        hour_share=day.tolist(),
        points_low=min(case.points for case in cases),
        points_high=max(case.points for case in cases),
        points_tail={
            bucket: float((buckets >= bucket).mean())
            for bucket in range(int(buckets.min()), int(buckets.max()) + 1)
        },
        session_mean=float(totals.mean()),
        session_variance=float(totals.var()),
    )


def _smooth(counts: npt.NDArray[np.int64]) -> Floats:
    """Returns the share of each hour, smoothed over its neighbours; none is zero."""
    spread = (np.roll(counts, 1) + 2 * counts + np.roll(counts, -1)) / 4 + 0.5
    shares: Floats = spread / spread.sum()
    return shares


def _session_totals(cases: Sequence[Case]) -> npt.NDArray[np.int64]:
    totals: list[int] = []
    current: dict[str, tuple[int, int]] = {}
    for case in cases:
        seen_ms, total = current.get(case.user_id, (0, 0))
        if seen_ms and case.at_ms - seen_ms >= SESSION_BREAK_MS:
            totals.append(total)
            total = 0
        current[case.user_id] = case.at_ms, total + case.points
    return np.array(totals + [total for _, total in current.values()])
