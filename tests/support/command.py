"""The command ``scoreboard`` in a process of its own, as it is typed."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


async def scoreboard(
    *arguments: str, folder: Path | str | None = None, **environment: str
) -> Ended:
    """Runs the command in ``folder`` with only these SCOREBOARD_* variables set."""
    clean = {name: v for name, v in os.environ.items() if not name.startswith("SCOREBOARD_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scoreboard", *arguments),
        cwd=folder,
        env=clean | {"COLUMNS": "100"} | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())
