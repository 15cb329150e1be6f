"""``scoreboard persist``: carries the streams into Postgres."""

from __future__ import annotations

import os

from scoreboard.commands import roles


def persist_command() -> None:
    """Carry events from Redis to Postgres.

    Any number may run: they share the partitions by locks.
    """
    roles.run("persist", os.environ)
