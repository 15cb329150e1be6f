"""What `up` does beside running its children, and may fail to do without ending them."""

from __future__ import annotations

import time
from collections.abc import Callable

from scoreboard.errors import ScoreboardError

Say = Callable[[str], None]
Clock = Callable[[], float]


class Duty:
    """``work``, done every ``interval`` seconds, first after one. When that fails it is tried again
    every ``retry`` seconds; that is told when it begins and when it ends. ``name`` is what is done,
    as the subject of a sentence."""

    def __init__(
        self,
        name: str,
        work: Callable[[], None],
        say: Say,
        *,
        interval: float,
        retry: float,
        clock: Clock = time.monotonic,
    ) -> None:
        self._name = name
        self._work = work
        self._say = say
        self._interval = interval
        self._retry = retry
        self._clock = clock
        self._due = clock() + interval
        self._failing = False

    def look(self) -> None:
        """Does it when it is due. Raises only a ScoreboardError: `up` is meant to end."""
        if self._clock() < self._due:
            return
        try:
            self._work()
        except ScoreboardError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, what runs goes on
            self._due = self._clock() + self._retry
            if not self._failing:
                self._failing = True
                self._say(
                    f"{self._name} fails: {error or type(error).__name__}. It is tried again."
                )
        else:
            self._due = self._clock() + self._interval
            if self._failing:
                self._failing = False
                self._say(f"{self._name} works again.")
