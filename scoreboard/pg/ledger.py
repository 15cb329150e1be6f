"""Writes the ledger: one transaction per batch, in set-based statements, safe to repeat."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
import msgspec

from scoreboard.domain.ledger import DeadEntry, Entry, EventId, LateDuplicate, Written
from scoreboard.errors import Unavailable
from scoreboard.pg.board_source import BoardSource, kept_action
from scoreboard.pg.pool import LOCK_SPACE, translated
from scoreboard.pg.sql import statements
from scoreboard.wire.events import Event, EventKind, split_id

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
    "occurred_ms",
    "attempt_id",
    "context",
    "findings",
    "taken_ms",
    "taken_seq",
    "reason",
)
BATCH_PATIENCE = 60.0  # seconds for a statement of a batch: a busy database may take its time
_DATA_ERRORS = frozenset({"21", "22", "23", "54"})  # SQLSTATE classes that a row can cause


class Ledger:
    """The durable record, partition by partition. ``lock_patience`` is how many seconds to wait for
    a partition that another process works on."""

    def __init__(self, pool: asyncpg.Pool, *, lock_patience: float = 30.0) -> None:
        self._pool = pool
        self._lock_patience = lock_patience

    async def knows(self, board: str) -> bool:
        """True when there is such a board."""
        with translated():
            return bool(await self._pool.fetchval(_sql["knows"], board))

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
            with translated():
                try:
                    await session.connection.execute(
                        "SELECT pg_advisory_lock($1, $2)",
                        LOCK_SPACE,
                        partition,
                        timeout=self._lock_patience,
                    )
                except TimeoutError:
                    raise Unavailable("Another process works on this partition.") from None
            yield session

    @asynccontextmanager
    async def locked_if_free(self, partition: int) -> AsyncIterator[LedgerSession | None]:
        """Like ``locked``, but gives None when another process holds the lock, and each statement
        may take only as long as the pool allows, since here they write batches."""
        async with self._session(partition, None) as session:
            with translated():
                free = await session.connection.fetchval(
                    "SELECT pg_try_advisory_lock($1, $2)", LOCK_SPACE, partition
                )
            yield session if free else None

    @asynccontextmanager
    async def _session(self, partition: int, timeout: float | None) -> AsyncIterator[LedgerSession]:
        with translated():
            connection = await self._pool.acquire()
        try:
            with translated():
                await connection.execute(_sql["prepare_session"])
            yield LedgerSession(connection, partition, timeout)
        finally:
            # The pool's reset releases the lock; a broken connection has lost it already.
            with translated():
                await self._pool.release(connection)


class LedgerSession:
    """A connection that holds a partition's lock. ``timeout`` bounds each statement of a batch, in
    seconds; None means the pool's own timeout."""

    def __init__(self, connection: Any, partition: int, timeout: float | None) -> None:
        self.connection = connection
        self.partition = partition
        self._timeout = timeout
        self.source = BoardSource(connection, partition)

    async def write(
        self, events: Sequence[tuple[Event, Entry]], dead: Sequence[DeadEntry]
    ) -> Written:
        """Commits a batch, in the order of its events, and its dead letters.

        An event that Postgres refuses is found by halving the batch and joins the dead letters.
        Writing a batch a second time changes nothing. Raises Unavailable when Postgres is away.
        """
        with translated():
            try:
                async with self.connection.transaction():
                    late = await self._merge([event for event, _ in events])
                    await self._finish(events, dead)
                    return Written(late, list(dead))
            except _DataFailure:
                async with self.connection.transaction():
                    written = await self._merge_by_halves(events)
                    written.dead.extend(dead)
                    await self._finish(events, written.dead)
                    return written

    async def _merge_by_halves(self, events: Sequence[tuple[Event, Entry]]) -> Written:
        try:
            async with self.connection.transaction():  # a savepoint
                late = await self._merge([event for event, _ in events])
                await self.connection.execute("DELETE FROM staged", timeout=self._timeout)
                return Written(late, [])
        except _DataFailure as failure:
            if len(events) == 1:
                return Written([], [DeadEntry(events[0][1], str(failure))])
        middle = len(events) // 2
        first = await self._merge_by_halves(events[:middle])
        second = await self._merge_by_halves(events[middle:])
        return Written(first.late + second.late, first.dead + second.dead)

    async def _merge(self, events: Sequence[Event]) -> list[LateDuplicate]:
        if not events:
            return []
        try:
            await self.connection.copy_records_to_table(
                "staged", records=map(_row, events), columns=_COLUMNS, timeout=self._timeout
            )
            return await self._merge_staged(events)
        except asyncpg.InternalClientError:
            # Postgres said good-bye behind its last answer. asyncpg's COPY then leaves a future
            # behind that nobody reads and on which a rollback fails; a close settles it.
            await self.connection.close()
            raise
        except asyncpg.PostgresError as error:
            if (error.sqlstate or "")[:2] in _DATA_ERRORS:
                raise _DataFailure(str(error)) from error
            raise
        except (OverflowError, UnicodeError, ValueError) as error:
            raise _DataFailure(str(error)) from error  # a value that has no binary form

    async def _merge_staged(self, events: Sequence[Event]) -> list[LateDuplicate]:
        execute = partial(self.connection.execute, timeout=self._timeout)
        late: list[LateDuplicate] = []
        kinds = {event.kind for event in events}
        actions = sum(event.kind in _ACTIONS for event in events)
        behind = await self.connection.fetchrow(
            _sql["progress"], self.partition, timeout=self._timeout
        ) or (0, 0)
        if (events[0].ms, events[0].seq) <= tuple(behind):
            await execute(_sql["add_overtaken"], *behind, self.partition)
        if actions:
            inserted = await execute(_sql["insert_actions"])
            if int(inserted.rpartition(" ")[2]) < actions:
                await execute(_sql["approve_refused"])
                rows = await self.connection.fetch(
                    _sql["late_duplicates"], *behind, timeout=self._timeout
                )
                late = [_late_duplicate(row) for row in rows]
                if late:
                    await execute(_sql["record_late_duplicates"], *behind)
        if kinds & _COUNTED:
            await execute(_sql["advance_totals"])
        if EventKind.REVERTED in kinds:
            await execute(_sql["mark_reverted"])
            await execute(_sql["settle_reverted"])
        if kinds & _ALWAYS_REVIEWED or any(e.body.f is not msgspec.UNSET for e in events):
            await execute(_sql["record_reviews"])
        await execute(_sql["advance_boards"], *_board_marks(events, self.partition))
        return late

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


