"""``scoreboard persist``: carries the streams into Postgres."""

from __future__ import annotations

import os

import uvloop

from scoreboard.assembly.persistence import persist
from scoreboard.assembly.startup import configure


def persist_command() -> None:
    """Carry events from Redis to Postgres; any number may run, partitions are shared by locks."""
    uvloop.run(persist(configure(os.environ)))
