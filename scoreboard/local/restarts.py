"""Children that end are started again, with growing pauses, until that seems hopeless."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from scoreboard.backoff import Backoff
from scoreboard.errors import ConfigurationError
from scoreboard.local.child_processes import Child, NotStarted

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds
MOST_IN_A_ROW = 8
STEADY = 60.0  # seconds after which an end is not counted with those before
RUNNING_AGAIN = 3.0  # seconds after which a start is said to have worked

Say = Callable[[str], None]
Clock = Callable[[], float]


@dataclass
class _Watched:
    child: Child
    started: float
    starts_at: float | None = None  # it has ended
    ends: int = 0  # in a row
    told: bool = True  # that it runs
    short: bool = False  # of what a start needs, which was told
    backoff: Backoff = field(default_factory=lambda: Backoff(FIRST_PAUSE, LONGEST_PAUSE))


class Restarts:
    """Watches running ``children``. The embedded servers are started again like the roles: what a
    killed Valkey lost is noticed and restored from Postgres, and Postgres recovers by its log."""

    def __init__(self, children: Sequence[Child], say: Say, clock: Clock = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._watched = [_Watched(child, clock()) for child in children]

    def look(self) -> None:
        """Starts what is to be started, and says what has ended. Raises ConfigurationError for a
        child that can't be kept running."""
        now = self._clock()
        for watched in self._watched:
            child = watched.child
            if watched.starts_at is not None:
                if now >= watched.starts_at:
                    self._start(watched, now)
            elif not child.running:
                self._ended(watched, now)
            elif not watched.told and now - watched.started >= RUNNING_AGAIN:
                watched.told = True
                self._say(f"{child.name} runs again.")

    def _start(self, watched: _Watched, now: float) -> None:
        watched.started, watched.starts_at = now, None
        try:
            watched.child.start()
        except NotStarted as error:
            if not error.shortage:
                self._count(watched, now, "could not be started", error.why)
                return
            # Not the child's fault: however long it lasts, it is no reason to end the others.
            watched.starts_at = now + watched.backoff.next()
            if not watched.short:
                watched.short = True
                self._say(f"{error.detail}. That is tried again until it works.")
        else:
            watched.short = False

    def _ended(self, watched: _Watched, now: float) -> None:
        child = watched.child
        why = child.last_words()
        child.let_go()
        if child.exit_code == os.EX_CONFIG:
            raise ConfigurationError(f"{child.name} can't go on: {why}")
        if now - watched.started >= STEADY:
            watched.ends, watched.backoff = 0, Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        self._count(watched, now, "ended", why)

    def _count(self, watched: _Watched, now: float, what: str, why: str) -> None:
        what = f"{watched.child.name} {what}"
        watched.ends += 1
        if watched.ends > MOST_IN_A_ROW:
            raise ConfigurationError(f"{what} {watched.ends} times in a row, at last: {why}")
        pause = watched.backoff.next()
        watched.starts_at, watched.told = now + pause, False
        self._say(f"{what}: {why}. It starts again in {pause:.1f} s.")
