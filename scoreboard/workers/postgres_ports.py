"""What the workers need of Postgres, whose room they may not import; ``assembly`` hands them what
fits. Unless a method says otherwise, it raises Unavailable when Postgres is away. Where a table is
asked for, that is a board's own, which has its name, or that of an occurrence."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from scoreboard.domain.audit import LedgerTotal, Misplaced
from scoreboard.domain.boards import BoardSettings, SettingsChange
from scoreboard.domain.daily_ranks import DueDay
from scoreboard.domain.kept_occurrences import DueOccurrence, KeptOccurrence
from scoreboard.domain.ledger import (
    BoardRecord,
    DeadEntry,
    DeadLetter,
    Entry,
    EventId,
    KeptAction,
    LockHolder,
    Player,
    UserTotal,
    Written,
)
from scoreboard.domain.profiles import KnownProfile, Profile, ProfileChange
from scoreboard.domain.removals import Removal, RemovalKind
from scoreboard.domain.reviews import Decision, Review, Verdict
from scoreboard.domain.revocations import Revocation
from scoreboard.domain.waiting_work import WaitingWork
from scoreboard.wire.events import Event


class RevocationRecord(Protocol):
    """Revoked tokens as they are kept. Implemented in pg/revocations.py."""

    async def add(self, revocation: Revocation, *, by: str, reason: str) -> None:
        """Keeps it, with its audit. Raises Unavailable when Postgres is away."""


class BoardSource(Protocol):
    """What a board is loaded from, under its partition's lock. Implemented in
    pg/board_source.py."""

    async def record(self, board: str) -> BoardRecord | None:
        """The board's row; None when there is no such board."""

    async def check_partitions(self, count: int) -> None:
        """Raises Misconfigured when the data has, or is about to have, another number."""

    async def removal(self, board: str) -> Removal | None:
        """An earlier removal of the board. Raises Unavailable, too, while one is not done."""

    async def note_swept(self, board: str, epoch: str) -> None:
        """Keeps that no remains of the board are left in this history of Redis."""

    async def create(self, board: str, settings: str) -> None:
        """Creates the board, with the text of its settings and the installation's rule for ids."""

    async def raise_version(self, board: str, version: int) -> None:
        """Raises the board's version to at least ``version``."""

    async def has_lost_reverts(self, board: str) -> bool:
        """True when late duplicates were never taken back in Redis; with the stream drained."""

    async def settle(self, board: str) -> None:
        """Leaves these late duplicates out of the totals of all open tables."""

    async def correct(self, board: str) -> None:
        """Sets every total of all tables to what follows from the user's actions that count."""

    async def occurrences(self, board: str) -> list[KeptOccurrence]:
        """The latest two of each of the board's periods, by period, the older one first."""

    async def open_occurrences(self, board: str) -> list[KeptOccurrence]:
        """All of the board's occurrences that are not final."""

    async def finalise(self, board: str, period: str, number: int) -> int | None:
        """Makes an occurrence final: stores the users' ranks, and the event for outsiders. Returns
        how many have a rank; None when it is final already. With the stream drained, and no late
        duplicate that was not taken back."""

    async def has_users(self, table: str) -> bool:
        """True when somebody has a total in the table."""

    def totals(self, table: str) -> AsyncIterator[list[UserTotal]]:
        """All users of the table, in chunks."""

    def changed_totals(self, table: str, since: EventId) -> AsyncIterator[list[UserTotal]]:
        """The users whose latest event is beyond ``since``, in chunks."""

    def hidden_totals(self, table: str, users: list[str]) -> AsyncIterator[list[UserTotal]]:
        """The users who are hidden, and those listed, in chunks."""

    def players(self, table: str) -> AsyncIterator[list[Player]]:
        """All who are in, for the board's limits, in chunks."""

    def receipts(self, board: str, since: EventId) -> AsyncIterator[list[KeptAction]]:
        """The actions whose latest event is beyond ``since``, in chunks."""


