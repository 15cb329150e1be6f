"""Entries of a partition's stream: what Lua appends and the persister reads.

An entry has the same five fields, so that the stream stores their names only once per node; those
of boards whose operator is not ``sum``, or that have periods, have further ones:

====  ========================================================================
``o``  outcome: one letter of ``EventKind``
``s``  the user's total after it, decimal; empty when nothing was counted
``k``  the stamp's millisecond, decimal (``reached_at``); empty likewise, and both are empty when a
       revert has left the user no action where the operator is not ``sum``
``n``  the board's version before the call, decimal
``d``  the action as JSON, prepared by the server that submitted it (``Body``)
``b``  of an accepted action: the user's total before it; empty: there was none
``q``  what it did in the occurrences of the board's periods (wire/moves.py), if anything
====  ========================================================================

Totals are as they are kept: negated where less is better.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from scoreboard.domain.actions import Identifier, Points
from scoreboard.domain.boards import BOARD_PATTERN, MAX_TOTAL, BoardSettings
from scoreboard.domain.ledger import TableMove
from scoreboard.domain.periods import PERIOD_PATTERN
from scoreboard.errors import Unavailable
from scoreboard.wire.moves import parse_moves

JOIN = "join"
OPENED = "opened"
FORMAT = 1
# Joins, and of boards with other rules than a sum: versions that know only 1 must not persist them.
RULES = 2
# Of boards with periods: versions that know only the others must not persist them.
PERIODS = 3
# Of boards with shards, likewise. Further shards have names that other boards can't have.
SHARDS = 4


def format_of(settings: BoardSettings, *, occurrences: bool = False) -> int:
    """The format of a board's events; of one about ``occurrences``, which a board has of periods
    that were taken from it, too."""
    if settings.shard_count > 1:
        return SHARDS
    if settings.periods or occurrences:
        return PERIODS
    return RULES if settings.totals else FORMAT


class EventKind(enum.Enum):
    """What an entry reports."""

    ACCEPTED = "A"
    REFUSED = "R"
    CONFLICT = "C"
    REVERTED = "V"
    JOINED = "J"
    OPENED = "P"


EventTime = Annotated[int, Meta(ge=0, le=2**53)]


class Opened(msgspec.Struct, frozen=True, gc=False):
    """An occurrence that was opened: its number, its start and end, and from when latecomers no
    longer count in it, Unix ms."""

    n: Annotated[int, Meta(ge=1, le=2**53)]
    s: EventTime
    e: EventTime
    f: EventTime


class Body(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The JSON in field ``d``. The names have one letter, since there are very many entries.

    v: format; b: board; u: user; a: action id; p: points; t: attempt id; i: the action's own time,
    Unix ms; c: the context as sent; f: the agents' findings, present when one objected; e and w: in
    a reverting event, the event that was taken back and why. A join is no action: its a and t are
    JOIN, its p is 0. Nor is an occurrence that was opened: its u is the period's name, its a and t
    are OPENED, its p is 0, and o tells of it. m: occurrences that were final when a moderator
    changed them by this event; their totals follow from the ledger. r: 1 when somebody waits
    for the commit. x: the place in a trace below which the commit belongs (telemetry/tracing),
    where there is one; versions that do not know it pass over it."""

    v: int
    b: Annotated[str, Meta(pattern=rf"^{BOARD_PATTERN}(\.[1-9][0-9]?)?$(?!\n)")]
    u: Identifier
    a: Identifier
    p: Points
    t: Annotated[str, Meta(min_length=1, max_length=64)]
    i: EventTime | msgspec.UnsetType = msgspec.UNSET
    c: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    f: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    e: Annotated[str, Meta(pattern=r"^\d{1,16}-\d{1,16}$(?!\n)")] = ""
    w: Annotated[str, Meta(max_length=200)] = ""
    o: Opened | msgspec.UnsetType = msgspec.UNSET
    m: Annotated[
        tuple[Annotated[str, Meta(pattern=rf"^{PERIOD_PATTERN}:\d{{1,16}}$(?!\n)")], ...],
        Meta(max_length=64),
    ] = ()
    r: int = 0
    x: str = ""


