"""What serve and persist ask of the kernel is what the units of deploy/systemd allow them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scoreboard.local.child_processes import Child
from scoreboard.local.embedded_servers import free_port
from scoreboard.settings import Settings
from tests.support.command import environment, named
from tests.support.programs import program
from tests.support.waiting import PATIENCE

UNITS = Path(__file__).parents[3] / "deploy" / "systemd"


def calls_of(group: str) -> set[str]:
    """The system calls in a group of systemd's, with those of the groups in it."""
    tool = program("systemd-analyze", package="systemd")
    shown = subprocess.run([tool, "syscall-filter", group], capture_output=True, check=True)
    lines = [line.strip() for line in shown.stdout.decode().splitlines()[1:]]
    names = [line for line in lines if line and not line.startswith("#")]
    return {name for name in names if name[0] != "@"}.union(
        *(calls_of(name) for name in names if name[0] == "@")
    )


def allowed(unit: str) -> set[str]:
    """The system calls that a unit allows."""
    text = (UNITS / unit).read_text()
    calls: set[str] = set()
    for value in re.findall(r"^SystemCallFilter=(.+)$", text, re.MULTILINE):
        groups = [calls_of(group) for group in value.removeprefix("~").split()]
        calls = calls - set().union(*groups) if value[0] == "~" else calls.union(*groups)
    return calls | calls_of("@default")


@pytest.mark.parametrize(
    ("role", "unit", "ready"),
    [
        ("serve", "scoreboard-serve@.service", "board_created"),
        ("persist", "scoreboard-persist.service", "persisting"),
    ],
)
def test_a_role_makes_no_call_that_its_unit_forbids(
    settings: Settings, tmp_path: Path, role: str, unit: str, ready: str
) -> None:
    strace, may = program("strace", package="strace"), allowed(unit)
    variables = named(settings.redis_url, settings.database_url)
    if role == "persist":
        variables["SCOREBOARD_METRICS_PORT"] = str(free_port())
    command = [strace, "-f", "-c", "-o", "calls", sys.executable, "-m", "scoreboard", role]
    process = Child(
        role, command, log=tmp_path / "log", folder=tmp_path, environment=environment(**variables)
    )
    process.start()
    try:
        process.wait_until(lambda: process.said(ready), timeout=PATIENCE)
        assert process.pid is not None
        os.killpg(process.pid, signal.SIGTERM)  # strace lets it pass
    finally:
        process.wait_or_kill(PATIENCE)
    rows = re.findall(r"^ *[\d.]+ .* (\w+)$", (tmp_path / "calls").read_text(), re.MULTILINE)
    made = set(rows) - {"total"}

    assert process.exit_code == 0, process.last_words()
    assert {"socket", "connect", "execve"} <= made
    assert made - may == set()
