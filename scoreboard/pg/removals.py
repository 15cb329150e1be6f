"""Boards' removals: begun in one transaction, which nobody sees half of, then done bit by bit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from scoreboard.domain.boards import no_such_board
from scoreboard.domain.removals import Removal, RemovalKind, being_removed
from scoreboard.errors import Misconfigured
from scoreboard.pg import admin_audit
from scoreboard.pg.failures import translated
from scoreboard.pg.sql import statements
from scoreboard.wire.events import split_id

_sql = statements("removals")

CHUNK = 2_000  # rows that one transaction deletes
PATIENCE = 60.0  # seconds for a statement that deletes a chunk

# What is deleted of a board: the statement, and the key that comes before all others.
_SCORES: tuple[tuple[str, tuple[str | int, ...]], ...] = (
    ("actions", ("", "")),
    ("folded", ("", "", -1)),
    ("details", (-1,)),
    ("users", ("",)),
    ("users_of_occurrences", ("", "")),
    ("joins_of_occurrences", ("", "")),  # numbers of occurrences begin anew
    ("occurrences", ("", 0)),
    ("outside_events", (0,)),
    ("tops", ("", 0)),
    ("profile_changes", ("",)),
    ("reviews", (0,)),
)
_PARTS = {"clear": _SCORES, "delete": (*_SCORES, ("joins", ("",)), ("models", (0,)))}
_AUDITED = {"clear": "board_cleared", "delete": "board_deleted"}


class _Addressed(msgspec.Struct):
    """The part of an event's body that tells its board."""

    b: str


_addressed = msgspec.json.Decoder(_Addressed)


class Removals:
    """Every method raises Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def check_rights(self) -> None:
        """Raises Misconfigured when the service's role may not delete what has to go."""
        with translated():
            lacking = await self._pool.fetchval(_sql["lacking_rights"])
        if lacking:
            raise Misconfigured(
                "The service's role in Postgres may not delete boards: run `scoreboard migrate "
                "--grant-to ROLE` as the owner of the database.",
                words=f"It lacks DELETE on {', '.join(lacking)}.",
            )

    async def shards(self, board: str) -> list[str]:
        """The board's shards but the first that there are, or whose removal is not done."""
        with translated():
            return [row["board"] for row in await self._pool.fetch(_sql["shards"], board)]

    async def pending(self, board: str) -> Removal | None:
        """The board's removal that is not done."""
        with translated():
            removal = await _get(self._pool, board)
        return removal if removal and removal.doing else None

    async def abandoned(self, seconds: float) -> list[Removal]:
        """The removals that are not done, and on which nobody has worked for so long."""
        with translated():
            return [Removal(*row) for row in await self._pool.fetch(_sql["abandoned"], seconds)]

    async def begin(self, board: str, kind: RemovalKind, *, version: int, by: str) -> Removal:
        """From its commit on there is no such board; the audit has it. To be called under the lock
        of its partition, with the stream drained and the board fenced. Raises UnknownBoard."""
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                row = await connection.fetchrow(_sql["begin"], board, kind, version)
                if row is None:
                    raise no_such_board(board)
                *begun, settings = row
                removal = Removal(*begun)
                details = f'{{"settings":{settings},"version":{removal.version}}}'
                await admin_audit.record(
                    connection, _AUDITED[kind], by=by, board=board, details=details
                )
        return removal

    async def delete(self, removal: Removal) -> AsyncIterator[int]:
        """Deletes the board's rows, and tells of each transaction how many it deleted. Ends early
        when another process has finished the removal: the rows are then those of a new board."""
        assert removal.doing is not None
        for name, first in _PARTS[removal.doing]:
            last: Sequence[Any] | None = first
            while last is not None:
                async with self._working(removal) as (connection, _):
                    if connection is None:
                        return
                    row = await connection.fetchrow(
                        _sql[name], removal.board, CHUNK, *last, timeout=PATIENCE
                    )
                last = row and row[1:]
                if row:
                    yield row[0]
        async for count in self._drop_dead_letters(removal):
            yield count

    async def finish(self, removal: Removal, epoch: str) -> bool:
        """Marks the removal as done, and gives a board that was cleared its row back. ``epoch`` is
        the history of Redis in which nothing is left of it. Returns False when it was done
        already."""
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                if not await connection.fetchval(
                    _sql["finish"], removal.board, removal.version, epoch
                ):
                    return False
                if removal.doing == "clear":
                    await connection.execute(_sql["restore"], removal.board)
        return True

    async def _drop_dead_letters(self, removal: Removal) -> AsyncIterator[int]:
        """Drops the partition's dead letters that name the board and belong to what is removed."""
        last = ""
        while True:
            async with self._working(removal) as (connection, work):
                if connection is None:
                    return
                partition, *until = work
                rows = await connection.fetch(_sql["dead_letters"], partition, CHUNK, last)
                names = [
                    event_id
                    for event_id, fields, values in rows
                    if split_id(event_id) <= tuple(until)
                    and _board_of(fields, values) == removal.board
                ]
                if names:
                    await connection.execute(_sql["drop_dead_letters"], partition, names)
            if not rows:
                return
            last = rows[-1]["event_id"]
            yield len(names)

    @asynccontextmanager
    async def _working(self, removal: Removal) -> AsyncIterator[tuple[Any, Sequence[int]]]:
        """A transaction during which the removal is not finished, with the partition and the event
        up to which the board is gone. Without a connection when it is finished already."""
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                work = await connection.fetchrow(_sql["touch"], removal.board, removal.version)
                yield (connection, tuple(work)) if work else (None, ())


async def refuse_if_pending(connection: Any, board: str) -> Removal | None:
    """What is known of an earlier removal of the board. Raises Unavailable while one is not
    done."""
    removal = await _get(connection, board)
    if removal and removal.doing:
        raise being_removed(board, removal.doing)
    return removal


async def note_swept(connection: Any, board: str, epoch: str) -> None:
    """Keeps that nothing of the board is left in this history of Redis."""
    await connection.execute(_sql["swept"], board, epoch)


async def _get(connection: Any, board: str) -> Removal | None:
    row = await connection.fetchrow(_sql["get"], board)
    return None if row is None else Removal(*row)


def _board_of(fields: Sequence[bytes], values: Sequence[bytes]) -> str | None:
    """The board that a dead letter names, if it can be read that far."""
    try:
        body = dict(zip(fields, values, strict=True))[b"d"]
        return _addressed.decode(body).b
    except (KeyError, ValueError, msgspec.DecodeError):
        return None
