"""The service under load: one that runs already, or one of our own for the while."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from scoreboard.local.child_processes import Child, stop_together
from scripts.load.servers import temporary_folder
from scripts.load.target import Target

START_TIMEOUT = 180.0
STOP_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """``pid``, ``database_url`` and the folder of its ``logs`` are known of a server of our own
    only."""

    target: Target
    pid: int | None = None
    database_url: str | None = None
    logs: Path | None = None

    def save_logs(self, folder: Path) -> list[Path]:
        """Copy the logs to ``folder`` before they are gone with the server; the folder, if there
        are any."""
        if self.logs is None:
            return []
        folder.mkdir(parents=True, exist_ok=True)
        for log in self.logs.glob("*.log"):
            shutil.copy2(log, folder)
        return [folder]


class _Facts(msgspec.Struct):
    """What `scoreboard up` writes down once it takes requests."""

    url: str
    token: str
    database_url: str


@contextlib.contextmanager
def of_our_own(workers: int, settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A `scoreboard up` on a free port and fresh data, with ``settings`` as further variables,
    ended and removed afterwards. Raises ConfigurationError."""
    with temporary_folder() as folder, running_in(folder, workers, settings) as server:
        yield server


@contextlib.contextmanager
def running_in(
    folder: Path, workers: int = 1, settings: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """A `scoreboard up` on a free port with its data in ``folder`` and ``settings`` as further
    variables, ended afterwards. Raises ConfigurationError."""
    # Variables meant for this program are not settings of the server.
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"SCOREBOARD_URL", "SCOREBOARD_TOKEN"}
    } | dict(settings or {})
    command = [sys.executable, "-m", "scoreboard", "up", "--port", "0"]
    command += ["--data-dir", str(folder), "--workers", str(workers)]
    up = Child("`scoreboard up`", command, log=folder / "up.log", environment=environment)
    up.start()
    try:
        run = folder / "run.json"
        up.wait_until(run.exists, timeout=START_TIMEOUT)
        facts = msgspec.json.decode(run.read_bytes(), type=_Facts)
        yield Server(Target(facts.url, facts.token), up.pid, facts.database_url, folder)
    finally:
        stop_together([up], STOP_TIMEOUT)
