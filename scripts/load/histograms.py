"""HdrHistograms of latencies: three significant digits from a microsecond to an hour, in a form
(V2, compressed, base64) that the HdrHistogram tools of other languages read too."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt
from hdrh.histogram import HdrHistogram

HOUR = 3_600_000_000  # microseconds
DIGITS = 3
CURVE = (0, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.98, 99.99, 99.995, 99.999)

Nanoseconds = npt.NDArray[np.int64]


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds; ``curve`` is the latency at each of CURVE's percentiles that the count
    supports; ``encoded`` is the whole histogram, in microseconds."""

    count: int
    mean: float
    p50: float
    p99: float
    p999: float
    max: float
    curve: list[tuple[float, float]]
    encoded: str


def latency(values: Nanoseconds) -> Latency:
    """The distribution of ``values``."""
    histogram = _empty()
    microseconds, counts = np.unique(np.clip(values // 1000, 1, HOUR), return_counts=True)
    for value, count in zip(microseconds.tolist(), counts.tolist(), strict=True):
        histogram.record_value(value, count)
    return _described(histogram)


def _empty() -> HdrHistogram:
    return HdrHistogram(1, HOUR, DIGITS)


def _described(histogram: HdrHistogram) -> Latency:
    count = histogram.get_total_count()
    # A percentile beyond the largest value's own says nothing: 99.9 needs a thousand values.
    points = [point for point in CURVE if point == 0 or round(count * (100 - point), 6) >= 100]
    at = histogram.get_percentile_to_value_dict([*points, 50, 99, 99.9])
    return Latency(
        count=count,
        mean=histogram.get_mean_value() / 1000,
        p50=at.get(50, 0) / 1000,
        p99=at.get(99, 0) / 1000,
        p999=at.get(99.9, 0) / 1000,
        max=histogram.get_max_value() / 1000,
        curve=[(point, at[point] / 1000) for point in points if point in at],
        encoded=histogram.encode().decode(),
    )
