"""``scoreboard persist``: carries the streams into Postgres."""

from __future__ import annotations

import os

import uvloop

from scoreboard import settings as configuration
from scoreboard.assembly.persistence import persist
from scoreboard.telemetry import logs


def persist_command() -> None:
    """Carry events from Redis to Postgres; any number may run, partitions are shared by locks."""
    settings = configuration.load(os.environ)
    logs.configure(settings.log_format, settings.log_level)
    uvloop.run(persist(settings))
