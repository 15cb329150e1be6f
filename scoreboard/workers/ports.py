"""What the workers need of Redis and Postgres, whose rooms they may not import; ``assembly`` hands
them what fits. Unless a method says otherwise, it raises Unavailable when its server is away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from scoreboard.domain.audit import LedgerTotal, PatrolReport
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.ledger import (
    BoardRecord,
    BoardState,
    DeadEntry,
    DeadLetter,
    Entry,
    EventId,
    KeptAction,
    LateDuplicate,
    UserTotal,
    Written,
)
from scoreboard.domain.reviews import Decision, Review, Verdict
from scoreboard.wire.events import Event

Progress = Callable[[int], None]  # called with the number of users done since its last call
Scores = tuple[float | None, float | None]  # zset score shown, zset score hidden


# What is in Redis.


class EventStream(Protocol):
    """A partition's stream. Whoever reads or acknowledges holds the partition's lock. Implemented
    in redisio/streams.py."""

    @property
    def partition(self) -> int: ...

    async def wait(self, timeout: float) -> None:
        """Returns when there is an entry that was not yet read, or after ``timeout`` seconds."""

    async def read(self, count: int) -> list[Entry]:
        """Up to ``count`` entries in order: first those left pending, then new ones."""

    async def read_ahead(self, count: int) -> list[Entry]:
        """Up to ``count`` entries behind the last ``read``, before that is acknowledged; none while
        older ones may be pending."""

    async def acknowledge(self, ids: Sequence[bytes]) -> int:
        """Removes committed entries, the oldest of the stream; how many it still holds."""

    async def last_id(self) -> EventId:
        """The id of the latest entry ever appended; zero without a stream."""


class DuplicateReverter(Protocol):
    """Takes late duplicates back in Redis. Implemented in redisio/reverter.py."""

    async def revert(self, duplicate: LateDuplicate) -> bool:
        """Must be called in the order of events. Returns False when it can't be done now; the
        board's next load will leave the action out."""


class BoardDraft(Protocol):
    """A board under construction; it changes the board only at ``finish``. Implemented in
    redisio/loader.py."""

    async def add(self, totals: Sequence[UserTotal]) -> None:
        """Writes these users' totals into the draft."""

    async def restore_receipts(self, actions: Sequence[KeptAction]) -> None:
        """Writes the receipts of these actions, each for the rest of its dedupe window."""

    async def finish(self, record: BoardRecord, *, version: int, event: EventId) -> int:
        """Makes the board live and returns its version. ``event`` is the last event that it
        contains. Raises Unavailable also when Redis changed meanwhile; the draft is then
        useless."""


class BoardLoader(Protocol):
    """A rebuild's side in Redis. Implemented in redisio/loader.py."""

    async def state(self, board: str) -> BoardState:
        """What Redis holds of the board."""

    async def hidden_users(self, board: str) -> list[str]:
        """The users who are hidden in Redis."""

    async def forget(self, board: str) -> None:
        """Makes the board cold: from then on nothing is read from it or written to it."""

    def oldest_receipt(self) -> EventId:
        """The id of an event whose receipt expires now. Raises nothing."""

    def begin(self, board: str, state: BoardState, *, swap: bool) -> BoardDraft:
        """A draft of the board: with all its users (``swap``), or only with those whose latest
        changes the fenced board lacks. Raises nothing."""


class ModeratedBoards(Protocol):
    """What moderation changes on boards. Every method may be repeated, and raises BoardCold when
    the board is not live. Implemented in redisio/moderation.py."""

    async def approve(self, board: str, action: KeptAction) -> None:
        """Makes a refused action count. Raises ScoreOutOfRange."""

    async def revert(self, board: str, action: KeptAction, reason: str) -> bool:
        """Takes an accepted action back; returns False when it no longer counts. Raises
        ScoreOutOfRange."""

    async def hide(self, board: str, user: str, *, hidden: bool) -> None:
        """Hides a user from the board, or shows the user again."""

    async def set_settings(self, board: str, settings: str) -> None:
        """Replaces the text of the board's settings."""

    async def forget_memory(self, board: str, user: str) -> None:
        """Drops the agents' memory of the user. Raises no BoardCold."""


class AuditedBoards(Protocol):
    """Boards as they are in Redis, live or not. Implemented in redisio/board_audit.py."""

    async def scores(self, board: str, users: Sequence[str]) -> list[Scores]:
        """The zset scores of each user, in order."""

    def members(self, board: str) -> AsyncIterator[list[str]]:
        """All users of the board in chunks; some may come twice."""

    async def differing_receipts(
        self, board: str, actions: Sequence[KeptAction]
    ) -> list[tuple[KeptAction, str, str]]:
        """(action, receipt expected, receipt found or '') where the two differ."""


class PatrolReports(Protocol):
    """Where the continuous audit leaves its result. Implemented in redisio/patrol_reports.py."""

    async def publish(self, report: PatrolReport, *, valid: float) -> None:
        """Keeps the report for ``valid`` seconds."""


# What is in Postgres.


