"""How safe an acknowledged score is; each level is stronger than the one before."""

from __future__ import annotations

import enum


class Durability(enum.Enum):
    """redis: the write path has it. replica: one replica has it too. disk: the append-only file
    was synced. postgres: the ledger has it."""

    REDIS = "redis"
    REPLICA = "replica"
    DISK = "disk"
    POSTGRES = "postgres"

    __hash__ = object.__hash__  # Enum's is written in Python, and lanes are found by it
