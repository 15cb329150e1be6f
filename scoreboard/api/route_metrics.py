"""Counts each route's answers and their latency.

Counted are plain numbers, which are added to the metrics before they are shown: three of
prometheus_client's locked values would cost a small read some percent of its time, and when
processes share their figures (telemetry/sharing.py) three times as much.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from weakref import WeakSet

from scoreboard.telemetry import metrics

UNMATCHED = ("any", "unmatched")  # method and route of a request that no operation matches
INTERVAL = 1.0  # seconds after which another process sees what was counted here

_BOUNDS = metrics.LATENCIES
_routes: WeakSet[RouteMetrics] = WeakSet()


class RouteMetrics:
    """The figures of one method and path template. They have no lines in a scrape before the first
    answer."""

    __slots__ = ("__weakref__", "_answered", "_labels", "_latencies", "_seconds")

    def __init__(self, method: str, route: str) -> None:
        self._labels = method, route
        self._clear()
        _routes.add(self)

    @property
    def route(self) -> str:
        """The path, with names for what it holds: what stands in a path may be whose it is."""
        return self._labels[1]

    def count(self, status: int, seconds: float) -> None:
        """Counts an answer that took so long."""
        self._latencies[bisect_left(_BOUNDS, seconds)] += 1
        self._seconds += seconds
        self._answered[status] = self._answered.get(status, 0) + 1

    def publish(self) -> None:
        """Adds what was counted since the last time to the metrics."""
        if self._answered:
            for status, count in self._answered.items():
                metrics.http_requests.labels(*self._labels, str(status)).inc(count)
            latency = metrics.http_request_seconds.labels(*self._labels)
            latency.observe_many(self._latencies, self._seconds)
            self._clear()

    def _clear(self) -> None:
        self._answered: dict[int, int] = {}
        self._latencies = [0] * (len(_BOUNDS) + 1)
        self._seconds = 0.0


def publish_routes() -> None:
    """Adds what all routes have counted to the metrics. Call it where the event loop runs."""
    for route in list(_routes):
        route.publish()


async def keep_published() -> None:
    """Does so every second until cancelled, for processes that share their figures."""
    try:
        while True:
            await asyncio.sleep(INTERVAL)
            publish_routes()
    finally:
        publish_routes()
