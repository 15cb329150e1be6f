"""Ctrl-C, SIGTERM and SIGHUP as a wish that is looked at, so that nothing is torn halfway."""

from __future__ import annotations

import signal
import time
from types import FrameType, TracebackType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """Someone wants the process to stop while it was waiting for something to come up."""


class Interruption:
    """Within this context manager the signals only set ``wanted``; a hang-up that is ignored
    (nohup) stays ignored."""

    def __init__(self) -> None:
        self.wanted = False

    def pause(self) -> None:
        """Pass a moment of waiting. Raises Interrupted when a stop is wanted."""
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
