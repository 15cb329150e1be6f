"""What the API needs of the write path, the workers, Redis and Postgres, whose rooms it may not
import; ``assembly`` hands it what fits. Every method raises Unavailable when a server that it needs
is away. What only the calls about players need is in players/ports.py."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from scoreboard.domain.admin_audit import AuditEntry, AuditFilter
from scoreboard.domain.boards import BoardSettings, SettingsChange
from scoreboard.domain.daily_ranks import DayRanks, Then
from scoreboard.domain.descriptions import Description, ListedBoard
from scoreboard.domain.durability import Durability
from scoreboard.domain.gate_models import Activated, GateModel, HeldBack
from scoreboard.domain.imports import Refused, SourceRow
from scoreboard.domain.kept_occurrences import KeptOccurrence
from scoreboard.domain.ledger import DeadLetter, DeadPlace
from scoreboard.domain.periods import Period
from scoreboard.domain.removals import RemovalKind
from scoreboard.domain.reviews import Decision, FeatureDecisions, Filter, Review, ReviewDetails
from scoreboard.domain.revocations import Revocation
from scoreboard.domain.snapshots import Rows, Snapshot, Wanted
from scoreboard.domain.standings import Page, Part, Place, Spot, Standing, TopEntry, UserStanding
from scoreboard.domain.standings import Rows as StampedRows
from scoreboard.domain.submissions import Result, Submission
from scoreboard.domain.urgency import Urgency
from scoreboard.domain.webhooks import Delivery, NewWebhook, Webhook
from scoreboard.wire.known_periods import KnownPeriod
from scoreboard.wire.places import Places


class ScoreSubmitter(Protocol):
    """Submits score actions. Implemented in write_path/submitter.py."""

    async def submit(
        self,
        board: str,
        submissions: Sequence[Submission],
        *,
        create: bool,
        durability: Durability,
    ) -> tuple[list[Result], Durability]:
        """The result of each submission, in order, and the durability reached; ``create`` lets the
        first accepted action create the board. Raises UnknownBoard, Unavailable (nothing
        was written) or OutcomeUnknown."""


class BoardJoiner(Protocol):
    """Lets users into boards. Implemented in write_path/joiner.py."""

    async def join(self, board: str, user: str) -> None:
        """Again, it changes nothing. Raises UnknownBoard, BoardClosed, BoardFull, InvalidRequest
        for an id that the board does not take, or OutcomeUnknown."""


class ReadableBoards(Protocol):
    """Boards as one place has them, and occurrences of their periods by the names of their tables.
    Redis (redisio/live_boards.py) raises BoardCold for what is not live, Postgres
    (pg/archived_boards.py) UnknownBoard for a board that does not exist."""

    async def top(self, board: str) -> tuple[int, bytes]:
        """(version, ready JSON array of the top 10)."""

    async def description(self, board: str) -> Description:
        """The board's settings, its version, and how many users it shows."""

    async def standings(self, board: str, users: list[str]) -> list[Standing | None]:
        """The standing of each user in order; None for one who is not on the board."""

    async def around(self, board: str, user: str, radius: int) -> list[Standing] | None:
        """The user with up to ``radius`` neighbours on each side, by rank; None when the user is
        not on the board."""

    async def user(self, board: str, user: str) -> UserStanding | None:
        """The user's place with the one above and the way to the top 10; None when the user is not
        on the board."""

    async def page(self, board: str, place: Place, limit: int) -> Page:
        """Up to ``limit`` users in order of rank, from the place on."""


class UnshardedBoards(ReadableBoards, Protocol):
    """The same, of boards without shards and of single shards."""

    async def settings(self, table: str) -> BoardSettings:
        """Those by which the table is read, of boards with shards too."""


