"""Ends the processes of `up` when `up` itself is gone without having stopped them (kill -9).

`up` runs this file as a process and names its children on its standard input. That input ends
with `up`, however it ends; nothing else has to work for it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from types import TracebackType

from scoreboard.local.child_processes import Child


class Watchdog:
    """A context manager around the watching process; leaving it in good order calls it off."""

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
        """End ``child`` too; those named last are ended first."""
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
    children = [line.split() for line in sys.stdin]
    for pid, number in reversed(children):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.Signals(int(number)))


if __name__ == "__main__":
    main()
