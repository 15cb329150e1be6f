"""The tables of occurrences that Redis has of a board, and how scripts are told of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from redis.asyncio import Redis

from scoreboard.domain.tables import occurrence_of, occurrence_table
from scoreboard.errors import Unavailable
from scoreboard.redisio.commands import run_script
from scoreboard.wire import scripts
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.known_periods import KnownPeriod
from scoreboard.wire.scripts import ScriptCall


async def read_state(
    redis: Redis, keyspace: Keyspace, board: str, tables: Iterable[str] = ()
) -> list[Any]:
    """The reply of lua/board_state.lua. Raises Unavailable when Redis is away."""
    keys = keyspace.board(board)
    call = scripts.board_state(
        key_board=keys.board, key_hidden=keys.hidden, key_meta=keys.meta, key_players=keys.players
    )
    for table in tables:
        keys = keyspace.board(table)
        call.keys.extend(map(str.encode, (keys.board, keys.hidden, keys.meta, keys.players)))
    reply: list[Any] = await run_script(redis, call)
    return reply


async def tables_of(redis: Redis, keyspace: Keyspace, board: str) -> list[str]:
    """The tables that Redis may have of a board. Raises Unavailable when Redis is away, or the text
    of a period can't be read."""
    tables, unreadable = tables_known(board, await read_state(redis, keyspace, board))
    if unreadable is not None:
        raise unreadable
    return list(tables)


def tables_known(board: str, state: Sequence[Any]) -> tuple[dict[str, bool], Unavailable | None]:
    """The tables that Redis may have of a board, by this reply of ``read_state``, and whether each
    must be there, as all must that are not final. A period whose text can't be read is left out,
    and then there is an error that says so."""
    tables = dict[str, bool]()
    unreadable: Unavailable | None = None
    texts = iter(state[8])
    for name, text in zip(texts, texts, strict=True):
        try:
            known = KnownPeriod.from_text(text)
        except Unavailable as error:
            unreadable = error
            continue
        if known is None:
            continue
        period, number = name.decode(), known.latest.number
        if number > 1:
            tables[occurrence_table(board, period, number - 1)] = known.before is not None
        tables[occurrence_table(board, period, number)] = not known.sealed
    return tables, unreadable


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