class LedgerSession(Protocol):
    """What may be done while a partition's lock is held. Implemented in pg/ledger.py."""

    @property
    def source(self) -> BoardSource:
        """Reads the partition's boards."""

    async def write(
        self,
        events: Sequence[tuple[Event, Entry]],
        dead: Sequence[DeadEntry],
        *,
        current: bool = True,
    ) -> Written:
        """Commits a batch and its dead letters; again, it changes nothing. An event that Postgres
        refuses joins the dead letters. Unless it is known to be of the ``current`` history of
        Redis, raises Overtaken for a batch with an event of a board that was made live after it."""


class SharedSession(Protocol):
    """What may be done while the locks of several partitions are held. Implemented in
    pg/shared_batches.py."""

    @property
    def partitions(self) -> Sequence[int]:
        """Whose locks are held."""

    async def write(self, batches: Mapping[int, Sequence[tuple[Event, Entry]]]) -> Collection[int]:
        """Commits batches of these partitions, those that only add new actions, in one statement.
        Returns the partitions whose batch it was; nothing was done of the others."""


class PartitionLocks(Protocol):
    """The partitions' locks, each held by one process at a time. Implemented in pg/ledger.py."""

    def locked(self, partition: int) -> AbstractAsyncContextManager[LedgerSession]:
        """Raises Unavailable, too, when another process keeps the lock too long."""

    def locked_if_free(self, partition: int) -> AbstractAsyncContextManager[LedgerSession | None]:
        """None when another process holds the lock."""

    def locked_where_free(
        self, partitions: Sequence[int]
    ) -> AbstractAsyncContextManager[SharedSession]:
        """Those of the partitions whose locks no other process holds, on one connection."""

    async def holder(self, partition: int) -> LockHolder | None:
        """Who holds the lock now."""


class BoardLedger(PartitionLocks, Protocol):
    """The locks, and which boards there are. Implemented in pg/ledger.py."""

    async def knows(self, board: str) -> bool:
        """True when there is such a board."""


class DaysRecord(Protocol):
    """What is kept of tables when a day begins; a day is named by its start, Unix ms. Implemented
    in pg/daily_ranks.py."""

    async def zones(self) -> list[str]:
        """The time zones by which boards have their days."""

    async def due(self, zone: str, day: int, *, after: str, limit: int) -> list[DueDay]:
        """Up to ``limit`` boards of the zone, by name, behind ``after``, of whose day nothing is
        kept."""

    async def keep(self, board: str, day: int) -> bool:
        """Keeps the day of a board. False when somebody else is at it, or has done it."""


class WorkRecord(Protocol):
    """What waits to be done. Implemented in pg/waiting_work.py."""

    async def look(self, now_ms: int | None) -> WaitingWork:
        """What waits at ``now_ms``, Unix ms; None: that is not known, and nothing has ended."""


class OccurrenceRecord(Protocol):
    """Which occurrences are due, and the end of those that were kept long enough. Moments are Unix
    ms. Implemented in pg/occurrences.py."""

    async def due(
        self, now_ms: int, limit: int, *, turning: bool, after: DueOccurrence | None = None
    ) -> list[DueOccurrence]:
        """Up to ``limit`` occurrences that have ended at ``now_ms``, earliest end first, behind
        ``after`` in that order: when ``turning`` those of which the next was not opened yet, else
        those that can be made final."""

    async def unsettled(
        self, period: str, number: int, shards: Sequence[str]
    ) -> list[tuple[str, bool]]:
        """Those of these shards in which something may still count in the occurrence, as far as
        Postgres knows, and whether they have opened it."""

    async def large(self, tables: Sequence[str], users: int) -> set[str]:
        """Those of these tables that have more than so many users."""

    async def rank_ahead(self, table: str) -> None:
        """Ranks a table that is about to be final, unless it is final. What changes before it is,
        is ranked with the rest when it is made so."""

    async def rank_next(self) -> tuple[str, int] | None:
        """Ranks a final table anew that decisions have changed. Returns its name and how many have
        a rank; None when there is no such table, or another process ranks one."""

    async def prune(self, board: str, period: str, keep: int) -> int:
        """Deletes the users of all final occurrences but for the latest ``keep``, in steps; how
        many it emptied."""


class HeldOccurrences(Protocol):
    """Which occurrences there were. Implemented in pg/occurrences.py."""

    async def holding(self, board: str, moment_ms: int) -> list[KeptOccurrence]:
        """The board's occurrences in which the moment lies, whatever became of them."""


