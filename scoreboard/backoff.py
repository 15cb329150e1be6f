"""How long to wait between attempts at a server that is away."""

from __future__ import annotations

import random


class Backoff:
    """Pauses in seconds, each twice as long as the one before, from ``first`` up to ``longest``.
    The later half of each is left to chance, so that those who lost a server together do not come
    back together."""

    def __init__(self, first: float = 0.1, longest: float = 5.0) -> None:
        self._pause = first
        self._longest = longest

    def next(self) -> float:
        """The pause before the next attempt."""
        pause = min(self._pause, self._longest)
        self._pause = 2 * pause
        return random.uniform(pause / 2, pause)  # noqa: S311 (spread, not secrecy)
