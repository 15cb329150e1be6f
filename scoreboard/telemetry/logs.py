"""Structured logs on standard error: JSON lines for machines, colours for people."""

from __future__ import annotations

import logging
import os
import select
import sys
from collections.abc import Collection
from contextlib import suppress
from typing import TextIO, cast

import structlog

from scoreboard.telemetry import metrics

PATIENCE = 200  # milliseconds for a reader that does not keep up; none until it reads again


class _Unfailing:
    """A stream on which nothing fails or waits. While nobody takes what is written, as on a full
    disk or behind a pipe or a terminal (Ctrl-S) whose reader has stopped, the log lacks lines,
    which a metric counts, and no other work ends or stands still for it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._encoding = stream.encoding or "utf-8"
        self._descriptor: int | None = None
        self._poll = select.poll()
        self._stopped = False
        self._torn = False  # the line written last lacks its end
        with suppress(OSError):  # not every stream has one
            self._descriptor = stream.fileno()
            self._poll.register(self._descriptor, select.POLLOUT)

    def write(self, text: str) -> None:
        try:
            if self._descriptor is None:
                self._stream.write(text)
                self._stream.flush()
            else:
                self._put(self._descriptor, text)
        except OSError:
            metrics.log_lines_lost.inc()

    def flush(self) -> None:
        """Has nothing to do: each write is flushed."""

    def _put(self, descriptor: int, text: str) -> None:
        left = ("\n" * self._torn + text).encode(self._encoding, "backslashreplace")
        while left:
            self._stopped = not self._poll.poll(0 if self._stopped else PATIENCE)
            if self._stopped:
                raise BlockingIOError
            # No more than what a pipe that is ready takes without waiting.
            left = left[os.write(descriptor, left[: select.PIPE_BUF]) :]
            self._torn = bool(left)


def configure(form: str, level_name: str, *, leave_out: Collection[str] = ()) -> None:
    """Sets up structlog in the ``form`` "json" or "console", from the level of that name on and
    without the events in ``leave_out``, and passes what libraries log at warning and above through
    it."""

    def select(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        if event["event"] in leave_out:
            raise structlog.DropEvent
        return event

    shared: list[structlog.typing.Processor] = [
        *([select] if leave_out else []),
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor
    if form == "json":
        shared.append(structlog.processors.format_exc_info)
        renderer = structlog.processors.JSONRenderer()
    else:
        # Not structlog's default: that one prints the local variables of a traceback, and with
        # them whatever a caller has sent.
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    stream = cast(TextIO, _Unfailing(sys.stderr))
    level = logging.getLevelNamesMapping()[level_name.upper()]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processor=renderer)
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
