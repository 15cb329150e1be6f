"""What the workers need of Redis, whose room they may not import; ``assembly`` hands them what
fits. Unless a method says otherwise, it raises Unavailable when Redis is away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from scoreboard.domain.audit import PatrolReport
from scoreboard.domain.capacity_shares import Dealt, NotDealt, OtherTerm, Share
from scoreboard.domain.erasures import ErasedEvents
from scoreboard.domain.ledger import (
    BoardRecord,
    BoardState,
    Entry,
    EventId,
    Fenced,
    KeptAction,
    LateDuplicate,
    Player,
    UserTotal,
)
from scoreboard.domain.periods import Period
from scoreboard.domain.profiles import KnownProfile, Privacy
from scoreboard.domain.revocations import Revocation
from scoreboard.wire.known_periods import KnownPeriod

Scores = tuple[float | None, float | None]  # zset score shown, zset score hidden


class EventStream(Protocol):
    """A partition's stream. Whoever reads or acknowledges holds the partition's lock. Implemented
    in redisio/streams.py."""

    @property
    def partition(self) -> int:
        """Its number."""

    async def wait(self, timeout: float) -> None:
        """Returns when there is an entry, or after ``timeout`` seconds."""

    async def read(self, count: int) -> list[Entry]:
        """Up to ``count`` of the oldest entries, also such as a reader that died had read."""

    async def read_ahead(self, count: int, wait: float = 0.0) -> list[Entry]:
        """Up to ``count`` entries behind the last ``read``, which need not be acknowledged yet;
        none when none come within ``wait`` seconds."""

    async def find_again(self) -> None:
        """To be called when what was read may be from a server that another has replaced: the next
        read goes to the one that has the stream now."""

    async def acknowledge(self, ids: Sequence[bytes], awaited: Sequence[str] = ()) -> int:
        """Removes committed entries, the oldest of the stream; how many it still holds. Tells who
        waits for the attempts ``awaited`` that these are committed."""

    async def last_id(self) -> EventId:
        """The id of the latest entry ever appended; zero without a stream."""


class EventStreams(Protocol):
    """The streams of some partitions. Implemented in redisio/streams.py."""

    def __len__(self) -> int:
        """How many."""

    def __iter__(self) -> Iterator[EventStream]:
        """In order."""

    def __getitem__(self, place: int) -> EventStream:
        """That in this place."""

    async def lengths(self) -> Sequence[int]:
        """How many entries each holds. Raises Unavailable."""

    async def lengths_of(self, partitions: Sequence[int]) -> Mapping[int, int | Exception]:
        """How many entries each of these holds, or why that can't be known now. Raises nothing."""

    async def read_each(
        self, counts: Mapping[int, int]
    ) -> Mapping[int, Sequence[Entry] | Exception]:
        """Of each of these partitions up to so many of the oldest entries, or why they can't be
        read. Raises nothing."""

    async def acknowledge_each(
        self, committed: Mapping[int, tuple[Sequence[bytes], Sequence[str]]]
    ) -> Mapping[int, Exception | None]:
        """As ``EventStream.acknowledge`` does of one: of each of these partitions the entries' ids
        and the attempts that are awaited. Why it failed, or None. Raises nothing."""


class DuplicateReverter(Protocol):
    """Takes back in Redis what the ledger does not take. Implemented in redisio/reverter.py."""

    async def revert(self, duplicate: LateDuplicate) -> bool:
        """Must be called in the order of events. Returns False when it can't be done now; the
        board's next load will leave the action out."""

    async def take_out(self, events: ErasedEvents) -> None:
        """Takes an erased player off the board again."""


class TableDraft(Protocol):
    """A table under construction, a board's own or that of an occurrence. Implemented in
    redisio/loader.py."""

    async def add(self, totals: Sequence[UserTotal]) -> None:
        """Writes these users' totals into the draft."""

    async def add_players(self, players: Sequence[Player]) -> None:
        """Writes into the draft who is in: all, or none where the table keeps no count of them."""


class BoardDraft(TableDraft, Protocol):
    """A board under construction, with the tables of its occurrences; it changes the board only at
    ``finish``. Implemented in redisio/loader.py."""

    def table(self, table: str, *, swap: bool) -> TableDraft:
        """Begins the draft of an occurrence's table, with all its users (``swap``), or only with
        those whose latest changes it lacks. Raises nothing."""

    async def restore_receipts(self, actions: Sequence[KeptAction]) -> None:
        """Writes the receipts of these actions, each for the rest of its dedupe window."""

    async def finish(
        self,
        record: BoardRecord,
        *,
        version: int,
        event: EventId,
        periods: Mapping[str, KnownPeriod] | None = None,
    ) -> int:
        """Makes the board live and returns its version. ``event`` is the last event that it
        contains, ``periods`` what it has to know of its periods; tables that it had and that have
        no draft go. With None it keeps what it knows, and has. Raises Unavailable also when Redis
        changed meanwhile; the draft is then useless."""