class AuditedLedger(Protocol):
    """The committed rows that an audit compares. Implemented in pg/ledger_audit.py."""

    async def occurrences(self, board: str) -> list[KeptOccurrence]:
        """The board's occurrences that have a table, open and final."""

    async def latest_occurrences(self, board: str) -> list[KeptOccurrence]:
        """The latest two of each of the board's periods, by period, the older one first."""

    async def is_open(self, table: str) -> bool:
        """Whether the table of an occurrence is not final."""

    async def misplaced(self, table: str) -> list[Misplaced]:
        """Users of a final table whose stored place is not that of its totals, or the first of
        very many."""

    async def counts_players(self, table: str) -> bool:
        """Whether Redis keeps who is in the table, and how many of each one's actions count."""

    def players(self, table: str) -> AsyncIterator[list[Player]]:
        """All who are in the table, in chunks."""

    async def players_of(self, table: str, users: Sequence[str]) -> list[Player]:
        """Those of these users who are in the table, as it is now."""

    async def users(self, table: str) -> int:
        """How many users have a total in the table."""

    def totals(
        self, board: str, tables: Sequence[str]
    ) -> AsyncIterator[tuple[str, list[LedgerTotal]]]:
        """All users of these tables of the board, as of the beginning, table by table, each in
        chunks. The ledger is read once."""

    async def totals_of(self, table: str, users: Sequence[str]) -> list[LedgerTotal]:
        """These users as they are now; those that the ledger does not know are left out."""

    def receipts(self, board: str, since: EventId) -> AsyncIterator[list[KeptAction]]:
        """The actions whose latest event is beyond ``since``, in chunks."""

    async def receipts_of(self, board: str, actions: Sequence[KeptAction]) -> list[KeptAction]:
        """These actions as they are now."""


class PatrolledUsers(Protocol):
    """Lists boards and their users. Implemented in pg/ledger_audit.py."""

    async def boards(self) -> list[str]:
        """The names of all boards."""

    async def occurrences(self, board: str) -> list[KeptOccurrence]:
        """The board's occurrences that have a table, open and final."""

    async def next_users(self, table: str, after: str, count: int) -> list[str]:
        """Up to ``count`` users of the table behind ``after``, by name."""


class ReviewQueue(Protocol):
    """The review queue and its decisions. Implemented in pg/reviews.py."""

    async def get(self, review_id: int) -> Review:
        """Raises NotFound."""

    async def open_episode(self, review: Review) -> Sequence[Review]:
        """The open cases of the case's episode, oldest first, or the first of very many."""

    async def action(self, board: str, user: str, action: str) -> KeptAction | None:
        """The action as the ledger has it."""

    async def open_case(self, board: str, user: str, action: str) -> int | None:
        """The open case of an action that was flagged; None when there is none."""

    async def record_revert(
        self, board: str, user: str, action: str, *, by: str, reason: str
    ) -> bool:
        """Writes the audit of an action that a person took back, which the ledger says, once; False
        when there is nothing to write."""

    async def decidable_from(self) -> int:
        """The Unix ms of the first events whose actions may be decided about."""

    async def earlier(
        self, board: str, user: str, *, before: EventId, beyond: EventId, limit: int
    ) -> Sequence[KeptAction]:
        """The user's actions that count and whose events are between the two, in order of
        events."""

    async def total_without(
        self, table: str, user: str, actions: Sequence[str]
    ) -> tuple[int | None, int | None]:
        """The user's total in a table by the ledger without these actions (None: no other is left),
        as it is kept, and the Unix ms at which it was reached."""

    async def decide(
        self,
        review: Review,
        verdict: Verdict,
        *,
        by: str,
        reason: str,
        details: Mapping[str, Any],
        hiding: Callable[[], Awaitable[object]] | None = None,
    ) -> Decision:
        """Closes the case and writes the audit. With ``hiding`` it also hides the user, if on the
        board; then ``hiding`` is called before the commit. Raises AlreadyDecided."""

    async def set_hidden(
        self,
        board: str,
        user: str,
        *,
        hidden: bool,
        by: str,
        reason: str,
        before_commit: Callable[[], Awaitable[object]],
    ) -> bool | None:
        """Hides the user, or shows the user again who does not want to be hidden; whether the user
        is hidden now, None when not on the board."""


