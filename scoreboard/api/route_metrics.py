"""Counts each route's answers and their latency (telemetry/tallies.py)."""

from __future__ import annotations

from scoreboard.telemetry import metrics
from scoreboard.telemetry.tallies import Latencies, publish_later

UNMATCHED = ("any", "unmatched")  # method and route of a request that no operation matches


class RouteMetrics:
    """The figures of one method and path template. They have no lines in a scrape before the first
    answer."""

    __slots__ = ("__weakref__", "_answered", "_labels", "_latencies")

    def __init__(self, method: str, route: str) -> None:
        self._labels = method, route
        self._answered: dict[int, int] = {}
        self._latencies = Latencies(metrics.LATENCIES)
        publish_later(self)

    @property
    def route(self) -> str:
        """The path, with names for what it holds: what stands in a path may be whose it is."""
        return self._labels[1]

    def count(self, status: int, seconds: float) -> None:
        """Counts an answer that took so long."""
        self._latencies.observe(seconds)
        self._answered[status] = self._answered.get(status, 0) + 1

    def publish(self) -> None:
        """Adds what was counted since the last time to the metrics."""
        if self._answered:
            for status, count in self._answered.items():
                metrics.http_requests.labels(*self._labels, str(status)).inc(count)
            self._latencies.move_to(metrics.http_request_seconds.labels(*self._labels))
            self._answered = {}
