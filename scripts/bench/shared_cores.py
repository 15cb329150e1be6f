"""Whether the machine's cores are cores: on shared hosts two of them are at times one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack

TURNS = 300_000
BUSY = "import os, sys\nos.sched_setaffinity(0, {int(sys.argv[1])})\nprint()\nwhile True: pass"


def slowdown() -> float:
    """How much longer this core takes for the same work while the others are busy: 1.0 where each
    has all of its own, near 2.0 where two share one. Takes about a second."""
    cores = sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        stack.callback(os.sched_setaffinity, 0, cores)
        os.sched_setaffinity(0, cores[:1])
        alone = min(_work() for _ in range(5))
        for core in cores[1:]:
            command = [sys.executable, "-uc", BUSY, str(core)]
            other = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            stack.callback(other.kill)
            assert other.stdout is not None
            other.stdout.readline()
        return min(_work() for _ in range(5)) / alone


def _work() -> float:
    """Seconds of CPU for a fixed piece of work."""
    started = time.process_time()
    some: dict[int, str] = {}
    for i in range(TURNS):
        some[i & 1023] = str(i)
    return time.process_time() - started
