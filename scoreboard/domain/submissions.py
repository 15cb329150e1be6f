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
    BOARD_CLOSED = "K"
    ATTEMPTS_EXHAUSTED = "T"
    NOT_JOINED = "N"
    BOARD_FULL = "F"
    UNFIT_ID = "I"  # the board does not take such user ids; never sent to Redis
    UNAVAILABLE = "U"  # the gate must judge, but the ledger can't be asked about the user's past
    STALE = "S"  # a memory changed since the verdict; judged again, never seen by clients

    __hash__ = object.__hash__  # Enum's is written in Python, and actions are counted by it


class Submission(msgspec.Struct, frozen=True, gc=False):
    """One action as one server received it. ``attempt`` is unique to this submission, so that a
    re-sent script recognizes its own receipt; ``at_ms`` is the agents' clock, ``received_ms`` the
    time of receipt, both Unix milliseconds; ``late_ms`` is when a game server says that it
    happened, None when it does not say so; ``awaited`` tells that somebody waits for its commit;
    ``trace`` is the place in a trace below which it is committed (telemetry/tracing), empty when
    there is none."""

    action: ScoreAction
    attempt: str
    at_ms: int
    received_ms: int
    late_ms: int | None = None
    awaited: bool = False
    trace: str = ""


class Move(msgspec.Struct, frozen=True, gc=False):
    """What an action did to a total where the operator is not ``sum``: what the total was before
    (None: there was none), and after."""

    previous: int | None
    score: int

    @property
    def changed(self) -> bool:
        """Whether the total is another."""
        return self.previous != self.score


class PeriodMove(msgspec.Struct, frozen=True, gc=False):
    """What an action did in an occurrence of a period: the user's total there and rank from 1
    (None: hidden, on a board with shards, or the occurrence is over), and whether the total has
    changed."""

    period: str
    occurrence: int
    score: int
    rank: int | None
    changed: bool


class Result(msgspec.Struct, frozen=True, gc=False):
    """``score`` is the user's total after the action (of a duplicate: after the original);
    ``rank`` from 1, None when unknown or hidden; ``event`` the event's id in the partition's
    stream; ``retry_after`` in seconds; ``flaw`` what is wrong with the user id; ``move`` of an
    accepted action where the operator is not ``sum``; ``opens_ms`` when a board that is still to
    open does so, Unix milliseconds; ``periods`` what an accepted action did in occurrences;
    ``lacks_room`` where a shard has no room for the user: in its own table (``-``) or that of an
    occurrence (``week:12``); ``shards`` how many the board has. A board without a table of all time
    tells no ``score``."""

    outcome: Outcome
    score: int | None = None
    rank: int | None = None
    event: str | None = None
    agents: tuple[str, ...] = ()
    retry_after: float | None = None
    flaw: str = ""
    move: Move | None = None
    opens_ms: int | None = None
    periods: tuple[PeriodMove, ...] = ()
    lacks_room: str | None = None
    shards: int = 1
