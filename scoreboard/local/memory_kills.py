"""Whether the system ends processes for want of memory. Who is ended so is told nothing, and ends
like one that somebody has killed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

VMSTAT = Path("/proc/vmstat")
LATELY = 10.0  # seconds; what is ended with much memory takes a while to be gone


class MemoryKills:
    """Counts since its first look, in the kernel's list of counters."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen = self._count()
        self._latest = float("-inf")

    def lately(self) -> bool:
        """True when the system has ended some process for want of memory in the last seconds, as
        far as that can be seen. Looks; so it is to be called all the time."""
        count = self._count()
        if self._seen is not None and count is not None and count > self._seen:
            self._latest = self._clock()
        self._seen = self._seen if count is None else count
        return self._clock() - self._latest < LATELY

    def _count(self) -> int | None:
        """None where the kernel does not tell, or the file can't be opened now."""
        try:
            text = VMSTAT.read_text()
        except OSError:
            return None
        found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
        return int(found[1]) if found else None
