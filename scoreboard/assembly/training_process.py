"""Trains in a process of its own, so that training never holds up an event loop."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import sys
from contextlib import suppress

import structlog

from scoreboard.errors import ConfigurationError, installing

log = structlog.get_logger(__name__)

TIMEOUT = 3600.0  # seconds a training may take
NOT_IN_FORCE = 3  # exit code of a training whose model refuses too much to be put in force


def check_training() -> None:
    """Raises ConfigurationError where nothing can be trained."""
    if importlib.util.find_spec("sklearn") is None:
        raise ConfigurationError(
            f"training needs scikit-learn, which is not installed: {installing('train')}"
        )


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
        with suppress(ProcessLookupError):  # it ended in this moment
            process.kill()
        await process.wait()
        raise
    if process.returncode == NOT_IN_FORCE:
        log.warning("model_not_in_force", board=board, said=said.decode(errors="replace")[-500:])
    elif process.returncode != 0:
        log.warning("training_failed", board=board, said=said.decode(errors="replace")[-500:])
    return process.returncode == 0
