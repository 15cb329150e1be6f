"""Log lines about what outsiders do, which must not be able to fill the log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog

from scoreboard.telemetry.sparse import Sparse

PERIOD = 10.0  # seconds


class SparingLog:
    """Logs each event at most once in ``period`` seconds. The next line of an event says in
    ``unlogged`` how many were left out since the one before; a metric should count them all."""

    def __init__(
        self, name: str, *, period: float = PERIOD, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = structlog.get_logger(name)
        self._sparse = Sparse(period, clock=clock)

    def warning(self, event: str, **fields: Any) -> None:
        """Logs ``event``, a name from the code, unless it was logged within the period."""
        unlogged = self._sparse.due(event)
        if unlogged is None:
            return
        if unlogged:
            fields["unlogged"] = unlogged
        self._log.warning(event, **fields)
