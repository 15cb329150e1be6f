"""What the log of a service says of its clients."""

from __future__ import annotations

from structlog.typing import EventDict

CHECKS = ("append_only_off", "append_only_fragile")  # what a start finds out about its Redis


def about_clients(logs: list[EventDict]) -> list[EventDict]:
    """Without the lines about the service's own work, which goes on meanwhile."""
    return [line for line in logs if line["log_level"] != "info" and line["event"] not in CHECKS]
