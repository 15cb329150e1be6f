"""The command ``scoreboard`` in a process of its own, as it is typed."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.signing import JWT_KEYS


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


def named(redis_url: str, database_url: str) -> dict[str, str]:
    """The variables that a deployment on these servers sets; a port is any that is free."""
    return {
        "SCOREBOARD_REDIS_URL": redis_url,
        "SCOREBOARD_DATABASE_URL": database_url,
        "SCOREBOARD_JWT_KEYS": JWT_KEYS,
        "SCOREBOARD_PORT": "0",
    }


def environment(**variables: str) -> dict[str, str]:
    """The environment of this process, with only these SCOREBOARD_* variables set."""
    clean = {name: v for name, v in os.environ.items() if not name.startswith("SCOREBOARD_")}
    return clean | {"COLUMNS": "100"} | variables


async def scoreboard(*arguments: str, folder: Path | str | None = None, **variables: str) -> Ended:
    """Runs the command in ``folder`` with only these SCOREBOARD_* variables set."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scoreboard", *arguments),
        cwd=folder,
        env=environment(**variables),
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


@asynccontextmanager
async def started(*arguments: str, **variables: str) -> AsyncIterator[Process]:
    """The command for as long as the block lasts, then told to stop if it still runs. All that it
    says comes through its ``stdout``."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scoreboard", *arguments),
        env=environment(**variables),
        stdout=PIPE,
        stderr=STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()
