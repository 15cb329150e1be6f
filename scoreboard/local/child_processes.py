"""Child processes that their owner starts, watches and stops."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scoreboard.errors import ConfigurationError

Pause = Callable[[], None]

STOP_TIMEOUT = 30.0
MAX_LOG_BYTES = 16 * 1024 * 1024


def nap() -> None:
    """The pause between two looks at a process that is coming up."""
    time.sleep(0.01)


@dataclass(frozen=True)
class Keeper:
    """Takes care of children whose owner may be killed. ``lock`` is a descriptor that stays open in
    each child and in its own children; ``guard`` is called with each child."""

    lock: int
    guard: Callable[[Child], None]


class Child:
    """One process. It runs in a session of its own, so that the terminal's Ctrl-C reaches only its
    owner. Its output is appended to ``log``, over restarts too; at a start, a long log is first
    moved to ``<log>.1``."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        keeper: Keeper | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self.stop_signal = stop_signal
        self._command = list(command)
        self._folder = folder
        self._environment = dict(os.environ if environment is None else environment)
        self._keeper = keeper
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """The id of the process started last, even if it has ended."""
        return None if self._process is None else self._process.pid

    @property
    def running(self) -> bool:
        """True while the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The exit code once it has ended (negative: ended by that signal), else None."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Starts it without waiting. Raises ConfigurationError when it can't be executed."""
        try:
            if self.log.exists() and self.log.stat().st_size > MAX_LOG_BYTES:
                self.log.replace(self.log.with_name(f"{self.log.name}.1"))
            with self.log.open("ab") as log:
                self._log_start = log.tell()
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self._folder,
                    env=self._environment,
                    pass_fds=(self._keeper.lock,) if self._keeper else (),
                    start_new_session=True,
                )
        except OSError as error:
            raise ConfigurationError(f"{self.name} can't be started: {error}") from error
        if self._keeper:
            self._keeper.guard(self)

    def wait_until(self, ready: Callable[[], bool], *, timeout: float, pause: Pause = nap) -> None:
        """Waits until ``ready()``. Raises ConfigurationError, with the last line of its log, when
        it ends earlier or ``timeout`` seconds pass."""
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
        """True when it has logged ``text`` since its start."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return text.encode() in log.read()

    def stop(self) -> None:
        """Asks it to end, waits, and kills it when that takes too long."""
        stop_together([self])

    def ask_to_stop(self) -> None:
        """Sends its stop signal without waiting."""
        if self._process is not None:
            self._process.send_signal(self.stop_signal)

    def wait_or_kill(self, timeout: float) -> None:
        """Waits up to ``timeout`` seconds for its end, then kills it."""
        if self._process is not None:
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Ends it at once, like a crash."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def stop_together(children: Sequence[Child], timeout: float = STOP_TIMEOUT) -> None:
    """Asks all of them to end, waits, and kills those that still run after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.wait_or_kill(deadline - time.monotonic())
