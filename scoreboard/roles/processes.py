"""Child processes that their owner starts, watches and stops in an order of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from scoreboard.errors import ConfigurationError

Pause = Callable[[], None]

STOP_TIMEOUT = 30.0


def nap() -> None:
    """The pause between two looks at a process that is coming up."""
    time.sleep(0.01)


class Child:
    """One process. It lives in a session of its own, so that the terminal's Ctrl-C reaches its
    owner alone, and writes to ``log``, which is continued over restarts.

    ``inherited`` are descriptors that stay open in it, and so in all of its own children.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        inherited: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.log = log
        self.stop_signal = stop_signal
        self._command = list(command)
        self._folder = folder
        self._environment = dict(os.environ if environment is None else environment)
        self._inherited = tuple(inherited)
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """Process id of the running process, else None."""
        return self._process.pid if self._process and self.running else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Exit code once it has ended (negative: by that signal), else None."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start it without waiting. Raises ConfigurationError when it can't be executed."""
        try:
            with self.log.open("ab") as log:
                self._log_start = log.tell()
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self._folder,
                    env=self._environment,
                    pass_fds=self._inherited,
                    start_new_session=True,
                )
        except OSError as error:
            raise ConfigurationError(f"{self.name} can't be started: {error}") from error

    def wait_until(self, ready: Callable[[], bool], *, timeout: float, pause: Pause = nap) -> None:
        """Wait until ``ready()``. Raises ConfigurationError, with what it said last, when it ends
        before that or ``timeout`` seconds pass."""
        deadline = time.monotonic() + timeout
        while not ready():
            if not self.running:
                raise ConfigurationError(f"{self.name} did not start: {self.last_words()}")
            if time.monotonic() > deadline:
                raise ConfigurationError(
                    f"{self.name} was not ready after {timeout:.0f} s; its log is {self.log}"
                )
            pause()

    def last_words(self) -> str:
        """The last line that it has logged since its start, and where the log is."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read()[-65_536:].decode(errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        return f"{said} (log: {self.log})"

    def said(self, text: str) -> bool:
        """Whether ``text`` is in what it has logged since its start."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return text.encode() in log.read()

    def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """Ask it to end, wait, and kill it after ``timeout`` seconds."""
        if self._process is None or not self.running:
            return
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