class BoardLoader(Protocol):
    """A rebuild's side in Redis. Implemented in redisio/loader.py."""

    async def state(self, board: str) -> BoardState:
        """What Redis holds of the board."""

    async def hidden_users(self, table: str) -> list[str]:
        """The users who are hidden in Redis."""

    async def forget(self, board: str, tables: Iterable[str] = ()) -> None:
        """Makes the board cold: from then on nothing is read from it or written to it. These tables
        of its occurrences are forgotten as well."""

    def oldest_receipt(self, state: BoardState) -> EventId:
        """The id of an event whose receipt expired at ``state``. Raises nothing."""

    def begin(self, board: str, state: BoardState, *, swap: bool) -> BoardDraft:
        """A draft of the board: with all its users (``swap``), or only with those whose latest
        changes the fenced board lacks. Raises nothing."""


class CapacityShares(Protocol):
    """What shards have of their board's capacity. Implemented in redisio/capacity_shares.py. Every
    method raises BoardCold, too."""

    async def deal(
        self,
        table: str,
        *,
        term: int | None,
        returned: Sequence[Share | None],
        wanted: Sequence[int],
    ) -> Dealt | OtherTerm | NotDealt:
        """Deals out, for a table of the board, how many users more each shard wants, as far as
        there is room. ``returned`` is what each shard has after it gave back what it does not use,
        ``term`` one that all have entered, and that begins now."""

    async def hold(
        self, part: str, capacity: int, term: int, share: Share
    ) -> OtherTerm | NotDealt | None:
        """Gives a shard what it was dealt, in its part of a table."""

    async def give_back(
        self, part: str, capacity: int, term: int, number: int
    ) -> Share | OtherTerm | NotDealt:
        """Takes back what a shard has no user for, unless something was dealt to it after the deal
        of this ``number``. With 0 it enters the term."""


class BoardSweeper(Protocol):
    """Takes away what Redis holds of boards that were removed. Implemented in
    redisio/sweeper.py."""

    async def check_rights(self) -> None:
        """Raises Misconfigured when the service's user lacks a right that this needs."""

    async def sweep(self, board: str, version: int) -> str:
        """Unlinks all keys of a board that is not live and has a lower version, and returns the
        history of Redis in which none is left. Raises Unavailable, too, when that changed
        meanwhile, or a newer board has the name."""

    async def tell_gone(self, feeds: Sequence[str]) -> None:
        """Lets those who relay these boards, or the periods of one (``arena:week``), find out at
        once that what they have is gone."""


class ModeratedBoards(Protocol):
    """What moderation changes on boards. Every method may be repeated, and raises BoardCold when
    the board is not live. Implemented in redisio/moderation.py."""

    async def approve(
        self,
        board: str,
        event_format: int,
        action: KeptAction,
        *,
        tables: Sequence[str] = (),
        final: Sequence[str] = (),
    ) -> None:
        """Makes a refused action count: on the board, in the ``tables`` of occurrences, and by its
        event in the occurrences that are ``final`` (``week:12``). Raises ScoreOutOfRange."""

    async def revert(
        self,
        board: str,
        event_format: int,
        action: KeptAction,
        reason: str,
        fenced: Fenced | None = None,
    ) -> bool:
        """Takes an accepted action back; returns False when it no longer counts. Where the operator
        is not ``sum`` the board has to be fenced. Raises ScoreOutOfRange."""

    async def hide(self, board: str, user: str, hidden: bool, epoch: str) -> None:
        """Hides a user from a fenced board, or shows the user again, and makes the board live."""

    async def fence(self, board: str) -> str:
        """Makes the board answer nobody until ``set_settings`` or ``hide``, which want what this
        returns, or until its next load."""

    async def set_settings(self, board: str, settings: str, epoch: str) -> None:
        """Replaces the text of a fenced board's settings and makes the board live again."""

    async def forget_memory(self, board: str, user: str) -> None:
        """Drops the agents' memory of the user. Raises no BoardCold."""


