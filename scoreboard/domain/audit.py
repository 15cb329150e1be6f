"""What an audit compares and what it finds."""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class LedgerTotal(NamedTuple):
    """A user in Postgres: the total in user_score (None: no row) and the sum of the ledger."""

    user_id: str
    total: int | None
    ledger: int
    reached_ms: int | None
    hidden: bool


class Difference(msgspec.Struct, frozen=True):
    """Two places that disagree about a user, or about one of the user's actions. ``where`` is what
    was compared with the ledger: user_score, redis (the zset) or receipt."""

    board: str
    user_id: str
    where: str
    expected: str
    found: str
    action_id: str | None = None


class Report(msgspec.Struct):
    """What an audit looked at. ``moving`` users changed at every look, so nothing can be said of
    them."""

    board: str
    live: bool
    users: int = 0
    receipts: int = 0
    differences: int = 0
    moving: int = 0


class PatrolReport(msgspec.Struct, frozen=True):
    """One round of the continuous audit: when it ended (Unix ms), how many users it compared, and
    how many differences it found."""

    at_ms: int
    users: int
    differences: int
