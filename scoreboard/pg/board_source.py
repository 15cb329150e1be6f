"""A rebuild's reads and writes in Postgres, on a connection that holds the partition's lock. Where
a table is asked for, that is a board's table of all time, which has the board's name, or one of an
occurrence."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.kept_occurrences import KeptOccurrence
from scoreboard.domain.ledger import (
    LATE_DUPLICATE,
    BoardRecord,
    EventId,
    KeptAction,
    Player,
    TableMove,
    UserTotal,
)
from scoreboard.domain.removals import Removal
from scoreboard.domain.tables import board_of, occurrence_of
from scoreboard.errors import Misconfigured
from scoreboard.pg import installation, occurrences, removals
from scoreboard.pg.connection import chunks_of
from scoreboard.pg.failures import translated
from scoreboard.pg.sql import statements
from scoreboard.wire.moves import parse_move

_sql = statements("board_source")
CHUNK = 5_000
SILENCE = 30.0  # seconds for an answer that Postgres can give at once
STATEMENT_PATIENCE = 600.0  # seconds for an answer that needs a pass over a large board


class BoardSource:
    """Boards of one partition as the ledger knows them. Every method raises Unavailable when
    Postgres is away or does not answer for SILENCE seconds, or for STATEMENT_PATIENCE seconds where
    a statement goes through a whole board before its first row."""

    def __init__(self, connection: Any, partition: int) -> None:
        self._connection = connection
        self._partition = partition

    async def record(self, board: str) -> BoardRecord | None:
        """The board's row, or None when there is no such board."""
        row = await self._run(self._connection.fetchrow, "board", board, self._partition)
        if row is None:
            return None
        return BoardRecord(
            row["settings"],
            row["version"],
            EventId(row["event_ms"], row["event_seq"]),
            EventId(row["partition_ms"], row["partition_seq"]),
            row["has_users"],
            row["whole_below"],
        )

    async def check_partitions(self, count: int) -> None:
        """Raises Misconfigured when the data has, or is about to have, another number of
        partitions: it was changed while this process ran."""
        kept = await self._run(self._connection.fetchval, "partitions")
        if kept not in (None, count):
            raise Misconfigured(
                "The number of partitions was changed.",
                words=f"Start this process again with SCOREBOARD_PARTITIONS={kept}.",
            )

    async def removal(self, board: str) -> Removal | None:
        """An earlier removal of the board. Raises Unavailable, too, while one is not done."""
        with translated():
            return await removals.refuse_if_pending(self._connection, board)

    async def note_swept(self, board: str, epoch: str) -> None:
        """Keeps that no remains of the board are left in this history of Redis."""
        with translated():
            await removals.note_swept(self._connection, board, epoch)

    async def create(self, board: str, settings: str) -> None:
        """Creates the board, with the text of its settings and the installation's rule for ids."""
        with translated():
            ids = await installation.id_rule(self._connection, timeout=SILENCE)
        text = BoardSettings.from_text(settings).for_new_board(ids).to_text()
        await self._run(self._connection.execute, "create_board", board, self._partition, text)

    async def raise_version(self, board: str, version: int) -> None:
        """Raises the board's version to at least ``version``."""
        await self._run(self._connection.execute, "raise_version", board, version)

    async def has_lost_reverts(self, board: str) -> bool:
        """True when late duplicates of the board were never taken back in Redis. Only after the
        partition's stream has been drained."""
        return bool(await self._run(self._connection.fetchval, "has_lost_reverts", board))

    async def settle(self, board: str) -> None:
        """Leaves these late duplicates out of the totals of all open tables."""
        await self._run(
            self._connection.execute, "settle", board, LATE_DUPLICATE, timeout=STATEMENT_PATIENCE
        )

    async def correct(self, board: str) -> None:
        """Sets every total of all tables to what follows from the user's accepted actions that were
        not taken back. A final table that this changes, or whose ranks are not those of its totals,
        is ranked anew, and amended."""
        with translated():
            kept = await occurrences.kept_tables(self._connection, board)
        for table in (board, *(occurrence.table for occurrence in kept)):
            for name in ("correct", "place_again"):
                await self._run(self._connection.execute, name, table, timeout=STATEMENT_PATIENCE)

    async def occurrences(self, board: str) -> list[KeptOccurrence]:
        """The latest two of each of the board's periods, by period, the older one first."""
        with translated():
            return await occurrences.latest(self._connection, board)

    async def open_occurrences(self, board: str) -> list[KeptOccurrence]:
        """All of the board's occurrences that are not final."""
        with translated():
            return await occurrences.open_tables(self._connection, board)

    async def finalise(self, board: str, period: str, number: int) -> int | None:
        """Makes an occurrence final, in one transaction: stores the users' ranks, and the event for
        outsiders. Returns how many have a rank; None when it is final already. To be called with
        the stream drained, when no late duplicate waits to be taken back."""
        with translated():
            return await occurrences.finalise(
                self._connection, board, period, number, timeout=STATEMENT_PATIENCE
            )

    async def has_users(self, table: str) -> bool:
        """True when somebody has a total in the table."""
        return bool(await self._run(self._connection.fetchval, "has_users", table))

    async def totals(self, table: str) -> AsyncIterator[list[UserTotal]]:
        """All users of the table in chunks."""
        async for chunk in _chunks(self._connection, _sql["totals"], table):
            yield [UserTotal(*row) for row in chunk]

    async def changed_totals(self, table: str, since: EventId) -> AsyncIterator[list[UserTotal]]:
        """The users whose latest event is beyond ``since``."""
        async for chunk in _chunks(self._connection, _sql["changed_totals"], table, *since):
            yield [UserTotal(*row) for row in chunk]

    async def hidden_totals(self, table: str, users: list[str]) -> AsyncIterator[list[UserTotal]]:
        """The hidden users, and those listed in ``users``."""
        async for chunk in _chunks(self._connection, _sql["hidden_totals"], table, users):
            yield [UserTotal(*row) for row in chunk]

    async def players(self, table: str) -> AsyncIterator[list[Player]]:
        """All who are in, in chunks: who has ever counted, and who has joined."""
        async for chunk in players(self._connection, table):
            yield chunk

    async def receipts(self, board: str, since: EventId) -> AsyncIterator[list[KeptAction]]:
        """The actions whose latest event is beyond ``since``, in chunks."""
        async for chunk in receipts(self._connection, board, since):
            yield chunk

    async def _run(
        self,
        method: Callable[..., Awaitable[Any]],
        name: str,
        *args: Any,
        timeout: float = SILENCE,
    ) -> Any:
        with translated():
            return await method(_sql[name], *args, timeout=timeout)


