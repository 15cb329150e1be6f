"""The clients under test, each behind a driver: a program that takes commands as lines of JSON and
tells what its client tells. README.md describes both."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clients.conformance.csharp import CSHARP, named_by_project
from tests.support.waiting import PATIENCE

CLIENTS = Path(__file__).parents[1]
BUILD = CLIENTS.parent / "build" / "clients"


@dataclass(frozen=True)
class Kind:
    """A client: how its driver is started, the program that this needs and Debian's package of it,
    its examples, each with the board on which ada has points in the end, and what has to be run
    once before."""

    name: str
    folder: str
    command: tuple[str, ...]
    needs: str
    package: str
    examples: tuple[tuple[tuple[str, ...], str], ...] = ()
    builds: tuple[tuple[str, ...], ...] = ()

    def build(self) -> None:
        """Makes what the driver and the examples need."""
        BUILD.mkdir(parents=True, exist_ok=True)
        for command in self.builds:
            subprocess.run(command, check=True)

    def environment(self) -> dict[str, str]:
        """In which the client's programs find it."""
        return os.environ | {"PYTHONPATH": str(CLIENTS / "python")}


_PYTHON = CLIENTS / "python"
_JAVASCRIPT = CLIENTS / "javascript"
_PYTHON_DRIVER = (sys.executable, str(_PYTHON / "conformance" / "driver.py"))

_GODOT = ("godot3-server", "--path", str(CLIENTS / "godot"))


def _mcs(program: str, *sources: Path) -> tuple[str, ...]:
    """The command that compiles the C# client with a program of its own."""
    options = ("-langversion:7", "-warnaserror", "-reference:System.Net.Http.dll")
    files = [*named_by_project(), *sources]
    return ("mcs", *options, f"-out:{BUILD / program}", *map(str, files))


KINDS = [
    Kind(
        "python",
        "python",
        _PYTHON_DRIVER,
        sys.executable,
        "python3",
        (
            ((sys.executable, str(_PYTHON / "example" / "first_score.py")), "global"),
            ((sys.executable, str(_PYTHON / "example" / "game_server.py"), "3"), "arena"),
        ),
    ),
    Kind("python-plain", "python", (*_PYTHON_DRIVER, "--plain"), sys.executable, "python3"),
    Kind(
        "node",
        "javascript",
        ("node", str(_JAVASCRIPT / "conformance" / "driver.js")),
        "node",
        "nodejs",
        ((("node", str(_JAVASCRIPT / "example" / "first-score.js")), "global"),),
    ),
    Kind(
        "csharp",
        "csharp",
        ("mono", str(BUILD / "driver.exe")),
        "mcs",
        "mono-mcs",
        (
            (("mono", str(BUILD / "first.exe")), "global"),
            (("mono", str(BUILD / "sample.exe"), "3"), "unity"),
        ),
        (
            _mcs("driver.exe", CSHARP / "conformance~" / "Driver.cs"),
            _mcs("first.exe", CSHARP / "example~" / "FirstScore.cs"),
            _mcs(
                "sample.exe",
                CSHARP / "Samples~" / "LiveBoard" / "LiveBoard.cs",
                CSHARP / "conformance~" / "UnityStandIn.cs",
            ),
        ),
    ),
    Kind(
        "godot",
        "godot",
        (sys.executable, str(CLIENTS / "godot" / "conformance" / "bridge.py")),
        "godot3-server",
        "godot3-server",
        (
            ((*_GODOT, "--script", "example/first_score.gd"), "global"),
            (("env", "HITS=3", *_GODOT), "godot"),
        ),
    ),
]


class DriverEnded(Exception):
    """The driver's process is gone."""


class Driver:
    """A running driver."""

    def __init__(self, client: str, process: Process) -> None:
        self.client = client
        self._process = process

    @classmethod
    async def start(cls, kind: Kind, within: Sequence[str] = ()) -> Driver:
        """A new process, started by a command that stands before its own."""
        command = [*within, *kind.command]
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, env=kind.environment(), limit=1 << 22
        )
        return cls(kind.name, process)

    def send(self, command: dict[str, Any]) -> None:
        """Gives a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")

    async def event(self) -> dict[str, Any]:
        """The next thing that the driver tells."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = await self._process.stdout.readline()
        if not line:
            raise DriverEnded(f"with {await self._process.wait()}")
        told: dict[str, Any] = json.loads(line)
        return told

    async def kill(self) -> None:
        """Ends it at once, as a crash would."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