class ReadableShards(Protocol):
    """What shards of boards add to reads of the whole, as one place has it. Redis
    (redisio/live_shards.py) raises BoardCold for what is not live, Postgres
    (pg/archived_shards.py) UnknownBoard for a shard that does not exist."""

    async def part(self, shard: str, spot: Spot, *, before: int, behind: int) -> Part:
        """How many stand above the spot, with up to so many users ``before`` it and ``behind``."""

    async def stamps(self, shard: str, users: Sequence[str]) -> list[float | None]:
        """The zset score of each user in order; None for one who is not there."""

    async def above(self, shard: str, spots: Sequence[Spot]) -> tuple[int, list[int]]:
        """How many users there are, and how many of them stand above each spot."""


class WatchedShards(Protocol):
    """Reads of live shards for clients that watch players. Every method raises BoardCold.
    Implemented in redisio/live_shards.py."""

    async def stamps(self, shard: str, users: Sequence[str]) -> list[float | None]:
        """The zset score of each user in order; None for one who is not there."""

    async def above(self, shard: str, spots: Sequence[Spot]) -> tuple[int, list[int]]:
        """How many users there are, and how many of them stand above each spot."""

    async def around(
        self, shard: str, spots: Sequence[Spot]
    ) -> tuple[int, list[int], list[StampedRows]]:
        """The same, and of each spot the two users directly above and the one behind."""

    async def unopened(self, shard: str) -> bool:
        """Whether this is the table of an occurrence that the shard is still to open."""


class WatchedTables(Protocol):
    """Reads of live tables for clients that watch players. Both methods raise BoardCold.
    Implemented in redisio/watched_boards.py, and for boards with shards in sharded_places.py."""

    async def watch(self, board: str) -> bytes:
        """Has it noted for 30 s who moves on the board; behind the id that this returns."""

    async def places(
        self, table: str, users: Sequence[str], *, known: bytes, since: bytes
    ) -> Places:
        """Where users stand in a table; see lua/read_places.lua."""


class PastTables(Protocol):
    """Tables as they were at a moment, Unix ms. Every method raises UnknownBoard, DetailGone or
    TooExpensive. Implemented in pg/past_tables.py."""

    async def occurrence(self, board: str, period: str, at_ms: int) -> int:
        """The number of the latest occurrence that had started; 0: none had."""

    async def top(self, table: str, at_ms: int) -> list[TopEntry]:
        """The top as it was."""

    async def user(self, table: str, user: str, at_ms: int) -> UserStanding | None:
        """The user's place as it was; None when the user was not in the table."""


class KeptDays(Protocol):
    """The ranks that users had when a day began. Implemented in pg/daily_ranks.py."""

    async def then(
        self, table: str, user: str, days: Sequence[int], *, part: str | None = None
    ) -> list[Then | None]:
        """The user in the table at the start of each of these days, Unix ms, or as soon after that
        as it was kept; None where nothing is kept. Of a board with shards, ``part`` is the user's
        shard's."""

    async def ranks(self, table: str, users: Sequence[str], day: int) -> DayRanks | None:
        """The ranks of these users, one at least, likewise."""


class UserShards(Protocol):
    """Knows on which shard of a board a user is. Implemented in pg/user_shards.py."""

    async def shard(self, board: str, user: str, shards: int) -> str:
        """The name of the shard, of so many, that has the user; the board's own name where there is
        but one."""


class PeriodStates(Protocol):
    """What boards that are live know of their periods. Implemented in redisio/period_states.py."""

    async def read(
        self, board: str, periods: Sequence[str]
    ) -> tuple[int, dict[str, KnownPeriod | None]]:
        """The board's time in Unix ms, and what it knows of each period; None: no occurrence yet.
        Raises BoardCold."""


class PeriodOpener(Protocol):
    """Opens occurrences of boards that are live. Implemented in workers/calendars.py."""

    async def open_due(self, board: str, settings: BoardSettings, period: Period) -> None:
        """Opens the period's first occurrence, or what follows on one that has ended, unless that
        is open already. Raises BoardCold."""


