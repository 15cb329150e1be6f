"""How much it matters that a board becomes live soon."""

from __future__ import annotations

from enum import IntEnum


class Urgency(IntEnum):
    """Who waits for a board, the most urgent first."""

    WRITE = 0  # it gets 503 until then
    WATCHED = 1  # clients who see the last top 10 until then
    READ = 2  # a reader, who can be answered from Postgres
