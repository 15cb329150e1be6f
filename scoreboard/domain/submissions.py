"""A score action on its way through the write path, and what became of it."""

from __future__ import annotations

import enum

import msgspec

from scoreboard.domain.actions import ScoreAction


class Outcome(enum.Enum):
    """What became of an action; the value is its letter in the script's replies."""

    ACCEPTED = "A"
    DUPLICATE = "D"
    CONFLICT = "C"
    REFUSED = "R"
    OUT_OF_RANGE = "O"
    OUT_OF_BOUNDS = "B"
    RATE_LIMITED = "L"
    UNAVAILABLE = "U"  # the ledger can't tell of the user's past, and the board judges all
    STALE = "S"  # a memory moved since the verdict; judged again, never seen outside


class Submission(msgspec.Struct, frozen=True, gc=False):
    """One action as one server received it. ``attempt`` is unique to this submission, so that a
    re-sent script recognizes its own receipt; ``at_ms`` is the agents' clock, ``received_ms`` the
    time of receipt, both Unix milliseconds."""

    action: ScoreAction
    attempt: str
    at_ms: int
    received_ms: int


class Result(msgspec.Struct, frozen=True, gc=False):
    """``score`` is the user's total after the action (of a duplicate: after the original);
    ``rank`` from 1, None when unknown or hidden; ``event`` the event's id in the partition's
    stream; ``retry_after`` in seconds."""

    outcome: Outcome
    score: int | None = None
    rank: int | None = None
    event: str | None = None
    agents: tuple[str, ...] = ()
    retry_after: float | None = None
