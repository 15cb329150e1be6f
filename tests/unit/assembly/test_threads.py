"""What needs a thread does not depend on whether the system still allows one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from scoreboard.assembly.threads import THREADS, start_threads
from scoreboard.errors import ConfigurationError

start = threading.Thread.start


@contextmanager
def allowed(count: int) -> Iterator[None]:
    """Within, only so many threads can be started."""
    left = iter(range(count))

    def begin(thread: threading.Thread) -> None:
        if next(left, None) is None:
            raise RuntimeError("can't start new thread")
        start(thread)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", begin)
        yield


async def test_those_that_were_had_at_the_start_do_for_all_that_comes() -> None:
    loop = asyncio.get_running_loop()
    with allowed(THREADS):
        start_threads()
        found = await asyncio.gather(
            *(loop.getaddrinfo("localhost", 80) for _ in range(3 * THREADS))
        )
    assert all(found)


@pytest.mark.parametrize("count", [0, 1, THREADS - 1])
async def test_with_too_few_it_says_what_to_raise(count: int) -> None:
    with allowed(count), pytest.raises(ConfigurationError, match="ulimit -u"):
        start_threads()