class BoardSource(Protocol):
    """What a board is loaded from, under its partition's lock. Implemented in
    pg/board_source.py."""

    async def record(self, board: str) -> BoardRecord | None:
        """The board's row; None when there is no such board."""

    async def create(self, board: str, settings: str) -> None:
        """Creates the board, with the text of its settings."""

    async def raise_version(self, board: str, version: int) -> None:
        """Raises the board's version to at least ``version``."""

    async def has_lost_reverts(self, board: str) -> bool:
        """True when late duplicates were never taken back in Redis; with the stream drained."""

    async def settle(self, board: str) -> None:
        """Subtracts these late duplicates from the totals."""

    async def correct(self, board: str) -> None:
        """Sets every total to the sum of the user's actions that count."""

    def totals(self, board: str) -> AsyncIterator[list[UserTotal]]:
        """All users of the board, in chunks."""

    def changed_totals(self, board: str, since: EventId) -> AsyncIterator[list[UserTotal]]:
        """The users whose latest event is beyond ``since``, in chunks."""

    def hidden_totals(self, board: str, users: list[str]) -> AsyncIterator[list[UserTotal]]:
        """The users who are hidden, and those listed, in chunks."""

    def receipts(self, board: str, since: EventId) -> AsyncIterator[list[KeptAction]]:
        """The actions whose latest event is beyond ``since``, in chunks."""


class LedgerSession(Protocol):
    """What may be done while a partition's lock is held. Implemented in pg/ledger.py."""

    @property
    def source(self) -> BoardSource: ...

    async def write(
        self, events: Sequence[tuple[Event, Entry]], dead: Sequence[DeadEntry]
    ) -> Written:
        """Commits a batch and its dead letters; again, it changes nothing. An event that Postgres
        refuses joins the dead letters."""


class PartitionLocks(Protocol):
    """The partitions' locks, each held by one process at a time. Implemented in pg/ledger.py."""

    def locked(self, partition: int) -> AbstractAsyncContextManager[LedgerSession]:
        """Raises Unavailable, too, when another process keeps the lock too long."""

    def locked_if_free(self, partition: int) -> AbstractAsyncContextManager[LedgerSession | None]:
        """None when another process holds the lock."""


class BoardLedger(PartitionLocks, Protocol):
    """The locks, and which boards there are. Implemented in pg/ledger.py."""

    async def knows(self, board: str) -> bool:
        """True when there is such a board."""


class AuditedLedger(Protocol):
    """The committed rows that an audit compares. Implemented in pg/ledger_audit.py."""

    async def users(self, board: str) -> int:
        """How many users have a total on the board."""

    def totals(self, board: str) -> AsyncIterator[list[LedgerTotal]]:
        """All users of the board, as of the beginning, in chunks."""

    async def totals_of(self, board: str, users: Sequence[str]) -> list[LedgerTotal]:
        """These users as they are now; those that the ledger does not know are left out."""

    def receipts(self, board: str, since: EventId) -> AsyncIterator[list[KeptAction]]:
        """The actions whose latest event is beyond ``since``, in chunks."""

    async def receipts_of(self, board: str, actions: Sequence[KeptAction]) -> list[KeptAction]:
        """These actions as they are now."""


class PatrolledUsers(Protocol):
    """Lists boards and their users. Implemented in pg/ledger_audit.py."""

    async def boards(self) -> list[str]:
        """The names of all boards."""

    async def next_users(self, board: str, after: str, count: int) -> list[str]:
        """Up to ``count`` users of the board behind ``after``, by name."""


class ReviewQueue(Protocol):
    """The review queue and its decisions. Implemented in pg/reviews.py."""

    async def get(self, review_id: int) -> Review:
        """Raises NotFound."""

    async def action(self, board: str, user: str, action: str) -> KeptAction | None:
        """The action as the ledger has it."""

    async def earlier(
        self, board: str, user: str, *, before: EventId, beyond: EventId, limit: int
    ) -> Sequence[KeptAction]:
        """The user's actions that count and whose events are between the two, in order of
        events."""

    async def decide(
        self,
        review: Review,
        verdict: Verdict,
        *,
        by: str,
        reason: str,
        hide: bool,
        details: Mapping[str, Any],
    ) -> Decision:
        """Closes the case, with ``hide`` hides its user, and writes the audit. Raises
        AlreadyDecided."""

    async def set_hidden(
        self, board: str, user: str, *, hidden: bool, by: str, reason: str
    ) -> bool:
        """Hides the user or shows the user again; False when the user is not on the board."""


class SettingsStore(Protocol):
    """Boards' settings as they are kept. Implemented in pg/board_settings.py."""

    def changing(
        self, board: str, partition: int, settings: BoardSettings, *, by: str
    ) -> AbstractAsyncContextManager[None]:
        """Stores the settings, of a new board too; commits at the end of the block unless that
        raises."""


class DeadLetters(Protocol):
    """The entries that could not be written. Implemented in pg/dead_letters.py."""

    async def drop(self, letter: DeadLetter) -> None:
        """Removes the letter for good."""

    async def explain(self, letter: DeadLetter, error: str) -> None:
        """Keeps the letter with another error."""


class TrainingSchedule(Protocol):
    """Finds the boards that are due for training. Implemented in pg/models.py."""

    async def due(self, interval: float) -> list[str]:
        """Boards with a gate whose newest model of their own is older than ``interval`` seconds,
        or that have none."""
