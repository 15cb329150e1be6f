"""What the ledger tells of a user's past."""

from __future__ import annotations

from typing import Literal, NamedTuple

from scoreboard.domain.ledger import EventId

ActionStatus = Literal["accepted", "refused", "reverted"]


class PastAction(NamedTuple):
    """An action of a user as a table knows it. ``event`` is that by which it counts, or was
    refused; ``score`` the user's total in the table right after it (None: refused, or none was
    left); ``occurred_ms`` the action's own time, if it brought one; ``reverted`` the event that
    took it back; ``agents`` those who refused it. Totals are as people see them."""

    action_id: str
    points: int
    status: ActionStatus
    event: EventId
    score: int | None
    occurred_ms: int | None
    reverted: EventId | None
    agents: tuple[str, ...]


class PastScore(NamedTuple):
    """A user's total at the end of an hour or a day that has a place in a list of such; None: no
    action was left."""

    place: int
    score: int | None


class TableNeighbour(NamedTuple):
    """A user in a table: the total as people see it, the rank, and the millisecond at which the
    total was reached."""

    user_id: str
    score: int
    rank: int
    reached_ms: int


class Explained(NamedTuple):
    """Why a user stands where in a table of so many ``players``. ``own`` is None for who has no
    place, ``hidden`` when that is because the user is on no list; ``score`` is the total even so.
    ``counted`` actions give the total ``by_ledger``; ``decisive`` is the one that alone does where
    the operator is not a sum."""

    score: int | None
    hidden: bool
    own: TableNeighbour | None
    players: int
    above: TableNeighbour | None
    below: TableNeighbour | None
    counted: int
    by_ledger: int | None
    decisive: PastAction | None
    actions: list[PastAction]
