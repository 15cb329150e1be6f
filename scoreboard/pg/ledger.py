"""Writes the ledger: one transaction per batch, in set-based statements, safe to repeat; in one
statement where a batch only adds new actions."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec

from scoreboard.domain.ledger import (
    VERSION_STRIDE,
    DeadEntry,
    Entry,
    EventId,
    LateDuplicate,
    LockHolder,
    Overtaken,
    Written,
)
from scoreboard.domain.removals import being_removed
from scoreboard.pg import erased_events, plain_batches
from scoreboard.pg.board_source import BoardSource, kept_action, moves_kept
from scoreboard.pg.failures import translated
from scoreboard.pg.partition_locks import AdvisoryLocks, OnWait, log_wait
from scoreboard.pg.progress import LATEST, Progress, board_marks, progress_of
from scoreboard.pg.shared_batches import SharedSession
from scoreboard.pg.sql import statements
from scoreboard.wire.events import PERIODS, Event, EventKind, split_id
from scoreboard.wire.moves import move_text

if TYPE_CHECKING:
    from scoreboard.telemetry.tracing import Tracer

_sql = statements("ledger")
_COLUMNS = (
    "kind",
    "board",
    "user_id",
    "action_id",
    "points",
    "score",
    "event_ms",
    "event_seq",
    "reached_ms",
    "previous",
    "occurred_ms",
    "attempt_id",
    "context",
    "findings",
    "taken_ms",
    "taken_seq",
    "reason",
)
_COLUMNS_OF_PERIODS = (*_COLUMNS, "tables", "amends", "opened")
MAX_OPEN_CONFLICTS = 10  # of a user on a board; further ones are counted on the newest case
BATCH_PATIENCE = 60.0  # seconds for a statement of a batch: a busy database may take its time


class Ledger:
    """The durable record, partition by partition. ``lock_patience`` is how many seconds to wait for
    a partition that another process works on; ``on_wait`` is told whom. Where the ledger has parts,
    an action counts once in ``reach`` seconds (None: ever). ``tracer`` makes the spans of commits,
    where there are traces."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        *,
        lock_patience: float = 30.0,
        on_wait: OnWait = log_wait,
        reach: float | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._pool = pool
        self._reach = LATEST if reach is None else round(reach * 1000)
        self._tracer = tracer
        self.locks = AdvisoryLocks(pool, patience=lock_patience, on_wait=on_wait)

    async def knows(self, board: str) -> bool:
        """True when there is such a board. Raises Unavailable while it is being removed, too."""
        with translated():
            known, doing = await self._pool.fetchrow(_sql["knows"], board)
        if doing is not None:
            raise being_removed(board, doing)
        return bool(known)

    async def has_counted(self, board: str, actions: Sequence[tuple[str, str]]) -> bool:
        """True when the ledger has all ``actions``, distinct (user, action id) pairs, as
        accepted."""
        users, ids = zip(*actions, strict=True)
        with translated():
            found = await self._pool.fetchval(_sql["count_accepted"], board, users, ids)
        return bool(found == len(actions))

    @asynccontextmanager
    async def locked(self, partition: int) -> AsyncIterator[LedgerSession]:
        """Holds the partition's advisory lock and gives what may be done under it, by statements
        that may take longer than the pool allows. Raises Unavailable when Postgres is away, or when
        another process still holds the lock after ``lock_patience``."""
        async with self._session(partition, BATCH_PATIENCE) as session:
            await self.locks.take(session.connection, partition)
            yield session

    @asynccontextmanager
    async def locked_if_free(self, partition: int) -> AsyncIterator[LedgerSession | None]:
        """Like ``locked``, but gives None when another process holds the lock, and each statement
        may take only as long as the pool allows, since here they write batches."""
        async with self._session(partition, None) as session:
            free = await self.locks.take_if_free(session.connection, partition)
            yield session if free else None

    @asynccontextmanager
    async def locked_where_free(self, partitions: Sequence[int]) -> AsyncIterator[SharedSession]:
        """Holds the locks of those of the partitions that no other process works on, and gives what
        may be done under them. Raises Unavailable when Postgres is away."""
        async with AsyncExitStack() as opened:
            with translated():
                connection = await opened.enter_async_context(self._pool.acquire())
            had = await self.locks.take_free(connection, partitions)
            yield SharedSession(connection, had, self._reach, self._tracer)

    async def holder(self, partition: int) -> LockHolder | None:
        """Who holds the partition's lock now. Raises Unavailable."""
        return await self.locks.holder(partition)

    @asynccontextmanager
    async def _session(self, partition: int, timeout: float | None) -> AsyncIterator[LedgerSession]:
        # The pool's reset releases the lock; a broken connection has lost it already.
        async with AsyncExitStack() as opened:
            with translated():
                connection = await opened.enter_async_context(self._pool.acquire())
                await connection.execute(_sql["prepare_session"])
            yield LedgerSession(connection, partition, timeout, self._reach, self._tracer)


