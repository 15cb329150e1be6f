"""What OpenTelemetry's library says of its troubles, from its first import on."""

from __future__ import annotations

import logging

from scoreboard.telemetry.sparing_log import SparingLog

LIBRARY = "opentelemetry"  # its loggers
TROUBLES = 60.0  # seconds between two lines of the log about spans that are not sent


class _Sparing(logging.Handler):
    """Logs what the library says of its troubles, of which an unreachable receiver would make some
    lines for every batch."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._log = SparingLog(__name__, period=TROUBLES)

    def emit(self, record: logging.LogRecord) -> None:
        reason = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            reason += f" ({record.exc_info[1]!r})"
        self._log.warning("traces_not_sent", reason=reason)


def log_sparingly() -> None:
    """Lets the library say its troubles in few lines of the log."""
    library = logging.getLogger(LIBRARY)
    library.handlers = [_Sparing()]
    library.propagate = False
