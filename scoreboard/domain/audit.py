"""What an audit compares and what it finds."""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class LedgerTotal(NamedTuple):
    """A user in Postgres: the total in user_score (None: no row, or no action is left where the
    operator is not ``sum``), and the one that follows from the ledger (None: nothing does). Both
    are as they are kept: negated where less is better."""

    user_id: str
    total: int | None
    ledger: int | None
    reached_ms: int | None
    hidden: bool


class Misplaced(NamedTuple):
    """A user of a final table whose place is not the one that follows from the totals: the rank
    that is due, and the one that is stored. They may be equal, where users share ranks. None: the
    user has no place."""

    user_id: str
    due: int | None
    stored: int | None


class Difference(msgspec.Struct, frozen=True):
    """Two places that disagree about a user, about one of the user's actions, or (``user_id`` is
    None) about a period of a board. ``board`` is the name of the table; ``where`` is what was
    compared with the ledger: user_score, redis (the zset), rank (in a final table), players (how
    many actions count for the limits), receipt, or ``period`` with the period's name."""

    board: str
    user_id: str | None
    where: str
    expected: str
    found: str
    action_id: str | None = None


class Report(msgspec.Struct):
    """What an audit looked at; ``users`` are those of the board's own table. ``moving`` users
    changed at every look, so nothing can be said of them."""

    board: str
    live: bool
    users: int = 0
    receipts: int = 0
    differences: int = 0
    moving: int = 0
    occurrences: int = 0


class PatrolReport(msgspec.Struct, frozen=True):
    """One round of the continuous audit: when it ended (Unix ms), how many users it compared, and
    how many differences it found."""

    at_ms: int
    users: int
    differences: int
