"""Turns Ctrl-C, SIGTERM and SIGHUP into a flag that is checked at safe points, so that no step is
interrupted halfway."""

from __future__ import annotations

import select
import signal
import socket
import time
from contextlib import suppress
from types import FrameType, TracebackType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """The process was asked to stop while it waited for something to start."""


class Interruption:
    """A context manager in which the signals only set ``wanted``. SIGHUP stays ignored if it was
    ignored before (nohup)."""

    def __init__(self) -> None:
        self._wanted = False

    @property
    def wanted(self) -> bool:
        """Whether a stop is."""
        return self._wanted

    def sleep(self, seconds: float) -> None:
        """Sleeps for so long, but not on when a stop is wanted or a child process has ended."""
        select.select((self._heard,), (), (), seconds)
        with suppress(BlockingIOError):
            self._heard.recv(4096)

    def pause(self) -> None:
        """Sleeps for a moment. Raises Interrupted when a stop is wanted."""
        if self.wanted:
            raise Interrupted
        time.sleep(0.02)

    def __enter__(self) -> Interruption:
        self._heard, self._told = socket.socketpair()
        for end in (self._heard, self._told):
            end.setblocking(False)
        self._told_before = signal.set_wakeup_fd(self._told.fileno(), warn_on_full_buffer=False)
        self._former = {number: signal.getsignal(number) for number in (*SIGNALS, signal.SIGCHLD)}
        for number in SIGNALS:
            if number != signal.SIGHUP or self._former[number] != signal.SIG_IGN:
                signal.signal(number, self._want)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler it would not be told
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._told_before)
        self._heard.close()
        self._told.close()

    def _want(self, number: int, frame: FrameType | None) -> None:
        self._wanted = True
