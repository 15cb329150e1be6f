"""The server under load: one that runs already, or one of our own for the while."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.load_test.plan import Target

START_TIMEOUT = 180.0
STOP_TIMEOUT = 60.0


class ServerError(Exception):
    """The server of our own did not start."""


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


@contextlib.contextmanager
def of_our_own(workers: int) -> Iterator[Server]:
    """A `scoreboard up` on a free port and fresh data, ended and removed afterwards. Raises
    ServerError."""
    with tempfile.TemporaryDirectory(prefix="scoreboard-load-") as folder:
        # Variables meant for this program are not settings of the server.
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in {"SCOREBOARD_URL", "SCOREBOARD_TOKEN"}
        }
        command = [sys.executable, "-m", "scoreboard", "up", "--port", "0"]
        command += ["--data-dir", folder, "--workers", str(workers)]
        with (Path(folder) / "up.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # Ctrl-C is for us to answer
            )
        try:
            yield _started(process, Path(folder))
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _started(process: subprocess.Popen[bytes], folder: Path) -> Server:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            time.sleep(0.05)
            continue
        target = Target(facts["url"], facts["token"])
        return Server(target, process.pid, facts["database_url"], folder)
    said = (folder / "up.log").read_text(errors="replace").strip().splitlines()
    raise ServerError("`scoreboard up` did not start: " + " / ".join(said[-3:] or ["no output"]))