class KeptOccurrences(Protocol):
    """The occurrences that were opened, as Postgres has them. Every method raises UnknownBoard.
    Implemented in pg/archived_boards.py."""

    async def occurrence(self, board: str, period: str, number: int) -> KeptOccurrence | None:
        """The occurrence of this number, if it was opened."""

    async def latest_occurrences(self, board: str) -> list[KeptOccurrence]:
        """The latest two of each of the board's periods, by period, the older one first."""

    async def occurrences(
        self, board: str, period: str, *, before: int | None, limit: int
    ) -> list[KeptOccurrence]:
        """Up to ``limit`` occurrences of a period, newest first, with numbers below ``before``
        unless that is None. Open ones, too, say how many users they have."""


class BoardLister(Protocol):
    """Lists boards. Implemented in pg/archived_boards.py."""

    async def listed(
        self, prefix: str, *, after: str, among: Collection[str] | None, limit: int
    ) -> list[ListedBoard]:
        """Up to ``limit`` boards by name, of those whose names begin with the prefix and come after
        ``after``, and which are ``among`` these unless that is None."""


class BoardOpener(Protocol):
    """Makes boards live. Implemented in workers/rebuilder.py."""

    async def ensure(self, board: str, *, create: bool, urgency: Urgency) -> None:
        """Returns when the board is live; a caller that stops waiting does not stop the work.
        Raises UnknownBoard when there is none and ``create`` is False, Unavailable when it can't
        be made live now."""


class CaseModerator(Protocol):
    """Carries out decisions. After an error the same call may be repeated. Implemented in
    workers/moderator.py."""

    async def approve(self, review_id: int, *, by: str, reason: str, episode: bool) -> Decision:
        """Lets the action count, with ``episode`` all of its episode. Raises NotFound,
        AlreadyDecided, NotDecidable or ScoreOutOfRange."""

    async def confirm(
        self,
        review_id: int,
        *,
        by: str,
        reason: str,
        revert_earlier: bool,
        hide_user: bool,
        episode: bool,
    ) -> Decision:
        """Keeps the action out or takes it back. Raises as ``approve``."""

    async def set_hidden(
        self, board: str, user: str, *, hidden: bool, by: str, reason: str
    ) -> None:
        """Hides a user or shows the user again. Raises UnknownBoard or UnknownUser."""

    async def revert(self, board: str, user: str, action_id: str, *, by: str, reason: str) -> None:
        """Takes one action back. Raises UnknownBoard, NotFound, AlreadyDecided, NotDecidable or
        ScoreOutOfRange."""

    async def configure(self, board: str, change: SettingsChange, *, by: str) -> BoardSettings:
        """Changes the settings of a board, which may be new, and returns them. Raises what
        ``change`` raises."""


class TokenRevoker(Protocol):
    """Revokes tokens. Implemented in workers/revoker.py."""

    async def revoke(self, revocation: Revocation, *, by: str, reason: str) -> bool:
        """True when all processes were told; False when they will find it by themselves."""


class BoardRemover(Protocol):
    """Deletes and clears boards. Implemented in workers/remover.py."""

    async def remove(self, board: str, kind: RemovalKind, *, by: str) -> bool:
        """False when it is decided, and will be finished later. Raises UnknownBoard; after
        Unavailable it may be repeated."""


class RevocationReader(Protocol):
    """Reads the revoked tokens. Implemented in pg/revocations.py."""

    async def since(self, moment: datetime | None) -> tuple[list[Revocation], datetime]:
        """The revocations in force that are new since ``moment`` (all of them for None; some may
        come again), and the moment to ask from the next time."""


class RevocationCopy(Protocol):
    """The copy of them, for when they can't be read. Both methods raise Unavailable. Implemented in
    redisio/shared_revocations.py."""

    async def keep(self, revocations: Sequence[Revocation], *, all_of_them: bool) -> bool:
        """Adds these; False when the copy is not whole."""

    async def read(self) -> list[Revocation] | None:
        """All of them; None when the copy is not whole. Raises msgspec.DecodeError."""


class ReviewReader(Protocol):
    """Reads the review queue. Implemented in pg/reviews.py."""

    async def page(self, wanted: Filter, *, before: int | None, limit: int) -> list[Review]:
        """Up to ``limit`` cases, newest first, with ids below ``before``."""

    async def by_feature(self, boards: frozenset[str] | None) -> list[FeatureDecisions]:
        """What became of the last 90 days' cases by what agents objected to; of these boards
        (None: all)."""

    async def get(self, review_id: int) -> Review:
        """Raises NotFound."""

    async def details(self, review: Review) -> ReviewDetails:
        """The case with what its user did lately."""


