"""Exports: all rows of a table as they are at one moment, by a cursor of one transaction.

The moment is one between two batches of the persister, so the actions add up to the standings."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from scoreboard.domain.boards import BoardSettings, no_such_board
from scoreboard.domain.ledger import EventId
from scoreboard.domain.moments import moment_of
from scoreboard.domain.periods import is_period_name
from scoreboard.domain.shards import shard_names
from scoreboard.domain.snapshots import Rows, Snapshot, Wanted
from scoreboard.domain.tables import occurrence_table
from scoreboard.errors import OccurrenceGone, PeriodRequired, UnknownOccurrence, UnknownPeriod
from scoreboard.pg import admin_audit, removals
from scoreboard.pg.connection import chunks_of
from scoreboard.pg.failures import translated
from scoreboard.pg.snapshots import snapshot
from scoreboard.pg.sql import statements

_sql = statements("exports")

CHUNK = 2_000  # rows
FIRST_PATIENCE = 600.0  # seconds for the first rows, before which all may have to be put in order
PATIENCE = 30.0  # seconds for any other answer


class BoardExports:
    """Every method raises UnknownBoard, or Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def open(self, wanted: Wanted, *, by: str) -> AsyncIterator[tuple[Snapshot, Rows]]:
        """The head, and the rows in chunks, each as the columns of domain/snapshots.py want it. The
        audit has a line of it. Holds a connection and a snapshot of Postgres until it is left.
        Raises PeriodRequired, UnknownPeriod, UnknownOccurrence or OccurrenceGone."""
        async with AsyncExitStack() as opened:
            with translated():
                connection = await opened.enter_async_context(snapshot(self._pool))
                head, rules = await self._head(connection, wanted)
                await self._note(head, by)
            # Not translated: what goes wrong from here on may be the receiver's.
            yield (
                head,
                await opened.enter_async_context(aclosing(_rows(connection, head, rules))),
            )

    async def _head(self, connection: Any, wanted: Wanted) -> tuple[Snapshot, BoardSettings]:
        """The head, and the board's settings."""
        row = await connection.fetchrow(_sql["board"], wanted.board)
        if row is None:
            await removals.refuse_if_pending(connection, wanted.board)
            raise no_such_board(wanted.board)
        rules = BoardSettings.from_text(row["settings"])
        shared, number = rules.rank_style == "standard", None
        if wanted.period is not None:
            number, final = await _occurrence(connection, wanted, rules)
            shared = shared if final is None else final
        elif not rules.all_time:
            names = [period.name for period in rules.periods]
            raise PeriodRequired(
                f"The board has no table of all time; name a period: {', '.join(names)}.",
                periods=names,
            )
        head = Snapshot(
            board=wanted.board,
            period=wanted.period,
            occurrence=number,
            what=wanted.what,
            watermark=str(EventId(row["event_ms"], row["event_seq"])),
            at=row["at"],
            rows=0,
            operator=rules.operator,
            order=rules.order,
            decimals=rules.decimals,
            rank_style="standard" if shared else "ordinal",
            detail_from=moment_of(row["detail_from"])
            if wanted.what == "actions" and row["detail_from"]
            else None,
        )
        query = _statement(f"count_{wanted.what}", rules)
        arguments = _arguments(head, rules)
        rows = await connection.fetchval(query, *arguments, timeout=FIRST_PATIENCE)
        return msgspec.structs.replace(head, rows=rows), rules

    async def _note(self, head: Snapshot, by: str) -> None:
        """On a connection of its own, as the snapshot only reads."""
        async with self._pool.acquire() as connection:
            await admin_audit.record(
                connection, "board_exported", by=by, board=head.board, details=head.to_text()
            )


def _statement(name: str, rules: BoardSettings) -> str:
    """The statement about a board's rows; on a board with shards about those of all. Without shards
    there is no list of one board: for that, Postgres would not read the rows in order."""
    if rules.shard_count == 1:
        return _sql[name]
    return _sql[name].replace("board = $1", "board = ANY ($1)")


def _arguments(head: Snapshot, rules: BoardSettings) -> tuple[str | list[str] | None, ...]:
    """The arguments of such a statement."""
    name, occurrence = head.board, None
    if head.period is not None and head.occurrence is not None:
        occurrence = f"{head.period}:{head.occurrence}"
        if head.what == "standings":
            name = occurrence_table(head.board, head.period, head.occurrence)
    shards = rules.shard_count
    rows = name if shards == 1 else shard_names(name, shards)
    return (rows,) if head.what == "standings" else (rows, occurrence)


async def _occurrence(
    connection: Any, wanted: Wanted, rules: BoardSettings
) -> tuple[int, bool | None]:
    """The number that is wanted and, when it is final, whether equal totals share a rank in it."""
    assert wanted.period is not None
    if not is_period_name(wanted.period):
        raise UnknownPeriod("The board has no such period.")
    number = wanted.occurrence
    if not isinstance(number, int):
        latest = await connection.fetchval(_sql["latest"], wanted.board, wanted.period)
        if latest is None and rules.period(wanted.period) is None:
            raise UnknownPeriod("The board has no such period.")
        number = (latest or 0) - (number == "previous")
    table = occurrence_table(wanted.board, wanted.period, number)
    row = await connection.fetchrow(_sql["occurrence"], table)
    if row is None:
        raise UnknownOccurrence(f"The period {wanted.period} has had no such occurrence.")
    if row["pruned"]:
        raise OccurrenceGone("The users of this occurrence are no longer kept.")
    return number, row["shared"]


async def _rows(
    connection: Any, head: Snapshot, rules: BoardSettings
) -> AsyncGenerator[list[tuple[Any, ...]], None]:
    shared = head.rank_style == "standard"
    made = _standings(shared) if head.what == "standings" else _actions
    with translated():
        chunks = chunks_of(
            connection,
            _statement(head.what, rules),
            *_arguments(head, rules),
            size=CHUNK,
            first=FIRST_PATIENCE,
            further=PATIENCE,
        )
        async with aclosing(chunks):
            async for chunk in chunks:
                yield made(chunk, rules.sign)


def _actions(chunk: Sequence[Any], sign: int) -> list[tuple[Any, ...]]:
    return [
        (ts, user, action, points, None if score is None else score * sign, *others)
        for ts, user, action, points, score, *others in chunk
    ]


def _standings(shared: bool) -> Callable[[Sequence[Any], int], list[tuple[Any, ...]]]:
    """Numbers rows, of which one call may get a part: those of equal totals alike if ``shared``."""
    place, rank, last = 0, 0, None

    def made(chunk: Sequence[Any], sign: int) -> list[tuple[Any, ...]]:
        nonlocal place, rank, last
        rows = []
        for user, score, reached_at in chunk:
            place += 1
            if not shared or score != last:
                rank, last = place, score
            rows.append((rank, user, score * sign, reached_at))
        return rows

    return made