async def receipts(connection: Any, board: str, since: EventId) -> AsyncIterator[list[KeptAction]]:
    """The board's actions whose latest event is beyond ``since``, in chunks. Raises Unavailable."""
    async for chunk in _chunks(connection, _sql["receipts"], board, *since):
        yield [kept_action(*row) for row in chunk]


async def players(connection: Any, table: str) -> AsyncIterator[list[Player]]:
    """All who are in a table, in chunks. Raises Unavailable."""
    async for chunk in _chunks(connection, _sql["players"], *_names(table)):
        yield [Player(*row) for row in chunk]


async def players_of(connection: Any, table: str, users: Sequence[str]) -> list[Player]:
    """Those of these users who are in. Raises Unavailable."""
    query = f"SELECT * FROM ({_sql['players']}) AS known WHERE user_id = ANY ($4::text[])"  # noqa: S608
    with translated():
        rows = await connection.fetch(
            query, *_names(table), list(users), timeout=STATEMENT_PATIENCE
        )
    return [Player(*row) for row in rows]


def _names(table: str) -> tuple[str, str, str | None]:
    return table, board_of(table), occurrence_of(table)


async def _chunks(connection: Any, query: str, *args: Any) -> AsyncIterator[list[Any]]:
    with translated():
        async for chunk in chunks_of(
            connection, query, *args, size=CHUNK, first=STATEMENT_PATIENCE, further=SILENCE
        ):
            yield chunk


def kept_action(
    user: str,
    action: str,
    kept: str,
    points: int,
    score: int | None,
    attempt: str,
    event_ms: int,
    event_seq: int,
    agents: list[str] | None,
    previous: int | None,
    tables: Sequence[str] | None,
) -> KeptAction:
    """A row of the view kept_action."""
    event = EventId(event_ms, event_seq)
    told, moves = tuple(agents or ()), moves_kept(tables)
    return KeptAction(user, action, kept, points, score, attempt, event, told, previous, moves)


def moves_kept(tables: Sequence[str] | None) -> tuple[TableMove, ...]:
    """The moves of a column ``tables``."""
    return tuple(map(parse_move, tables)) if tables else ()
