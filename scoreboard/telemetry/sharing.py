"""Figures that several processes share, so that a scrape of any of them shows all.

prometheus_client keeps the figures of every process in files when PROMETHEUS_MULTIPROC_DIR names a
folder, and reads them all together: counters and histograms of processes that have ended go on
counting, since a sum that fell would look like a reset, while their gauges are removed.
"""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from scoreboard.errors import ConfigurationError

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def folder() -> Path | None:
    """The folder of the figures; None when this process keeps its own in memory."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else None


def join() -> None:
    """Makes the folder, if one is named, and removes gauges that an earlier process with this id
    left there. Raises ConfigurationError."""
    if (shared := folder()) is None:
        # prometheus_client takes an empty value for the name of a folder.
        os.environ.pop(VARIABLE, None)
        return
    try:
        shared.mkdir(parents=True, exist_ok=True, mode=0o700)
        mark_process_dead(os.getpid(), str(shared))
    except OSError as error:
        raise ConfigurationError(f"{VARIABLE}: {error}") from error
    if not os.access(shared, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigurationError(f"{VARIABLE}: {shared} can't be written to")


def gathered(shared: Path) -> CollectorRegistry:
    """The figures of all processes that share the folder."""
    for pid in {int(path.stem.rpartition("_")[2]) for path in shared.glob("gauge_live*_*.db")}:
        if not _lives(pid):
            mark_process_dead(pid, str(shared))
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(shared))
    return registry


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
