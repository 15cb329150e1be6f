"""Batches that only add new actions, which is what nearly all do: one statement writes and commits
such a batch, or those of several partitions. It does what the statements of ``ledger.sql`` do,
without the staging table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

from scoreboard.domain.ledger import VERSION_STRIDE
from scoreboard.pg.progress import Progress, board_marks
from scoreboard.pg.sql import statements
from scoreboard.wire.events import PERIODS, Event, EventKind

_sql = statements("plain_batches")
_ledger = statements("ledger")
MOST = 500  # events; from 1,000 on, COPY into the staging table takes less CPU than arrays
DATA_ERRORS = frozenset({"21", "22", "23", "54"})  # SQLSTATE classes that a row can cause
_VALUES = 12  # arrays of staged values, the statement's first arguments


def _statement(insert: str, asks: int, partitions: str) -> str:
    """The statement around one of the ledger's inserts, which has ``asks`` arguments of its own,
    for ``one`` partition or for ``several``. ON CONFLICT is left out: it costs each row a look and
    a record in the log, and here an action that is known already is an error."""
    plain = insert.removesuffix("ON CONFLICT DO NOTHING")
    of_insert = re.sub(r"\$(\d)", lambda number: f"${int(number[1]) + _VALUES}", plain)
    text = _sql["write"].format(
        insert_actions=of_insert,
        advance_totals=_ledger["advance_totals"],
        board_marks=_sql[f"board_marks_of_{partitions}"],
        partition_marks=_sql[f"partition_marks_of_{partitions}"],
    )
    return re.sub(r"\$m(\d)", lambda number: f"${int(number[1]) + _VALUES + asks}", text)


_write, _write_several = (
    _statement(_ledger["insert_actions"], 0, partitions) for partitions in ("one", "several")
)
_write_unknown, _write_several_unknown = (
    _statement(_ledger["insert_unknown"], 2, partitions) for partitions in ("one", "several")
)


def fits(events: Sequence[Event]) -> bool:
    """Whether these could be such a batch: at most MOST accepted actions about which nobody has to
    decide, on boards without periods."""
    return len(events) <= MOST and all(
        event.kind is EventKind.ACCEPTED
        and event.body.v != PERIODS
        and event.body.f is msgspec.UNSET
        and not event.moves
        for event in events
    )


async def write(
    connection: Any,
    batches: Mapping[int, Sequence[Event]],
    progress: Progress,
    reach: int,
    timeout: float | None,
) -> bool:
    """Commits batches by their partitions, which are behind the ``progress`` of these and for which
    ``fits`` is true. Actions are known up to ``reach`` ms before them. When one is known already,
    when a board was made live after its events, or Postgres refuses something of it, nothing is
    written at all, and this is False; other errors of Postgres pass unchanged."""
    events = [event for batch in batches.values() for event in batch]
    asked: tuple[int, ...] = ()
    if progress.older:  # there are events that other parts of the ledger have
        known_from = max(0, min(batch[0].ms for batch in batches.values()) - reach)
        asked = progress.older, known_from
    boards, partitions, *marks = board_marks(batches)
    lasts = [(partition, batch[-1].ms, batch[-1].seq) for partition, batch in batches.items()]
    of_boards: tuple[Any, ...]
    of_partitions: tuple[Any, ...]
    if len(lasts) == 1:  # for which Postgres has less to do
        statement = _write_unknown if asked else _write
        of_boards, of_partitions = (boards, lasts[0][0], *marks), lasts[0]
    else:
        statement = _write_several_unknown if asked else _write_several
        of_boards, of_partitions = (boards, partitions, *marks), tuple(zip(*lasts, strict=True))
    try:
        await connection.execute(
            statement,
            *zip(*map(values_of, events), strict=True),
            *asked,
            *of_boards,
            VERSION_STRIDE // 2,
            *of_partitions,
            timeout=timeout,
        )
    except asyncpg.PostgresError as error:
        if (error.sqlstate or "")[:2] in DATA_ERRORS:
            return False
        raise
    return True


def values_of(event: Event) -> tuple[Any, ...]:
    """What is staged of an action, from its board to its context, in order of the columns."""
    body = event.body
    return (
        body.b,
        body.u,
        body.a,
        body.p,
        event.score,
        event.ms,
        event.seq,
        event.reached_ms,
        event.previous,
        None if body.i is msgspec.UNSET else body.i,
        body.t,
        None if body.c is msgspec.UNSET else bytes(body.c).decode(),
    )
