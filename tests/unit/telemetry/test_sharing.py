"""Processes that share their figures show them together."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from scoreboard.telemetry.sharing import VARIABLE

SERVE = """
import sys
from scoreboard.telemetry import metrics
metrics.script_calls.inc(3)
metrics.http_request_seconds.labels("GET", "/").observe(0.003)
metrics.connections.set(7)
metrics.patrol_differences.set(float(sys.argv[1]))
print("counted", flush=True)
sys.stdin.read()
"""
SCRAPE = """
from scoreboard.telemetry.exposition import exposition
print(exposition().decode())
"""


def worker(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A process that has counted, and lives until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, *arguments],
        env={**os.environ, VARIABLE: str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "counted\n"
    return process


def scraped(folder: Path) -> dict[str, float]:
    """What yet another process shows."""
    done = subprocess.run(
        [sys.executable, "-c", SCRAPE],
        env={**os.environ, VARIABLE: str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = (x.rsplit(" ", 1) for x in done.stdout.splitlines() if x and x[0] != "#")
    return {name: float(value) for name, value in lines}


def test_counts_outlive_their_process_and_gauges_do_not(tmp_path: Path) -> None:
    folder = tmp_path / "figures"
    first, second = worker(folder, "1"), worker(folder, "2")
    both = scraped(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert both["scoreboard_script_calls_total"] == 6
    assert both['scoreboard_http_request_seconds_count{method="GET",route="/"}'] == 2
    assert both["scoreboard_websocket_connections"] == 14
    assert both["scoreboard_patrol_differences"] == 2, "what was set last"

    first.communicate()
    one = scraped(folder)
    assert one["scoreboard_script_calls_total"] == 6, "or it would look like a reset"
    assert one["scoreboard_websocket_connections"] == 7

    second.communicate()
    none = scraped(folder)
    assert none["scoreboard_script_calls_total"] == 6
    assert none.get("scoreboard_websocket_connections", 0) == 0
    assert any(name.startswith("scoreboard_build_info") for name in none)


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = subprocess.run(
        [sys.executable, "-m", "scoreboard", "serve"],
        env={**os.environ, VARIABLE: str(tmp_path / "file" / "figures")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    [line] = done.stderr.splitlines()
    assert line.startswith(f"scoreboard: {VARIABLE}: ")
