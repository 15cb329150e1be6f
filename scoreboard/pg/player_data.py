"""All that Postgres has about a player, as of one moment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from scoreboard.domain.shards import sharded_board
from scoreboard.pg.connection import chunks_of
from scoreboard.pg.erased_events import whose
from scoreboard.pg.failures import translated
from scoreboard.pg.snapshots import snapshot
from scoreboard.pg.sql import statements

_sql = statements("player_data")

CHUNK = 1_000  # rows
PATIENCE = 60.0  # seconds for the first rows of a statement
OF_A_BOARD = ("totals", "actions", "folded", "cases", "joined", "days")
OF_ALL = ("decisions", "revocations", "events")


class PlayerData:
    """Every method raises Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def open(self, user: str) -> AsyncIterator[PlayerSnapshot]:
        """One moment. Holds a connection until it is left."""
        async with AsyncExitStack() as opened:
            with translated():
                connection = await opened.enter_async_context(snapshot(self._pool))
            # Not translated: what goes wrong from here on may be the receiver's.
            yield PlayerSnapshot(connection, user)


class PlayerSnapshot:
    """What there is of a player at one moment."""

    def __init__(self, connection: Any, user: str) -> None:
        self._connection = connection
        self._user = user

    async def boards(self) -> list[str]:
        """The boards that have something of the player."""
        with translated():
            rows = await self._connection.fetch(_sql["boards"], self._user, timeout=PATIENCE)
        return [row["board"] for row in rows]

    async def json(self, memory_of: Callable[[str], object]) -> AsyncIterator[bytes]:
        """All of it as one JSON object, in parts. ``memory_of`` gives what the agents remember of
        the player on a board."""
        user = self._user
        with translated():
            moment = await self._connection.fetchval(_sql["now"])
            profile = await self._connection.fetchval(_sql["profile"], user)
        yield b'{"userId":%b,"at":%b,"profile":%b,"boards":[' % (
            msgspec.json.encode(user),
            moment.encode(),
            (profile or "null").encode(),
        )
        for number, board in enumerate(await self.boards()):
            yield b'%b{"board":%b,"memory":%b' % (
                b"," if number else b"",
                msgspec.json.encode(sharded_board(board)),
                msgspec.json.encode(memory_of(board)),
            )
            for name in OF_A_BOARD:
                async for part in self._list(name, board, user):
                    yield part
            yield b"}"
        yield b"]"
        for name in OF_ALL:
            async for part in self._list(name, user):
                yield part
        yield b',"deadLetters":%b}' % msgspec.json.encode(await self._dead_letters())

    async def _list(self, name: str, *args: str) -> AsyncIterator[bytes]:
        yield b',"%b":[' % name.encode()
        first = True
        with translated():
            async for chunk in chunks_of(
                self._connection, _sql[name], *args, size=CHUNK, first=PATIENCE, further=PATIENCE
            ):
                text = ",".join(row[0] for row in chunk)
                yield (text if first else f",{text}").encode()
                first = False
        yield b"]"

    async def _dead_letters(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = []
        with translated():
            async for chunk in chunks_of(
                self._connection, _sql["dead_letters"], size=CHUNK, first=PATIENCE, further=PATIENCE
            ):
                for names, values in chunk:
                    fields = dict(zip(names, values, strict=False))
                    body = whose(fields)
                    if body is not None and body.u == self._user:
                        found.append(
                            {
                                name.decode(errors="replace"): value.decode(errors="replace")
                                for name, value in fields.items()
                            }
                        )
        return found
