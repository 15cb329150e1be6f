"""The tables of occurrences that Redis has of a board, and how scripts are told of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from redis.asyncio import Redis

from scoreboard.domain.tables import occurrence_of, occurrence_table
from scoreboard.redisio.commands import run_script
from scoreboard.wire import scripts
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.known_periods import KnownPeriod
from scoreboard.wire.scripts import ScriptCall


async def read_state(
    redis: Redis, keyspace: Keyspace, board: str, tables: Iterable[str] = ()
) -> tuple[list[Any], dict[str, KnownPeriod]]:
    """The reply of lua/board_state.lua, and what it says of the board's periods. Raises Unavailable
    when Redis is away."""
    keys = keyspace.board(board)
    call = scripts.board_state(
        key_board=keys.board, key_hidden=keys.hidden, key_meta=keys.meta, key_players=keys.players
    )
    for table in tables:
        keys = keyspace.board(table)
        call.keys.extend(map(str.encode, (keys.board, keys.hidden, keys.meta, keys.players)))
    reply = await run_script(redis, call)
    texts = iter(reply[8])
    periods = {
        name.decode(): known
        for name, text in zip(texts, texts, strict=True)
        if (known := KnownPeriod.from_text(text))
    }
    return reply, periods


def tables_known(board: str, periods: Mapping[str, KnownPeriod]) -> dict[str, bool]:
    """The tables that Redis may have of a board with these periods, and whether it must have each:
    it does not once they are final."""
    tables = {}
    for period, known in periods.items():
        number = known.latest.number
        if number > 1:
            tables[occurrence_table(board, period, number - 1)] = known.before is not None
        tables[occurrence_table(board, period, number)] = not known.sealed
    return tables


def tell_tables(
    call: ScriptCall, keyspace: Keyspace, tables: Iterable[tuple[str, *tuple[str, ...]]]
) -> None:
    """Adds tables to the call, each with the arguments that the script wants of it
    (lua/lib_tables.lua)."""
    for table, *arguments in tables:
        keys = keyspace.board(table)
        names = (keys.board, keys.hidden, keys.meta, keys.channel, keys.players)
        call.keys.extend(map(str.encode, names))
        call.args.extend(map(str.encode, (occurrence_of(table) or "", *arguments)))