def _text(raw: Any) -> str | None:
    return None if raw is msgspec.UNSET else bytes(raw).decode()


def _row(event: Event) -> tuple[Any, ...]:
    body = event.body
    taken: tuple[int | None, int | None] = split_id(body.e) if body.e else (None, None)
    return (
        event.kind.value,
        body.b,
        body.u,
        body.a,
        body.p,
        event.score,
        event.ms,
        event.seq,
        event.reached_ms,
        body.i or None,
        body.t,
        _text(body.c),
        _text(body.f),
        *taken,
        body.w or None,
    )


def _board_marks(events: Sequence[Event], partition: int) -> tuple[Any, ...]:
    """Arguments of advance_boards: per board the version after and the id of its last event."""
    marks: dict[str, tuple[int, int, int]] = {}
    for event in events:  # in the order of their ids
        version = event.version + 1
        known = marks.get(event.body.b)
        if known is not None and known[0] > version:
            version = known[0]
        marks[event.body.b] = (version, event.ms, event.seq)
    versions, ms, seq = zip(*marks.values(), strict=True)
    return list(marks), partition, versions, ms, seq


def _late_duplicate(row: asyncpg.Record) -> LateDuplicate:
    board, ms, seq, points, attempt, *original = row
    return LateDuplicate(board, EventId(ms, seq), points, attempt, kept_action(*original))
