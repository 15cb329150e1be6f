"""Refused tokens, for operators: a count by reason, and now and then a line in the log."""

from __future__ import annotations

import time
from collections.abc import Callable

from scoreboard.api.token_rules import Reason, TokenRefused
from scoreboard.telemetry import metrics
from scoreboard.telemetry.sparing_log import SparingLog


class RefusalLog:
    """Counts every refusal, and logs each reason sparingly. ``clock`` in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logs: dict[Reason, SparingLog] = {}

    def note(self, refusal: TokenRefused) -> None:
        """One token was refused."""
        reason = refusal.reason
        metrics.tokens_refused.labels(reason).inc()
        log = self._logs.get(reason)
        if log is None:
            log = self._logs[reason] = SparingLog(__name__, clock=self._clock)
        log.warning("token_refused", reason=reason, detail=refusal.detail)
