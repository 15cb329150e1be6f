"""What a scrape of /metrics shows."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from scoreboard.telemetry import metrics, sharing

CONTENT_TYPE = CONTENT_TYPE_LATEST


def exposition() -> bytes:
    """The figures in Prometheus's text format: of this process, or of all that share theirs. Takes
    milliseconds, so it is called in a thread."""
    if (shared := sharing.folder()) is None:
        return generate_latest()
    registry = sharing.gathered(shared)
    registry.register(metrics.build)  # not a figure, so not in the files
    return generate_latest(registry)
