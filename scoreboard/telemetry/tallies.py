"""Figures of what happens often, counted as plain numbers and added to the metrics before these are
shown.

To count one of prometheus_client's locked values takes some percent of a small call's time, and
seven times as long when processes share their figures (sharing.py).
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Sequence
from typing import Protocol
from weakref import WeakSet

from prometheus_client import Counter

from scoreboard.telemetry.bulk_histogram import BulkHistogram

INTERVAL = 1.0  # seconds after which another process sees what was counted here


class Publishes(Protocol):
    """Counts what is not in the metrics yet."""

    def publish(self) -> None:
        """Adds what was counted since the last time to the metrics."""


_counting: WeakSet[Publishes] = WeakSet()


def publish_later(figures: Publishes) -> None:
    """Lets ``publish_all`` know of them, for as long as they are in use."""
    _counting.add(figures)


def publish_all() -> None:
    """Adds all that was counted to the metrics. Call it where the event loop runs."""
    for figures in list(_counting):
        figures.publish()


async def keep_published() -> None:
    """Does so every second until cancelled, for processes that share their figures."""
    try:
        while True:
            await asyncio.sleep(INTERVAL)
            publish_all()
    finally:
        publish_all()


class Tally:
    """Counts for a counter."""

    __slots__ = ("__weakref__", "_count", "_counter")

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._count = 0
        publish_later(self)

    def inc(self, amount: int = 1) -> None:
        """Counts ``amount`` more."""
        self._count += amount

    def publish(self) -> None:
        """See Publishes."""
        if self._count:
            self._counter.inc(self._count)
            self._count = 0


class Latencies:
    """What was observed for a histogram with these bounds, in seconds, and is not in it yet."""

    __slots__ = ("__weakref__", "_bounds", "_counts", "_seconds")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._clear()

    def observe(self, seconds: float) -> None:
        """Counts what took so long."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._seconds += seconds

    def move_to(self, histogram: BulkHistogram) -> None:
        """Adds it to the histogram."""
        if any(self._counts):
            histogram.observe_many(self._counts, self._seconds)
            self._clear()

    def _clear(self) -> None:
        self._counts = [0] * (len(self._bounds) + 1)
        self._seconds = 0.0


class LatencyTally(Latencies):
    """Observes for a histogram."""

    __slots__ = ("_histogram",)

    def __init__(self, histogram: BulkHistogram, bounds: Sequence[float]) -> None:
        super().__init__(bounds)
        self._histogram = histogram
        publish_later(self)

    def publish(self) -> None:
        """See Publishes."""
        self.move_to(self._histogram)