class LedgerSession:
    """A connection that holds a partition's lock. ``timeout`` bounds each statement of a batch, in
    seconds; None means the pool's own timeout. ``reach`` is how far back an action is known, ms."""

    def __init__(
        self,
        connection: Any,
        partition: int,
        timeout: float | None,
        reach: int,
        tracer: Tracer | None = None,
    ) -> None:
        self.connection = connection
        self.partition = partition
        self._timeout = timeout
        self._reach = reach
        self._tracer = tracer
        self.source = BoardSource(connection, partition)

    async def write(
        self,
        events: Sequence[tuple[Event, Entry]],
        dead: Sequence[DeadEntry],
        *,
        current: bool = True,
    ) -> Written:
        """Commits a batch, in the order of its events, and its dead letters.

        An event that Postgres refuses is found by halving the batch and joins the dead letters;
        one of an erased player is left out. Writing a batch a second time changes nothing. Raises
        Unavailable when Postgres is away, and Overtaken for a batch with an event of a board that
        was made live after it, unless it is known to be of the ``current`` history of Redis.
        """
        began = time.time_ns()
        written = await self._write(events, dead, current)
        if self._tracer is not None:
            self._tracer.committed(
                {event.body.x for event, _ in events if event.body.x},
                partition=self.partition,
                events=len(events),
                began=began,
            )
        return written

    async def _write(
        self, events: Sequence[tuple[Event, Entry]], dead: Sequence[DeadEntry], current: bool
    ) -> Written:
        with translated():
            progress = await self._progress(events[-1][0].ms if events else 0)
            kept, dead, erased = await erased_events.leave_out(
                self.connection, events, dead, progress.secret, timeout=self._timeout
            )
            whole = len(kept) == len(events) and not dead
            if whole and await self._write_plain([event for event, _ in kept], progress):
                return Written([], [], new=True, plain=True)
            try:
                async with self.connection.transaction():
                    late, inserted = await self._merge([event for event, _ in kept], current)
                    await self._finish(events, dead)
                    new = inserted == sum(event.kind in _ACTIONS for event, _ in kept)
                    return Written(late, list(dead), erased, new)
            except _DataFailure:
                async with self.connection.transaction():
                    written = await self._merge_by_halves(kept, current)
                    written.dead.extend(dead)
                    await self._finish(events, written.dead)
                    return written._replace(erased=erased)

    async def _progress(self, ms: int) -> Progress:
        return await progress_of(self.connection, [self.partition], ms, self._timeout)

    async def _write_plain(self, events: Sequence[Event], progress: Progress) -> bool:
        """Whether the batch only added new actions, and is committed."""
        return (
            bool(events)
            and progress.is_behind(self.partition, events[0])
            and plain_batches.fits(events)
            and await plain_batches.write(
                self.connection, {self.partition: events}, progress, self._reach, self._timeout
            )
        )

    async def _merge_by_halves(
        self, events: Sequence[tuple[Event, Entry]], current: bool
    ) -> Written:
        try:
            async with self.connection.transaction():  # a savepoint
                late, _ = await self._merge([event for event, _ in events], current)
                await self.connection.execute("DELETE FROM staged", timeout=self._timeout)
                return Written(late, [])
        except _DataFailure as failure:
            if len(events) == 1:
                return Written([], [DeadEntry(events[0][1], str(failure))])
        middle = len(events) // 2
        first = await self._merge_by_halves(events[:middle], current)
        second = await self._merge_by_halves(events[middle:], current)
        return Written(first.late + second.late, first.dead + second.dead)

    async def _merge(
        self, events: Sequence[Event], current: bool
    ) -> tuple[list[LateDuplicate], int]:
        """The late duplicates, and how many actions became rows of the ledger."""
        if not events:
            return [], 0
        try:
            # What is taken back may have counted in a period that the board no longer has.
            periods = any(
                event.body.v >= PERIODS or event.kind is EventKind.REVERTED for event in events
            )
            await self.connection.copy_records_to_table(
                "staged",
                records=map(_row_of_periods if periods else _row, events),
                columns=_COLUMNS_OF_PERIODS if periods else _COLUMNS,
                timeout=self._timeout,
            )
            return await self._merge_staged(events, periods=periods, current=current)
        except asyncpg.InternalClientError:
            # Postgres said good-bye behind its last answer. asyncpg's COPY then leaves a future
            # behind that nobody reads and on which a rollback fails; a close settles it.
            await self.connection.close()
            raise
        except asyncpg.PostgresError as error:
            if (error.sqlstate or "")[:2] in plain_batches.DATA_ERRORS:
                raise _DataFailure(str(error)) from error
            raise
        except (OverflowError, UnicodeError, ValueError) as error:
            raise _DataFailure(str(error)) from error  # a value that has no binary form

    async def _merge_staged(
        self, events: Sequence[Event], *, periods: bool, current: bool
    ) -> tuple[list[LateDuplicate], int]:
        execute = partial(self.connection.execute, timeout=self._timeout)
        late: list[LateDuplicate] = []
        inserted = 0
        progress = await self._progress(events[-1].ms)
        behind, older = progress.behind[self.partition], progress.older
        known_from = max(0, events[0].ms - self._reach)
        if not progress.is_behind(self.partition, events[0]):
            if older is not None:
                # The ledger may have the actions under later events, or far earlier ones.
                older, known_from = LATEST, 0
            rows = await self.connection.fetch(_sql["leave_removed"], timeout=self._timeout)
            gone = {(ms, seq) for ms, seq in rows}
            events = [event for event in events if (event.ms, event.seq) not in gone]
            if not events:
                return [], 0
            await execute(_sql["add_overtaken"], *behind, self.partition)
        kinds = {event.kind for event in events}
        if EventKind.OPENED in kinds:
            await execute(_sql["open_occurrences"])
        actions = sum(event.kind in _ACTIONS for event in events)
        if actions:
            if older:
                done = await execute(_sql["insert_unknown"], older, known_from)
            else:
                done = await execute(_sql["insert_actions"])
            inserted = int(done.rpartition(" ")[2])
            if inserted < actions:
                await execute(_sql["approve_refused"])
                rows = await self.connection.fetch(
                    _sql["late_duplicates"], *behind, timeout=self._timeout
                )
                late = [_late_duplicate(row) for row in rows]
                if late:
                    await execute(_sql["record_late_duplicates"], *behind)
        if kinds & _COUNTED:
            await execute(_sql["advance_totals"])
            if periods:
                await execute(_sql["advance_tables"])
        if EventKind.JOINED in kinds:
            await execute(_sql["insert_joins"])
        if EventKind.REVERTED in kinds:
            await execute(_sql["mark_reverted"])
            await execute(_sql["settle_reverted"])
        if periods and (
            EventKind.REVERTED in kinds
            or await self.connection.fetchval(
                _sql["any_final"], _tables_named(events), timeout=self._timeout
            )
        ):
            await execute(_sql["amend_final"])
        if kinds & _ALWAYS_REVIEWED or any(e.body.f is not msgspec.UNSET for e in events):
            await execute(_sql["record_reviews"], MAX_OPEN_CONFLICTS)
            if EventKind.CONFLICT in kinds:
                await execute(_sql["count_further"], *behind)
        marks = board_marks({self.partition: events})
        overtaken = await self.connection.fetchval(
            _sql["advance_boards"], *marks, VERSION_STRIDE // 2, timeout=self._timeout
        )
        if overtaken and not current:
            raise Overtaken
        return late, inserted

    async def _finish(
        self, events: Sequence[tuple[Event, Entry]], dead: Sequence[DeadEntry]
    ) -> None:
        for (event_id, fields), error in dead:
            await self.connection.execute(
                _sql["bury"],
                self.partition,
                event_id.decode(),
                list(fields),
                list(fields.values()),
                error.replace("\x00", "\\0"),
                timeout=self._timeout,
            )
        ids = [(event.ms, event.seq) for event, _ in events[-1:]]
        ids += [split_id(letter.entry[0]) for letter in dead]
        if not ids:
            return  # dead letters of an erased player alone
        highest = max(ids)
        if max(highest) < 2**63:
            await self.connection.execute(
                _sql["advance_partition"], self.partition, *highest, timeout=self._timeout
            )


