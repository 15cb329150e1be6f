"""The review queue: what a person may have to look at, and what is decided."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from scoreboard.domain.judging import Reason
from scoreboard.errors import AlreadyDecided

ReviewKind = Literal["refused", "flagged", "conflict", "late_duplicate"]
ReviewStatus = Literal["open", "approved", "confirmed", "settled"]
Verdict = Literal["approved", "confirmed"]

KINDS: tuple[str, ...] = get_args(ReviewKind)
STATUSES: tuple[str, ...] = get_args(ReviewStatus)

MAX_REASON = 500
# Why somebody decided so. Lines and tabs are allowed, other control characters are not.
ReasonText = Annotated[
    str, Meta(max_length=MAX_REASON, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$")
]
GivenReason = Annotated[ReasonText, Meta(min_length=1)]
TAKEN_BACK = "taken back by "  # so begins, in the ledger, why an action without a case was


class Review(msgspec.Struct, frozen=True, rename="camel"):
    """A case. ``kind`` says what happened. An agent objected, and the score did not count (refused)
    or did count (flagged). Or the action came again with other points (conflict), or after its
    receipt had expired (late_duplicate, which is settled without a person). ``at`` is the time of
    the case's event, ``occurredAt`` the action's own time; ``decidedBy`` is the subject of a
    token. A user has at most ten open conflicts on a board; ``further`` ones are counted on the
    newest.

    ``episode`` is the same for a user's refused, or flagged, actions without a break of three
    hours, and ``actions`` tells how many of them have this case's status."""

    id: int
    kind: ReviewKind
    status: ReviewStatus
    board: str
    user_id: str
    action_id: str
    points: int
    event_id: str
    attempt_id: str
    at: datetime
    occurred_at: datetime | None
    context: dict[str, Any] | None
    findings: list[Reason]
    decided_at: datetime | None = None
    decided_by: str | None = None
    reason: str | None = None
    further: int = 0
    episode: int = 0
    actions: int = 1


class RecentAction(msgspec.Struct, frozen=True, rename="camel"):
    """An action of the ledger; ``score`` is the total after it, null for a refused one; ``at`` is
    the action's own time."""

    action_id: str
    points: int
    score: int | None
    outcome: Literal["accepted", "refused", "reverted"]
    at: datetime


class ReviewDetails(msgspec.Struct, frozen=True, rename="camel"):
    """A case with its user: the total on the board (null: not on it), whether the user is hidden,
    and the latest actions, oldest first."""

    review: Review
    score: int | None
    hidden: bool
    recent: list[RecentAction]


class Decision(msgspec.Struct, frozen=True, rename="camel"):
    """The result of a decision: how many actions this call took back, whether it hid the user, and
    how many cases it decided. Only a user who is on the board can be hidden."""

    review: Review
    reverted: int = 0
    hidden: bool = False
    decided: int = 1


class FeatureDecisions(msgspec.Struct, frozen=True):
    """What became of the cases in which an agent objected to a feature: how many wait for a
    decision, were approved and were confirmed."""

    agent: str
    feature: str
    open: int
    approved: int
    confirmed: int


class Filter(msgspec.Struct, frozen=True):
    """Which cases to list; a field that is None does not filter. ``boards`` are those that the
    caller may see; with ``episodes``, of each episode only the newest case of a status."""

    status: str | None = None
    kind: str | None = None
    board: str | None = None
    user: str | None = None
    boards: frozenset[str] | None = None
    episodes: bool = False


def already_decided(review: Review) -> AlreadyDecided:
    """The error that describes the first decision on the case."""
    return AlreadyDecided(
        f"Case {review.id} was {review.status} by {review.decided_by}.",
        decision={
            "status": review.status,
            "by": review.decided_by,
            "at": review.decided_at,
            "reason": review.reason,
        },
    )
