"""What a client is told of its action: one place that maps outcomes to HTTP."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from scoreboard.api.problems import document
from scoreboard.domain.actions import ScoreAction
from scoreboard.domain.boards import board_closed, board_full, out_of_range
from scoreboard.domain.moments import moment_of
from scoreboard.domain.submissions import Outcome, Result
from scoreboard.errors import InvalidRequest, ScoreboardError, Unavailable


class InPeriod(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """What an action did in an occurrence of a period: the user's total there, the rank from 1
    (null for a user who is hidden, and on a board with shards), and whether the total is another
    now."""

    occurrence: int
    score: int
    rank: int | None
    changed: bool


class Accepted(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """The action counts. ``score`` is the user's new total; ``rank`` counts from 1 and is null for
    a user who is hidden from the board, and on a board with shards, where only a read knows it;
    ``durability`` is present when the level that was asked for was not reached in time and names
    the one that was. ``changed`` and ``previous`` are present
    where the board's operator is not ``sum``: whether the total is another now, and what it was
    before (null: there was none). ``periods`` is present where the board has some, and names those
    whose open occurrence the action counts in. A board without a table of all time gives no
    ``score`` and ``rank`` but these."""

    user_id: str
    score: int | UnsetType = UNSET
    rank: int | UnsetType | None = UNSET
    action_id: str
    durability: str | UnsetType = UNSET
    changed: bool | UnsetType = UNSET
    previous: int | UnsetType | None = UNSET
    periods: dict[str, InPeriod] | UnsetType = UNSET


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
    Outcome.BOARD_CLOSED: _told_by(board_closed()),
    Outcome.ATTEMPTS_EXHAUSTED: (
        "attempts_exhausted",
        409,
        "Attempts exhausted",
        "The board allows this user no further action; nothing was written.",
    ),
    Outcome.BOARD_FULL: _told_by(board_full()),
    Outcome.NOT_JOINED: (
        "not_joined",
        403,
        "Not joined",
        "The board wants the user to join first; nothing was written.",
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


def refusals() -> list[tuple[str, int, str, str]]:
    """The problems that an action can get: code, status, title, detail."""
    return list(_REFUSALS.values())


def accepted(action: ScoreAction, result: Result, unreached: str | UnsetType = UNSET) -> Accepted:
    """The body for an accepted action; ``unreached`` is the durability level that was reached
    when it was not the one asked for, else None."""
    move, score = result.move, result.score
    return Accepted(
        user_id=action.user_id,
        score=UNSET if score is None else score,
        rank=UNSET if score is None else result.rank,
        action_id=action.action_id,
        durability=unreached,
        changed=UNSET if move is None else move.changed,
        previous=UNSET if move is None else move.previous,
        periods=_in_periods(result) if result.periods else UNSET,
    )


def _in_periods(result: Result) -> dict[str, InPeriod]:
    return {
        one.period: InPeriod(one.occurrence, one.score, one.rank, one.changed)
        for one in result.periods
    }


def refused(action: ScoreAction, result: Result, within: str = "") -> dict[str, Any]:
    """The problem document for an action that does not count; ``within`` is its path in the
    body."""
    if result.outcome is Outcome.UNFIT_ID:
        path = f"{within}.userId" if within else "userId"
        detail = f"The board does not take this user id: it {result.flaw}."
        return failed(InvalidRequest(detail, path=path))
    code, status, title, detail = _REFUSALS[result.outcome]
    extra: dict[str, Any] = {"userId": action.user_id, "actionId": action.action_id}
    if result.score is not None:
        extra["score"] = result.score
    if result.agents:
        extra["agents"] = result.agents
    if result.retry_after is not None:
        extra["retryAfter"] = result.retry_after
    if result.opens_ms is not None:
        extra["opensAt"] = moment_of(result.opens_ms)
    return document(code, status, title, detail, **extra)


def failed(error: ScoreboardError) -> dict[str, Any]:
    """The problem document for an action that was never submitted."""
    return document(error.code, error.status, error.title, error.detail, **error.extra)
