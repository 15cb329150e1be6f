"""Trains in a process of its own, so that training never holds up an event loop."""

from __future__ import annotations

import asyncio
import shutil
import sys

import structlog

log = structlog.get_logger(__name__)

TIMEOUT = 3600.0  # seconds a training may take


async def train_apart(board: str) -> bool:
    """Runs ``scoreboard train --board`` at low priority with this process's environment; True
    when the new model is in force."""
    nice = ["nice", "-n", "15"] if shutil.which("nice") else []
    process = await asyncio.create_subprocess_exec(
        *nice,
        *(sys.executable, "-m", "scoreboard", "train", "--board", board),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TIMEOUT):
            _, said = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        log.warning("training_failed", board=board, said=said.decode(errors="replace")[-500:])
    return process.returncode == 0
