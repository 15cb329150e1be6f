"""Calls at instants that were drawn beforehand, whatever happens to the calls before them."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

SECOND = 1_000_000_000

Instants = npt.NDArray[np.int64]


def arrivals(count: int, seconds: float, rng: np.random.Generator | None) -> Instants:
    """``count`` ascending instants, ns after the start, over ``seconds``: evenly spaced, or with
    ``rng`` those of a Poisson process, which given their number are uniform and independent."""
    even = (np.arange(count) + 0.5) / max(count, 1)
    places = even if rng is None else np.sort(rng.random(count))
    return (places * seconds * SECOND).astype(np.int64)


class OpenLoop:
    """Calls ``submit(number, due, now)`` for each of ``instants`` (ns after the start) when it has
    come, and ``flush()`` after those that came together.

    The event loop's own timers count in milliseconds; an interval timer is exact to some
    microseconds, on Linux and macOS alike. A process has one, so it can run one open loop.
    """

    def __init__(
        self,
        instants: Instants,
        submit: Callable[[int, int, int], None],
        flush: Callable[[], None],
    ) -> None:
        self._instants: list[int] = instants.tolist()
        self._submit = submit
        self._flush = flush
        self._start = 0
        self._next = 0
        self.ended = asyncio.Event()  # all instants have come

    def begin(self, start: int) -> None:
        """``start`` in monotonic ns."""
        self._start = start
        asyncio.get_running_loop().add_signal_handler(signal.SIGALRM, self._submit_what_is_due)
        self._submit_what_is_due()

    def _submit_what_is_due(self) -> None:
        now = time.monotonic_ns()
        while self._next < len(self._instants):
            due = self._start + self._instants[self._next]
            if due > now:
                wait = (due - time.monotonic_ns()) / SECOND
                signal.setitimer(signal.ITIMER_REAL, max(wait, 1e-6))
                break
            self._submit(self._next, due, now)
            self._next += 1
        else:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGALRM)
            self.ended.set()
        self._flush()
