"""A score action on its way through the write path, and its result."""

from __future__ import annotations

import enum

import msgspec

from scoreboard.domain.actions import ScoreAction


class Outcome(enum.Enum):
    """What happened to an action; the value is its letter in the script's replies."""

    ACCEPTED = "A"
    DUPLICATE = "D"
    CONFLICT = "C"
    REFUSED = "R"
    OUT_OF_RANGE = "O"
    OUT_OF_BOUNDS = "B"
    RATE_LIMITED = "L"
    UNAVAILABLE = "U"  # the gate must judge, but the ledger can't be asked about the user's past
    STALE = "S"  # a memory changed since the verdict; judged again, never seen by clients


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
