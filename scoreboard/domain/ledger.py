"""The types in which the ledger's writers, its readers and the loader of Redis exchange records."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

VERSION_STRIDE = 2**20  # added to a board's version by a load: more changes than can be unpersisted
LATE_DUPLICATE = "a duplicate older than the dedupe window"


class EventId(NamedTuple):
    """Id of an entry in a partition's stream; ids compare in the order of events."""

    ms: int
    seq: int

    def __str__(self) -> str:
        return f"{self.ms}-{self.seq}"


FIRST_EVENT = EventId(0, 0)

# An entry of a stream as it was read: its id, and its fields by name.
Entry = tuple[bytes, Mapping[bytes, bytes]]


class DeadEntry(NamedTuple):
    """An entry that can't be written, and why."""

    entry: Entry
    error: str


class UserTotal(NamedTuple):
    """A row of user_score: ``reached_ms`` is the millisecond of its stamp."""

    user_id: str
    total: int
    reached_ms: int
    hidden: bool


class KeptAction(NamedTuple):
    """The part of a row of score_action that a receipt needs. ``kept`` is the receipt's first
    letter (wire/receipts.Kept), ``score`` the total after it, ``event`` the id of its latest
    event."""

    user_id: str
    action_id: str
    kept: str
    points: int
    score: int | None
    attempt: str
    event: EventId
    agents: tuple[str, ...]


class LateDuplicate(NamedTuple):
    """An accepted action that the ledger already had under another event: its receipt had
    expired. It counts in Redis and has to be taken back."""

    board: str
    event: EventId
    points: int
    attempt: str
    original: KeptAction


class Written(NamedTuple):
    """The result of writing a batch: the late duplicates found, and the entries that went to the
    dead letters (those that could not be decoded and those that Postgres refused)."""

    late: list[LateDuplicate]
    dead: list[DeadEntry]


class BoardRecord(msgspec.Struct, frozen=True):
    """What Postgres knows of a board: the text of its settings, the highest version and event id
    persisted, the highest event id of its whole partition, and whether it has users."""

    settings: str
    version: int
    event: EventId
    partition_event: EventId
    has_users: bool


class BoardState(NamedTuple):
    """What Redis holds of a board: ``live`` when it was loaded under the present ``epoch``;
    ``event`` is the last event that it has seen, None when it is cold."""

    epoch: str
    live: bool
    version: int
    event: EventId | None
    users: int


class DeadLetter(NamedTuple):
    """A row of dead_event; its ``name`` is ``<partition>:<event id>``."""

    partition: int
    entry: Entry
    error: str
    created: datetime

    @property
    def name(self) -> str:
        """The name under which commands list it."""
        return f"{self.partition}:{self.entry[0].decode()}"
