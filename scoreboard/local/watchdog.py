"""Ends the processes of `up` when `up` itself is gone without having stopped them (kill -9).

`up` runs this file as a process and writes the ids of its children to that process's standard
input. The input ends when `up` ends, for whatever reason, so nothing else has to work."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from types import TracebackType

from scoreboard.local.child_processes import Child


class Watchdog:
    """A context manager that runs the watching process; leaving it normally ends the watch."""

    def __enter__(self) -> Watchdog:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "scoreboard.local.watchdog"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return self

    def guard(self, child: Child) -> None:
        """Adds ``child`` to those that will be ended; the last one added is ended first."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{child.pid} {child.stop_signal.value}\n".encode())
            self._process.stdin.flush()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()


def main() -> None:
    """Waits for the end of the standard input, then ends the children named on it."""
    children = [line.split() for line in sys.stdin]
    for pid, number in reversed(children):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.Signals(int(number)))


if __name__ == "__main__":
    main()