class Event(msgspec.Struct, frozen=True, gc=False):
    """A decoded entry. ``ms`` and ``seq`` are the two halves of its id; ``score`` and
    ``reached_ms`` are None when nothing was counted."""

    ms: int
    seq: int
    kind: EventKind
    score: int | None
    reached_ms: int | None
    version: int
    body: Body
    previous: int | None = None
    moves: tuple[TableMove, ...] = ()

    @property
    def id(self) -> str:
        """The entry's id in its stream."""
        return f"{self.ms}-{self.seq}"


class PoisonEvent(ValueError):
    """An entry can't be decoded; it belongs to the dead letters."""


class _Versioned(msgspec.Struct):
    """What a body of any version has."""

    v: int


_decoder = msgspec.json.Decoder(Body)
_versioned = msgspec.json.Decoder(_Versioned)
_kinds = {kind.value.encode(): kind for kind in EventKind}


def split_id(event_id: str | bytes) -> tuple[int, int]:
    """(milliseconds, sequence) of an entry's id."""
    # mypy does not see that the hyphen has the type of the id.
    ms, _, seq = event_id.partition(b"-" if isinstance(event_id, bytes) else "-")  # type: ignore[arg-type]
    return int(ms), int(seq)


def decode_event(event_id: bytes, fields: Mapping[bytes, bytes]) -> Event:
    """The event of a raw entry. Raises PoisonEvent, saying what is wrong, or Unavailable for an
    event of a newer version, which must be left to a persister that knows it."""
    try:
        return _decoded(event_id, fields)
    except PoisonEvent:
        if _version_of(fields) > SHARDS:
            raise Unavailable(
                "The stream has events of a newer version; this persister leaves them to one of "
                "that version."
            ) from None
        raise


def _version_of(fields: Mapping[bytes, bytes]) -> int:
    try:
        return _versioned.decode(fields[b"d"]).v
    except (KeyError, msgspec.DecodeError):
        return 0


def _decoded(event_id: bytes, fields: Mapping[bytes, bytes]) -> Event:
    try:
        kind = _kinds[fields[b"o"]]
        score = int(fields[b"s"]) if fields[b"s"] else None
        reached = int(fields[b"k"]) if fields[b"k"] else None
        version = int(fields[b"n"])
        previous = int(fields[b"b"]) if fields.get(b"b") else None
        body = _decoder.decode(fields[b"d"])
        moves = parse_moves(fields[b"q"].decode()) if b"q" in fields else ()
    except KeyError as error:
        raise PoisonEvent(f"field or kind missing or unknown: {error}") from error
    except (ValueError, msgspec.DecodeError) as error:
        raise PoisonEvent(str(error)) from error
    if not FORMAT <= body.v <= SHARDS:
        raise PoisonEvent(f"format {body.v} is not between {FORMAT} and {SHARDS}")
    if (kind is EventKind.OPENED) == (body.o is msgspec.UNSET):
        raise PoisonEvent(f"an event of kind {kind.name} with the occurrence {body.o}")
    counted = kind in (EventKind.ACCEPTED, EventKind.REVERTED)
    left_none = kind is EventKind.REVERTED and body.v >= RULES and score is None
    if (score is None) != (reached is None) or (counted == (score is None) and not left_none):
        raise PoisonEvent(f"an event of kind {kind.name} with score {score} at {reached}")
    totals = [score, previous]
    for move in moves:
        totals += move.score, move.previous
    for total in totals:
        if total is not None and abs(total) > MAX_TOTAL:
            raise PoisonEvent("a number out of range")
    if not 0 <= version <= 2**53:
        raise PoisonEvent("a number out of range")
    ms, seq = split_id(event_id)
    return Event(ms, seq, kind, score, reached, version, body, previous, moves)