class _DataFailure(Exception):
    """Postgres refuses some row of a batch."""


_ACTIONS = frozenset({EventKind.ACCEPTED, EventKind.REFUSED})
_COUNTED = frozenset({EventKind.ACCEPTED, EventKind.REVERTED})
_ALWAYS_REVIEWED = frozenset({EventKind.REFUSED, EventKind.CONFLICT})


def _row(event: Event) -> tuple[Any, ...]:
    body = event.body
    taken: tuple[int | None, int | None] = split_id(body.e) if body.e else (None, None)
    return (
        event.kind.value,
        *plain_batches.values_of(event),
        None if body.f is msgspec.UNSET else bytes(body.f).decode(),
        *taken,
        body.w or None,
    )


def _row_of_periods(event: Event) -> tuple[Any, ...]:
    opened = event.body.o
    return (
        *_row(event),
        [move_text(move) for move in event.moves] or None,
        list(event.body.m) or None,
        None if opened is msgspec.UNSET else [opened.n, opened.s, opened.e, opened.f],
    )


def _tables_named(events: Sequence[Event]) -> list[str]:
    named = {(event.body.b, move.occurrence) for event in events for move in event.moves}
    named |= {(event.body.b, occurrence) for event in events for occurrence in event.body.m}
    return [f"{board}:{occurrence}" for board, occurrence in named]


def _late_duplicate(row: asyncpg.Record) -> LateDuplicate:
    board, ms, seq, points, attempt, reached_ms, tables, *original = row
    event = EventId(ms, seq)
    kept = kept_action(*original)
    return LateDuplicate(board, event, points, attempt, reached_ms, kept, moves_kept(tables))
