"""What needs a thread does not depend on whether the system still allows one."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from scoreboard.assembly.threads import REHEARSED, THREADS, start_threads
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
    with allowed(THREADS + REHEARSED):
        await start_threads()
        found = await asyncio.gather(
            *(loop.getaddrinfo("localhost", 80) for _ in range(3 * THREADS))
        )
    assert all(found)


@pytest.mark.parametrize("count", [0, 1, THREADS - 1, THREADS, THREADS + REHEARSED - 1])
async def test_with_too_few_it_says_what_to_raise(count: int) -> None:
    with allowed(count), pytest.raises(ConfigurationError, match="ulimit -u"):
        await start_threads()


# As serve and persist begin, with room for so many further bytes of memory.
NEARLY_NO_ROOM = """
import re, resource, sys
import uvloop
from scoreboard.assembly.threads import start_threads
from scoreboard.errors import ConfigurationError

async def main():
    size = int(re.search(r"VmSize:\\s*(\\d+)", open("/proc/self/status").read())[1]) * 1024
    resource.setrlimit(resource.RLIMIT_AS, (size + int(sys.argv[1]),) * 2)
    try:
        await start_threads()
    except ConfigurationError as error:
        print(error)

uvloop.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory as Linux does")
@pytest.mark.parametrize("megabytes", range(10, 140, 13))
def test_short_of_memory_it_is_not_aborted_by_the_loop(megabytes: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", NEARLY_NO_ROOM, str(megabytes * 2**20)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "" or "ulimit -v" in ended.stdout
