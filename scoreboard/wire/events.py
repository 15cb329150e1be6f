"""Entries of a partition's stream: what Lua appends and the persister reads.

An entry always has the same five fields, so that the stream stores their names only once per node:

====  ========================================================================
``o``  outcome: one letter of ``EventKind``
``s``  the user's total after it, decimal; empty when nothing was counted
``k``  the stamp's millisecond, decimal (``reached_at``); empty likewise
``n``  the board's version before the call, decimal
``d``  the action as JSON, prepared by the server that submitted it (``Body``)
====  ========================================================================
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from scoreboard.domain.actions import Identifier, Points
from scoreboard.domain.boards import BOARD_PATTERN, MAX_TOTAL

FORMAT = 1


class EventKind(enum.Enum):
    """What an entry reports."""

    ACCEPTED = "A"
    REFUSED = "R"
    CONFLICT = "C"
    REVERTED = "V"


EventTime = Annotated[int, Meta(ge=0, le=2**53)]


class Body(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The JSON in field ``d``. The names have one letter, since there are very many entries.

    v: format; b: board; u: user; a: action id; p: points; t: attempt id; i: the action's own time,
    Unix ms; c: the context as sent; f: the agents' findings, present when one objected; e and w:
    in a reverting event, the event that was taken back and why.
    """

    v: int
    b: Annotated[str, Meta(pattern=f"^{BOARD_PATTERN}$(?!\\n)")]
    u: Identifier
    a: Identifier
    p: Points
    t: Annotated[str, Meta(min_length=1, max_length=64)]
    i: EventTime = 0
    c: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    f: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    e: Annotated[str, Meta(pattern=r"^\d{1,16}-\d{1,16}$(?!\n)")] = ""
    w: Annotated[str, Meta(max_length=200)] = ""


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

    @property
    def id(self) -> str:
        """The entry's id in its stream."""
        return f"{self.ms}-{self.seq}"


class PoisonEvent(ValueError):
    """An entry can't be decoded; it belongs to the dead letters."""


_decoder = msgspec.json.Decoder(Body)
_kinds = {kind.value.encode(): kind for kind in EventKind}


def split_id(event_id: str | bytes) -> tuple[int, int]:
    """(milliseconds, sequence) of an entry's id."""
    # mypy does not see that the hyphen has the type of the id.
    ms, _, seq = event_id.partition(b"-" if isinstance(event_id, bytes) else "-")  # type: ignore[arg-type]
    return int(ms), int(seq)


def decode_event(event_id: bytes, fields: Mapping[bytes, bytes]) -> Event:
    """The event of a raw entry. Raises PoisonEvent, saying what is wrong."""
    try:
        kind = _kinds[fields[b"o"]]
        score = int(fields[b"s"]) if fields[b"s"] else None
        reached = int(fields[b"k"]) if fields[b"k"] else None
        version = int(fields[b"n"])
        body = _decoder.decode(fields[b"d"])
    except KeyError as error:
        raise PoisonEvent(f"field or kind missing or unknown: {error}") from error
    except (ValueError, msgspec.DecodeError) as error:
        raise PoisonEvent(str(error)) from error
    if body.v != FORMAT:
        raise PoisonEvent(f"format {body.v} is not {FORMAT}")
    counted = kind in (EventKind.ACCEPTED, EventKind.REVERTED)
    if counted != (score is not None and reached is not None):
        raise PoisonEvent(f"an event of kind {kind.name} with score {score} at {reached}")
    if (score is not None and abs(score) > MAX_TOTAL) or not 0 <= version <= 2**53:
        raise PoisonEvent("a number out of range")
    ms, seq = split_id(event_id)
    return Event(ms, seq, kind, score, reached, version, body)
