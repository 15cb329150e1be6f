"""The types in which the ledger's writers, its readers and the loader of Redis exchange records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from scoreboard.domain.erasures import ErasedEvents

VERSION_STRIDE = 2**20  # added to a board's version by a load: more changes than can be unpersisted
STALLED = 10.0  # seconds of silence after which the holder of a lock is taken for stalled
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


class LockHolder(NamedTuple):
    """The session that holds a partition's lock. ``state`` is what it does, as Postgres says it,
    ``idle`` the seconds for which Postgres has been waiting for it to say something. Of a session
    of another role only ``pid`` is known."""

    pid: int
    address: str | None
    program: str | None
    state: str | None
    idle: float

    @property
    def stalled(self) -> bool:
        """True when it does nothing: who works under a lock lets Postgres wait for moments only."""
        return self.idle >= STALLED

    @property
    def remedy(self) -> str:
        """What an operator can do about a holder that does nothing; '' for one that works."""
        return f"End it with: SELECT pg_terminate_backend({self.pid})" if self.stalled else ""

    def __str__(self) -> str:
        where = f" at {self.address}" if self.address else ""
        doing = f", {self.state}" if self.state else ""
        idle = f" for {self.idle:.0f} s" if self.idle >= 1 else ""
        return f"{self.program or 'a session'}{where} (process {self.pid} of Postgres{doing}{idle})"


class UserTotal(NamedTuple):
    """A row of user_score: ``reached_ms`` is the millisecond of its stamp."""

    user_id: str
    total: int
    reached_ms: int
    hidden: bool


class Player(NamedTuple):
    """A user whom a board's limits know as being in, and how many of the user's actions count."""

    user_id: str
    attempts: int


class TableMove(NamedTuple):
    """What an event did in an occurrence (``week:12``): the user's total after it and the
    millisecond at which that was reached (None: no total is left), and the total before it (None:
    there was none). Totals are as they are kept."""

    occurrence: str
    score: int | None
    reached_ms: int | None
    previous: int | None


class KeptAction(NamedTuple):
    """The part of a row of score_action that a receipt needs. ``kept`` is the receipt's first
    letter (wire/receipts.Kept), ``score`` the total after it, ``event`` the id of its latest
    event, ``previous`` the total before it, which is known where the operator is not ``sum``,
    ``moves`` what it did in the occurrences of the board's periods. Totals are as they are kept:
    negated where less is better."""

    user_id: str
    action_id: str
    kept: str
    points: int
    score: int | None
    attempt: str
    event: EventId
    agents: tuple[str, ...]
    previous: int | None
    moves: tuple[TableMove, ...] = ()


class LeftTotal(NamedTuple):
    """A user's total without an action, as it is kept (None: no other is left), and the millisecond
    at which it was reached."""

    total: int | None
    reached_ms: int | None


class Fenced(NamedTuple):
    """What taking an action back needs where the operator is not ``sum``: the epoch under which the
    board is fenced, and the user's total by the ledger without the action, in the board's own table
    and in those of occurrences, by their names (``week:12``)."""

    epoch: str
    total: LeftTotal
    tables: Mapping[str, LeftTotal] = MappingProxyType({})


class LateDuplicate(NamedTuple):
    """An accepted action that the ledger already had under another event: its receipt had
    expired. It counts in Redis and has to be taken back. ``reached_ms`` is the stamp of the total
    after it, ``moves`` what it did in occurrences."""

    board: str
    event: EventId
    points: int
    attempt: str
    reached_ms: int
    original: KeptAction
    moves: tuple[TableMove, ...] = ()


class Written(NamedTuple):
    """The result of writing a batch: the late duplicates found, the entries that went to the dead
    letters (those that could not be decoded and those that Postgres refused), and the events that
    were left out as those of erased players. ``new`` tells that each action of the batch is in the
    ledger by its own event, and was not before; ``plain`` that the batch did nothing else."""

    late: list[LateDuplicate]
    dead: list[DeadEntry]
    erased: Sequence[ErasedEvents] = ()
    new: bool = False
    plain: bool = False


class Overtaken(Exception):
    """A batch has an event of a board that was made live after it: maybe on another server, which
    has replaced the one that the batch was read from and lacks the event."""


class BoardRecord(msgspec.Struct, frozen=True):
    """What Postgres knows of a board: the text of its settings, the highest version and event id
    persisted, the highest event id of its whole partition, whether it has users, and the version
    below which what Redis has lacks an erasure."""

    settings: str
    version: int
    event: EventId
    partition_event: EventId
    has_users: bool
    whole_below: int = 0


class BoardState(NamedTuple):
    """What Redis holds of a board: ``live`` when it was loaded under the present ``epoch`` and
    nothing of it is gone; ``event`` is the last event that it has seen, None when it is cold;
    ``lost`` when one of its zsets, or the table of an occurrence, is gone while the rest is there,
    or something can't be read; then ``damage`` names the keys, and the fields of hashes. ``now_ms``
    is Redis's clock. ``tables`` are those of occurrences that Redis knows of, and whether each is
    there and whole."""

    epoch: str
    live: bool
    version: int
    event: EventId | None
    users: int
    lost: bool
    now_ms: int
    tables: Mapping[str, bool] = MappingProxyType({})
    damage: str = ""

    @property
    def whole(self) -> bool:
        """Whether scripts can go on with the board."""
        return self.live and not self.lost


class DeadPlace(NamedTuple):
    """Where a dead letter stands in their order, the oldest first."""

    created: datetime
    partition: int
    event: str


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

    @property
    def place(self) -> DeadPlace:
        """Where it stands."""
        return DeadPlace(self.created, self.partition, self.entry[0].decode())
