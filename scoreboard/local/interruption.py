"""Turns Ctrl-C, SIGTERM and SIGHUP into a flag that is checked at safe points, so that no step is
interrupted halfway."""

from __future__ import annotations

import signal
import time
from types import FrameType, TracebackType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """The process was asked to stop while it waited for something to start."""


class Interruption:
    """A context manager in which the signals only set ``wanted``. SIGHUP stays ignored if it was
    ignored before (nohup)."""

    def __init__(self) -> None:
        self.wanted = False

    def pause(self) -> None:
        """Sleeps for a moment. Raises Interrupted when a stop is wanted."""
        if self.wanted:
            raise Interrupted
        time.sleep(0.02)

    def __enter__(self) -> Interruption:
        self._former = {number: signal.getsignal(number) for number in SIGNALS}
        for number in SIGNALS:
            if number != signal.SIGHUP or self._former[number] != signal.SIG_IGN:
                signal.signal(number, self._want)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _want(self, number: int, frame: FrameType | None) -> None:
        self.wanted = True
