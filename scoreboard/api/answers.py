"""What a client is told of its action: one place that maps outcomes to HTTP."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from scoreboard.api.problems import document
from scoreboard.domain.actions import ScoreAction
from scoreboard.domain.boards import out_of_range
from scoreboard.domain.submissions import Outcome, Result
from scoreboard.errors import ScoreboardError, Unavailable


class Accepted(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """The action counts. ``score`` is the user's new total; ``rank`` counts from 1 and is null for
    a user who is hidden from the board; ``durability`` is present when the level that was asked
    for was not reached in time and names the one that was."""

    user_id: str
    score: int
    rank: int | None
    action_id: str
    durability: str | UnsetType = UNSET


def _told_by(error: ScoreboardError) -> tuple[str, int, str, str]:
    return error.code, error.status, error.title, error.detail


_REFUSALS: dict[Outcome, tuple[str, int, str, str]] = {
    Outcome.DUPLICATE: (
        "duplicate_action",
        409,
        "Duplicate action",
        "This action was counted before; score is the total it led to.",
    ),
    Outcome.CONFLICT: (
        "action_conflict",
        409,
        "Conflicting action",
        "This actionId was used with other points; recorded for review.",
    ),
    Outcome.REFUSED: (
        "anomaly_rejected",
        403,
        "Refused as anomalous",
        "The action does not count; it is recorded for review.",
    ),
    Outcome.OUT_OF_RANGE: _told_by(out_of_range()),
    Outcome.OUT_OF_BOUNDS: (
        "points_out_of_bounds",
        422,
        "Points out of bounds",
        "The board does not allow that many points in one action.",
    ),
    Outcome.RATE_LIMITED: (
        "rate_limited",
        429,
        "Rate limited",
        "The board allows this user no further action yet.",
    ),
    Outcome.UNAVAILABLE: _told_by(
        Unavailable(
            "The user's past, which the agents need, can't be read now; nothing was written."
        )
    ),
}


def accepted(action: ScoreAction, result: Result, unreached: str | UnsetType = UNSET) -> Accepted:
    """The body for an accepted action; ``unreached`` is the durability level that was reached
    when it was not the one asked for, else None."""
    assert result.score is not None
    return Accepted(action.user_id, result.score, result.rank, action.action_id, unreached)


def refused(action: ScoreAction, result: Result) -> dict[str, Any]:
    """The problem document for an action that does not count."""
    code, status, title, detail = _REFUSALS[result.outcome]
    extra: dict[str, Any] = {"userId": action.user_id, "actionId": action.action_id}
    if result.score is not None:
        extra["score"] = result.score
    if result.agents:
        extra["agents"] = result.agents
    if result.retry_after is not None:
        extra["retryAfter"] = result.retry_after
    return document(code, status, title, detail, **extra)


def failed(error: ScoreboardError) -> dict[str, Any]:
    """The problem document for an action that was never submitted."""
    return document(error.code, error.status, error.title, error.detail, **error.extra)
