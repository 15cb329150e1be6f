"""Leaderboards of a Nakama server, from its tables ``leaderboard`` and ``leaderboard_record``."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
from msgspec import UNSET, Raw

from scoreboard.domain.boards import Order
from scoreboard.domain.flaws import FieldFlaw
from scoreboard.domain.imports import Source, SourceRow
from scoreboard.domain.profiles import Profile
from scoreboard.errors import ConfigurationError, InvalidRequest
from scoreboard.pg.address import parse
from scoreboard.pg.connection import chunks_of, connect
from scoreboard.pg.failures import in_a_line, translated
from scoreboard.pg.sql import statements

_sql = statements("nakama")

CHUNK = 5_000  # records
TIMEOUT = 60.0  # seconds
FIRST_PATIENCE = 600.0  # seconds for the first records, before which all are put in order
VARIABLE = "--from-nakama"

_ASCENDING = 0

_LEFT_OUT = {
    "subscores": "subscores are left out; of equal scores the better one stands higher",
    "joined": "players have joined and not scored; they are left out",
    "earlier": "records of earlier resets are left out",
}


@asynccontextmanager
async def nakama_source(url: str, leaderboard: str, name: str) -> AsyncIterator[Source]:
    """The records of one leaderboard, as of one moment; of one that is reset, those since the
    latest reset. Raises InvalidRequest when there is no such leaderboard, ConfigurationError when
    the database has none, Unavailable when the server is away."""
    address = parse(url, variable=VARIABLE)
    with translated():
        connection = await connect(address, timeout=TIMEOUT, command_timeout=TIMEOUT)
    try:
        with translated():
            await connection.transaction(isolation="repeatable_read", readonly=True).start()
            source = await _source(connection, leaderboard, name)
        # Not translated: what goes wrong from here on may be of other servers.
        yield source
    finally:
        connection.terminate()


async def _source(connection: Any, leaderboard: str, name: str) -> Source:
    try:
        found = await connection.fetchrow(_sql["leaderboard"], leaderboard)
        if found is None:
            raise InvalidRequest(f"Nakama has no leaderboard {leaderboard!r}.")
        expires = found["expires"]
        told = await connection.fetchrow(_sql["summary"], leaderboard, expires)
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
        raise ConfigurationError(
            f"{VARIABLE}: the database has no tables of Nakama: {in_a_line(error)}"
        ) from error
    order: Order = "asc" if found["sort_order"] == _ASCENDING else "desc"
    warnings = [f"{told[kind]:,} {what}" for kind, what in _LEFT_OUT.items() if told[kind]]
    if found["expired"]:
        warnings.append(f"the records expired at {expires:%Y-%m-%d %H:%M %Z}; there are none since")
    sign = -1 if order == "asc" else 1
    records = _records(connection, leaderboard, expires, sign, warnings)
    return Source(name, told["records"], records, order, warnings)


async def _records(
    connection: Any, leaderboard: str, expires: datetime, sign: int, warnings: list[str]
) -> AsyncIterator[Sequence[SourceRow]]:
    place = 0
    unfit: Counter[str] = Counter()
    with translated():
        async for chunk in chunks_of(
            connection,
            _sql["records"],
            *(leaderboard, expires, sign),
            size=CHUNK,
            first=FIRST_PATIENCE,
            further=TIMEOUT,
        ):
            yield [
                SourceRow(place + at, owner, score, _profile(username, metadata, unfit))
                for at, (owner, score, username, metadata) in enumerate(chunk, 1)
            ]
            place += len(chunk)
    warnings += [f"{count:,} {what}" for what, count in unfit.items()]


def _profile(username: str | None, metadata: str | None, unfit: Counter[str]) -> Profile | None:
    """The profile that a record makes, if any. What it can't hold is left out, and counted."""
    name, kept = None, Raw()
    if username:
        try:
            name = Profile(display_name=username).display_name
        except FieldFlaw:
            unfit["names are no names here, and left out"] += 1
    if metadata is not None:
        try:
            kept = Raw(metadata.encode())
            Profile(metadata=kept)
        except FieldFlaw:
            kept = Raw()
            unfit["records have metadata that a profile can't hold; it is left out"] += 1
    if name is None and not bytes(kept):
        return None
    return Profile(display_name=name, metadata=kept if bytes(kept) else UNSET)
