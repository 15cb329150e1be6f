"""Child processes that their owner starts, watches and stops in an order of its own."""

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
    """What looks after children whose owner may be killed: ``lock`` is a descriptor that stays
    open in each of them and in their own children, ``guard`` is told of each."""

    lock: int
    guard: Callable[[Child], None]


class Child:
    """One process. It lives in a session of its own, so that the terminal's Ctrl-C reaches its
    owner alone, and writes to ``log``, which is continued over restarts, with its former part
    moved to ``<log>.1`` when it is long."""

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
        """Process id of the process started last, also when it has ended."""
        return None if self._process is None else self._process.pid

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

    def stop(self) -> None:
        """Ask it to end, wait, and kill it when that takes too long."""
        stop_together([self])

    def ask_to_stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(self.stop_signal)

    def wait_or_kill(self, timeout: float) -> None:
        if self._process is not None:
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def stop_together(children: Sequence[Child], timeout: float = STOP_TIMEOUT) -> None:
    """Ask all of them to end, wait, and kill those that still run after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.wait_or_kill(deadline - time.monotonic())
