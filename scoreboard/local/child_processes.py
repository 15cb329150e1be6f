"""Child processes that their owner starts, watches and stops."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from scoreboard.errors import ConfigurationError
from scoreboard.local import last_words
from scoreboard.local.memory_kills import MemoryKills

Pause = Callable[[], None]

STOP_TIMEOUT = 30.0
MAX_LOG_BYTES = 16 * 1024 * 1024
LOG_TAIL = 64 * 1024  # bytes in which its last words are looked for
SHORTAGES = frozenset(  # of processes, memory, descriptors or disk
    {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT}
)


class NotStarted(ConfigurationError):
    """A process could not be executed. After a ``shortage`` a later start may well succeed."""

    def __init__(self, name: str, error: OSError) -> None:
        super().__init__(f"{name} can't be started: {error}")
        self.why = str(error)
        self.shortage = error.errno in SHORTAGES


def nap() -> None:
    """The pause between two looks at a process that is coming up."""
    time.sleep(0.01)


class Keeper(Protocol):
    """Takes care of children whose owner may be killed, and of their logs; what it can't do for the
    moment, it does later. ``lock`` is a descriptor that stays open in each child and in its own
    children. Implemented in caretaker.py, of the same room: so there is no ports.py."""

    lock: int

    def adopt(self, child: Child, output: int) -> None:
        """Ends the child when its owner is gone, and writes what comes out of the pipe ``output``
        to the child's log. The descriptor now belongs to the keeper."""

    def release(self, child: Child) -> None:
        """Called when the child has ended, or its id might become another process's."""

    def settle(self) -> None:
        """Returns when the logs have all that was written by children that have ended."""


class Child:
    """One process. It runs in a session of its own, so that the terminal's Ctrl-C reaches only its
    owner. Its output is appended to ``log``, over restarts too, by its keeper; without a keeper it
    writes there itself, and at a start a long log is first moved to ``<log>.1``."""

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
        self._memory_kills = MemoryKills()

    @property
    def pid(self) -> int | None:
        """The id of the process started last, even if it has ended."""
        return None if self._process is None else self._process.pid

    @property
    def running(self) -> bool:
        """True while the process runs. Who asks again and again learns why it was killed."""
        self._memory_kills.lately()
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The exit code once it has ended (negative: ended by that signal), else None."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Starts it without waiting. Raises NotStarted when it can't be executed."""
        self.let_go()
        try:
            if self._keeper:
                self._start_kept(self._keeper)
            else:
                if self.log.exists() and self.log.stat().st_size > MAX_LOG_BYTES:
                    self.log.replace(self.log.with_name(f"{self.log.name}.1"))
                with self.log.open("ab") as log:
                    self._log_start = log.tell()
                    self._run(log.fileno())
        except OSError as error:
            raise NotStarted(self.name, error) from error

    def _start_kept(self, keeper: Keeper) -> None:
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        output, its_end = os.pipe()
        try:
            self._run(its_end, keeper.lock)
        except OSError:
            os.close(output)
            raise
        finally:
            os.close(its_end)
        keeper.adopt(self, output)

    def _run(self, output: int, *inherited: int) -> None:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            env=self._environment,
            pass_fds=inherited,
            start_new_session=True,
        )

    def let_go(self) -> None:
        """Tells its keeper that it has ended."""
        if self._keeper:
            self._keeper.release(self)

    def wait_until(self, ready: Callable[[], bool], *, timeout: float, pause: Pause = nap) -> None:
        """Waits until ``ready()``. Raises ConfigurationError, with its last words, when it ends
        earlier or ``timeout`` seconds pass."""
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
        """Why it ended, as far as it has logged it since its start, and where the log is."""
        try:
            lines = self._logged().splitlines()
        except OSError as error:
            lines = [f"its log can't be read ({error.strerror})"]
        why = last_words.cause(lines, self.exit_code)
        if self.exit_code == -signal.SIGKILL and self._memory_kills.lately():
            why += " when the system ended a process for want of memory"
        return f"{why} (log: {self.log})"

    def said(self, text: str) -> bool:
        """True when it has logged ``text`` since its start, among the last lines."""
        return text in self._logged()

    def _logged(self) -> str:
        if self._keeper:
            self._keeper.settle()
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            start = self._log_start if self._log_start <= size else 0  # it was rotated
            log.seek(max(start, size - LOG_TAIL))
            return log.read().decode(errors="replace")

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
            self.let_go()

    def kill(self) -> None:
        """Ends it at once, like a crash."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self.let_go()


def stop_together(children: Sequence[Child], timeout: float = STOP_TIMEOUT) -> None:
    """Asks all of them to end, waits, and kills those that still run after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.wait_or_kill(deadline - time.monotonic())
