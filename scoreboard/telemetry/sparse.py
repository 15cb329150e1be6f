"""Log lines about what may happen thousands of times a second."""

from __future__ import annotations

import time
from collections.abc import Callable

EVERY = 60.0  # seconds between two lines about the same thing


class Sparse:
    """Says when a line about ``key`` is due: the first time, then at most every ``every`` seconds.
    Keys must be few, since none is forgotten."""

    def __init__(
        self, every: float = EVERY, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._every = every
        self._clock = clock
        self._due: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def due(self, key: str) -> int | None:
        """How many lines were left out since the last one; None when this one is left out too."""
        now = self._clock()
        if now < self._due.get(key, now):
            self._left_out[key] = self._left_out.get(key, 0) + 1
            return None
        self._due[key] = now + self._every
        return self._left_out.pop(key, 0)
