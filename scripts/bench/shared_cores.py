"""Whether the machine's cores are cores: on shared hosts two of them are at times one."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier

TURNS = 300_000


def slowdown() -> float:
    """How much longer this core takes for the same work while the others are busy: 1.0 where each
    has all of its own, near 2.0 where two share one. Takes about a second."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])
    try:
        alone = min(_work() for _ in range(5))
        with _busy(cores[1:]):
            return min(_work() for _ in range(5)) / alone
    finally:
        os.sched_setaffinity(0, cores)


def _work() -> float:
    """Seconds of CPU for a fixed piece of work."""
    started = time.process_time()
    some: dict[int, str] = {}
    for i in range(TURNS):
        some[i & 1023] = str(i)
    return time.process_time() - started


@contextmanager
def _busy(cores: list[int]) -> Iterator[None]:
    context = multiprocessing.get_context("fork")
    started = context.Barrier(len(cores) + 1)
    others = [context.Process(target=_spin, args=(core, started), daemon=True) for core in cores]
    for other in others:
        other.start()
    started.wait()
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.join()


def _spin(core: int, started: Barrier) -> None:
    os.sched_setaffinity(0, {core})
    started.wait()
    while True:
        _work()