class BoardExporter(Protocol):
    """Exports boards. Implemented in pg/exports.py."""

    def open(
        self, wanted: Wanted, *, by: str
    ) -> AbstractAsyncContextManager[tuple[Snapshot, Rows]]:
        """The head and the rows in chunks, as of one moment; the audit has a line of it. Raises
        UnknownBoard, PeriodRequired, UnknownPeriod, UnknownOccurrence or OccurrenceGone."""


class StandingsImport(Protocol):
    """Imports standings. Implemented in write_path/batch_import.py."""

    async def take(
        self, board: str, source: str, decimals: int, rows: Sequence[SourceRow], *, by: str
    ) -> tuple[int, int, list[Refused]]:
        """How many rows were imported, and were before, and those that are left out. Raises
        UnknownBoard, GateIsOn, or OutcomeUnknown."""


class DeadLetterReader(Protocol):
    """Reads what could not be written. Implemented in pg/dead_letters.py."""

    async def list(
        self, names: Sequence[str] | None, limit: int, *, after: DeadPlace | None = None
    ) -> list[DeadLetter]:
        """Up to ``limit`` letters, the oldest first: those with these names, or any (None), that
        stand behind the place ``after``."""


class DeadLetterRetrier(Protocol):
    """Writes dead letters again. Implemented in workers/dead_letters.py."""

    async def retry(self, letter: DeadLetter, *, by: str) -> str | None:
        """None when the entry is in the ledger now, else the error that keeps it out."""


class AuditReader(Protocol):
    """Reads what administrators and operators did. Implemented in pg/audit_trail.py."""

    async def page(self, wanted: AuditFilter, *, before: int, limit: int) -> list[AuditEntry]:
        """Up to ``limit`` lines, newest first, with ids below ``before``."""


class ModelRecord(Protocol):
    """The gate's models. Implemented in pg/models.py."""

    async def list(self, boards: frozenset[str] | None) -> list[GateModel]:
        """The newest hundred that judge any of these boards (None: any), newest first."""

    async def board_of(self, version: int) -> str:
        """The board that the model is for; '' for all without one of their own. Raises NotFound."""

    async def activate(self, version: int, *, by: str) -> Activated:
        """Puts it in force on its board. Raises NotFound."""

    async def hold_back(self, version: int, *, by: str) -> HeldBack:
        """Takes it out of force, if it is. Raises NotFound."""


class SettingsReader(Protocol):
    """Reads boards' settings. Implemented in pg/board_settings.py."""

    async def get(self, board: str) -> BoardSettings:
        """Raises UnknownBoard."""


class WebhookRecord(Protocol):
    """Webhooks and their deliveries. What is about one webhook raises NotFound when there is none
    of this number. Implemented in pg/webhooks.py."""

    async def add(self, new: NewWebhook, secret: str, *, by: str) -> Webhook:
        """Every event that is recorded after this has returned is told to it. Raises
        TooManyWebhooks."""

    async def all(self) -> list[Webhook]:
        """The oldest first."""

    async def get(self, number: int) -> Webhook:
        """The webhook, as it fares now."""

    async def remove(self, number: int, *, by: str) -> None:
        """What was not delivered never will be."""

    async def rotate(self, number: int, secret: str, *, by: str) -> None:
        """From now on ``secret`` signs, and for a day the one before it, too."""

    async def deliveries(
        self, number: int, state: str | None, *, before: int | None, limit: int
    ) -> Sequence[tuple[int, Delivery]]:
        """Up to ``limit`` deliveries in the state (None: any), newest first, each with the number
        by which it is ordered, and those with numbers below ``before``."""

    async def retry(self, number: int, messages: Sequence[str] | None, *, by: str) -> int:
        """Gives dead deliveries, all or those with these ids, another day; how many."""