class UserShards(Protocol):
    """Implemented in pg/user_shards.py."""

    async def shard(self, board: str, user: str, shards: int) -> str:
        """The name of the shard, of so many, that has the user; the board's own name where there is
        but one."""


class SettingsStore(Protocol):
    """Boards' settings as they are kept. Implemented in pg/board_settings.py."""

    async def get(self, board: str) -> BoardSettings:
        """Raises UnknownBoard."""

    async def has_scores(self, board: str) -> bool:
        """True when somebody has a total on the board."""

    def changing(
        self, board: str, partition_of: Callable[[str], int], change: SettingsChange, *, by: str
    ) -> AbstractAsyncContextManager[BoardSettings]:
        """Stores what ``change`` makes of the settings, and gives it; commits at the end of the
        block unless that raises. A new board gets all of its shards. To be called under the lock of
        the board's partition."""


class RemovalRecord(Protocol):
    """The removals of boards, and their rows. Implemented in pg/removals.py."""

    async def check_rights(self) -> None:
        """Raises Misconfigured when the service's role lacks a right that this needs."""

    async def shards(self, board: str) -> list[str]:
        """The board's shards but the first that there are, or whose removal is not done."""

    async def pending(self, board: str) -> Removal | None:
        """The board's removal that is not done."""

    async def abandoned(self, seconds: float) -> list[Removal]:
        """The removals that are not done, and on which nobody has worked for so long."""

    async def begin(self, board: str, kind: RemovalKind, *, version: int, by: str) -> Removal:
        """Decides the removal; from then on there is no such board. To be called under the lock of
        its partition, with the stream drained and the board fenced. Raises UnknownBoard."""

    def delete(self, removal: Removal) -> AsyncIterator[int]:
        """Deletes the board's rows in steps, and tells of each how many went."""

    async def finish(self, removal: Removal, epoch: str) -> bool:
        """Marks it as done; False when it was done already. ``epoch`` is the history of Redis in
        which nothing is left of the board."""


class ProfileChanges(Protocol):
    """What is left to do of changed profiles. Implemented in pg/profile_changes.py."""

    def turn(self) -> AbstractAsyncContextManager[bool]:
        """True for one process at a time."""

    async def pending(self, limit: int, *, but: Collection[str] = ()) -> list[ProfileChange]:
        """The oldest of them, leaving out some boards."""

    async def recheck(self, limit: int) -> None:
        """Finds boards that users came onto while their profiles changed, for up to so many
        changes; those of the last moment are found by a later call."""

    async def choose(self, board: str, user: str) -> bool | None:
        """Takes over whether the user wants to be hidden on the board. To be called under the lock
        of its partition. Returns whether the user is hidden then; None when not on the board."""

    async def done(self, change: ProfileChange) -> None:
        """Nothing is left to do of it, unless it was asked for again meanwhile."""


class ProfileRecord(Protocol):
    """Keeps profiles. Implemented in pg/profiles.py."""

    async def put(self, user: str, profile: Profile) -> KnownProfile:
        """Makes it the user's profile, and returns what is shown of it."""

    async def add(self, profiles: Mapping[str, Profile]) -> list[KnownProfile]:
        """Gives those of these users a profile who have none. Returns what is shown now of those
        who are on boards already."""


class DeadLetters(Protocol):
    """The entries that could not be written. Implemented in pg/dead_letters.py."""

    async def drop(self, letter: DeadLetter, *, by: str, written_to: str | None = None) -> None:
        """Removes the letter for good; the audit says that it was dropped, or that it is written to
        this board now."""

    async def explain(self, letter: DeadLetter, error: str) -> None:
        """Keeps the letter with another error."""


class TrainingSchedule(Protocol):
    """Finds the boards that are due for training. Implemented in pg/models.py."""

    async def due(self, interval: float) -> list[str]:
        """Boards with a gate whose newest model of their own is older than ``interval`` seconds,
        or that have none."""
