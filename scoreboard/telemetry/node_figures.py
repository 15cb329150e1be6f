"""The metrics of each of Redis's servers, by its address."""

from __future__ import annotations

from functools import lru_cache

from scoreboard.telemetry import metrics
from scoreboard.telemetry.tallies import LatencyTally

MOST = 64  # addresses with figures of their own: in a long life, a process may see many
OTHERS = "others"

_seen: set[str] = set()


class NodeFigures:
    """Those of one server."""

    __slots__ = ("call_seconds", "connections", "lost", "refused")

    def __init__(self, node: str) -> None:
        self.call_seconds = LatencyTally(
            metrics.redis_call_seconds.labels(node), metrics.REDIS_LATENCIES
        )
        self.connections = metrics.redis_connections.labels(node)
        self.lost = metrics.redis_failures.labels(node, "lost")
        self.refused = metrics.redis_failures.labels(node, "refused")


_figures = lru_cache(maxsize=None)(NodeFigures)  # of MOST names and OTHERS at most


def figures_of(node: str) -> NodeFigures:
    """The figures of the server at this address; ``others`` share one set behind the first MOST."""
    if node not in _seen:
        if len(_seen) >= MOST:
            return _figures(OTHERS)
        _seen.add(node)
    return _figures(node)