class Clock(Protocol):
    """The clock that decides when occurrences end. Implemented in redisio/closing.py."""

    async def now_ms(self) -> int:
        """Unix milliseconds. Raises Unavailable while Redis is away."""


class ClosedBoards(Clock, Protocol):
    """The end of occurrences. Every method may be repeated, and raises BoardCold when the board is
    not live; the clock does not. Implemented in redisio/closing.py."""

    async def turn(
        self, board: str, period: str, following: KnownPeriod, *, follows: bool = False
    ) -> bool:
        """Opens a period's next occurrence, and tells live clients. False when there is nothing to
        open any more, or not yet. With ``follows``, for a board with shards, numbers may be
        skipped, and the occurrence may have ended already."""

    async def known(
        self, board: str, periods: Sequence[str]
    ) -> tuple[int, dict[str, KnownPeriod | None]]:
        """The board's time in Unix ms, and what it knows of each period; None: no occurrence."""

    async def open_due(self, board: str, period: Period) -> None:
        """Opens the period's first occurrence, or what follows on one that has ended, unless that
        is open already."""

    async def seal(self, board: str, period: str, number: int) -> bool:
        """Lets nothing count in an occurrence any more; False while latecomers may."""

    async def let_expire(self, table: str) -> None:
        """What Redis holds of an occurrence that is about to be final goes by itself, in a week if
        nothing else says when. Raises no BoardCold."""

    async def forget(self, table: str) -> None:
        """Unlinks what Redis holds of an occurrence that is final. Raises no BoardCold."""


class AuditedBoards(Protocol):
    """Boards' tables as they are in Redis, live or not. Implemented in redisio/board_audit.py."""

    async def scores(self, table: str, users: Sequence[str]) -> list[Scores]:
        """The zset scores of each user, in order."""

    async def users(self, table: str) -> int:
        """How many users the table has, shown and hidden."""

    async def attempts(self, table: str, users: Sequence[str]) -> list[int | None]:
        """How many actions of each user count for the table's limits; None for who is not in."""

    async def players(self, table: str) -> int:
        """How many users are in."""

    def joined(self, table: str) -> AsyncIterator[list[str]]:
        """All users who are in, in chunks; some may come twice."""

    async def periods(
        self, board: str, names: Sequence[str]
    ) -> tuple[int, dict[str, KnownPeriod | str]]:
        """The board's time in Unix ms, and what it knows of these periods, by their names. Where
        the text is not one that a script writes, that text."""

    def members(self, table: str) -> AsyncIterator[list[str]]:
        """All users of the table in chunks; some may come twice."""

    async def differing_receipts(
        self, board: str, actions: Sequence[KeptAction]
    ) -> list[tuple[KeptAction, str, str]]:
        """(action, receipt expected, receipt found or '') where the two differ."""


class FollowedBoards(Protocol):
    """Brings live boards in line with profiles. Implemented in redisio/followed_boards.py."""

    async def follow(
        self, board: str, *, hide: Sequence[str], show: Sequence[str], rename: Sequence[str]
    ) -> None:
        """Hides users and shows others again, in all tables of the board, and makes a new version
        of those whose top changes by that, or has somebody who is shown otherwise now. Again, it
        makes another version and changes nothing else. Raises BoardCold, too."""


class NewsSource(Protocol):
    """Delivers the news of profiles. Implemented in redisio/updates.py."""

    async def subscribe(self, board: str) -> None:
        """To be called once, with any name."""

    async def run(
        self, on_update: Callable[[str, bytes], None], on_resubscribed: Callable[[str], None]
    ) -> None:
        """Receives until cancelled: calls the first for each text, the second when some may have
        been lost."""


class ProfileNews(Protocol):
    """Tells all processes of changed profiles. Implemented in redisio/shared_profiles.py."""

    async def tell(self, known: KnownProfile) -> None:
        """Tells what is shown of a user from now on."""

    async def keep(self, privacy: Privacy) -> None:
        """Keeps it for processes that start while Postgres is away, unless what is kept says
        more."""


class RevocationNews(Protocol):
    """How processes learn of a revocation. Implemented in redisio/shared_revocations.py."""

    async def tell(self, revocation: Revocation) -> None:
        """Raises Unavailable when Redis is away."""


class PatrolReports(Protocol):
    """Where the continuous audit leaves its result. Implemented in redisio/patrol_reports.py."""

    async def now_ms(self) -> int:
        """Unix milliseconds by the clock that all processes share."""

    async def publish(self, report: PatrolReport, *, valid: float) -> None:
        """Keeps the report for ``valid`` seconds."""
