"""How often each caller may do something, counted by each process for itself."""

from __future__ import annotations

import time
from collections.abc import Callable

from scoreboard.domain.boards import Rate

REMEMBERED = 100_000  # callers
ROUNDING = 1e-9  # seconds


class Pace:
    """Lets each name go ``rate.actions`` times at once, and lastingly at that rate (GCRA, which
    keeps one moment for each name). None sets no limit. ``clock`` in seconds."""

    def __init__(
        self,
        rate: Rate | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        remembered: int = REMEMBERED,
    ) -> None:
        self._seconds = rate.seconds if rate else 0.0
        self._each = rate.seconds / rate.actions if rate else 0.0
        self._clock = clock
        # When a name will have all its turns again. Two generations bound them: a name in neither
        # has not come for a long time.
        self._young: dict[str, float] = {}
        self._old: dict[str, float] = {}
        self._generation = max(1, remembered // 2)

    def wait(self, name: str) -> float:
        """0 when it is the name's turn, which is then taken; else the seconds until it is."""
        if not self._each:
            return 0.0
        now = self._clock()
        full = max(now, self._young.get(name) or self._old.get(name, now))
        early = full + self._each - self._seconds - now
        if name not in self._young and len(self._young) >= self._generation:
            self._old, self._young = self._young, {}
        if early > ROUNDING:
            self._young[name] = full
            return early
        self._young[name] = full + self._each
        return 0.0
