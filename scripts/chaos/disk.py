"""The disk below Redis: what is synced stays, the rest can be lost at a crash of the host.

Redis runs with ``appendfsync no`` and the harness syncs its append-only file once a second: that
is ``appendfsync everysec`` with a size that is known to be safe at every moment, so that a cut
removes only bytes that a real disk could have lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
import subprocess
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

SYNC_EVERY = 1.0  # seconds, as everysec


class AppendOnlyFile:
    """The append-only file of the Redis in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self._folder = directory / "appendonlydir"
        self._synced: dict[Path, int] = {}
        self._since = time.monotonic()
        self._lock = threading.Lock()

    def sync(self) -> None:
        """Makes all that was written before this call safe."""
        with self._lock:
            began = time.monotonic()
            for path in self._parts():
                with contextlib.suppress(FileNotFoundError):  # a rewrite has just replaced it
                    self._synced[path] = _sync(path)
            self._since = began

    def cut(self, rng: random.Random | None) -> float:
        """Loses an unsynced end of the file, all of it or what ``rng`` draws, while Redis is down;
        what is left is safe then. Returns when the last sync began (monotonic seconds): what was
        written before is not lost."""
        with self._lock:
            path = self.path
            size = path.stat().st_size
            safe = min(size, self._synced.get(path, 0))
            left = safe if rng is None else rng.randint(safe, size)
            os.truncate(path, left)
            since = self._since
        self.sync()
        return since

    def synced_up_to(self, size: int) -> None:
        """Notes what is safe without the harness's doing."""
        with self._lock:
            self._synced[self.path] = size

    @property
    def path(self) -> Path:
        """The file that Redis appends to now."""
        return self._parts()[-1]

    def _parts(self) -> list[Path]:
        """The files that Redis appends to or did, the present one last."""
        parts: list[tuple[int, Path]] = []
        for manifest in self._folder.glob("appendonly.aof.manifest"):
            for line in manifest.read_text(encoding="utf-8").splitlines():
                words = line.split()
                if words[-1] == "i":
                    parts.append((int(words[3]), self._folder / words[1]))
        return [path for _, path in sorted(parts) if path.exists()]


@contextlib.asynccontextmanager
async def synced_once_a_second(file: AppendOnlyFile, *, when: bool = True) -> AsyncIterator[None]:
    """The harness syncs Redis's file, as everysec would; not at all unless ``when``."""

    async def sync() -> None:
        while when:
            await asyncio.sleep(SYNC_EVERY)
            await asyncio.to_thread(file.sync)

    task = asyncio.create_task(sync())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class SyncTrace:
    """Watches a Redis that syncs its file itself, by ``strace``, and tells the file at the end how
    much of it was synced. Raises FileNotFoundError where there is no strace."""

    def __init__(self, file: AppendOnlyFile, pid: int) -> None:
        self._file = file
        self._log = file.path.with_name("trace")
        watched = ["-e", "trace=write,fdatasync", "-P", str(file.path)]
        command = ["strace", "-f", *watched, "-o", str(self._log), "-p", str(pid)]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE)
        assert self._process.stderr is not None
        self._process.stderr.readline()  # "attached"
        self._size = file.path.stat().st_size

    def finish(self) -> None:
        """After Redis has ended."""
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate()
        # Appended after the trace began and before its size was taken: counted twice at worst, so
        # count from the end of the file back.
        written, unsynced = 0, 0
        for line in self._log.read_text(encoding="utf-8", errors="replace").splitlines():
            if match := re.search(r"write\(.*= (\d+)$", line):
                written += int(match[1])
                unsynced += int(match[1])
            elif re.search(r"fdatasync\(.*= 0", line):
                unsynced = 0
        assert written, "the trace saw no write"
        self._file.synced_up_to(self._file.path.stat().st_size - unsynced)


def _sync(path: Path) -> int:
    """The size that is safe from now on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(descriptor).st_size
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    return size
