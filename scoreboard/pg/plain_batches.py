"""Batches that only add new actions, which is what nearly all do: one statement writes and commits
such a batch. It does what the statements of ``ledger.sql`` do, without the staging table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from scoreboard.pg.sql import statements
from scoreboard.wire.events import PERIODS, Event, EventKind

_ledger = statements("ledger")
MOST = 500  # events; from 1,000 on, COPY into the staging table takes less CPU than arrays
_VALUES = 12  # arrays of staged values, the statement's first arguments


def _statement(insert: str, asks: int) -> str:
    """The statement around one of the ledger's inserts, which has ``asks`` arguments of its own.
    ON CONFLICT is left out: it costs each row a look and a record in the log, and here an action
    that is known already is an error."""
    plain = insert.removesuffix("ON CONFLICT DO NOTHING")
    of_insert = re.sub(r"\$(\d)", lambda number: f"${int(number[1]) + _VALUES}", plain)
    text = statements("plain_batches")["write"].format(
        insert_actions=of_insert, advance_totals=_ledger["advance_totals"]
    )
    return re.sub(r"\$m(\d)", lambda number: f"${int(number[1]) + _VALUES + asks}", text)


_write = _statement(_ledger["insert_actions"], 0)
_write_unknown = _statement(_ledger["insert_unknown"], 2)


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
    events: Sequence[Event],
    marks: Sequence[Any],
    asked: tuple[int, int] | None,
    timeout: float | None,
) -> None:
    """Commits events for which ``fits`` is true. ``marks`` are the arguments about their boards,
    the last of them by how much a board's version may be ahead. ``asked`` says between which
    moments (Unix ms) older events are searched for the same actions; None: there are no older
    ones. When an action is known already, or a board's version is further ahead, it writes nothing
    and raises an error of Postgres's class 22 or 23; other errors of Postgres pass unchanged."""
    rows = zip(*map(values_of, events), strict=True)
    statement = _write if asked is None else _write_unknown
    await connection.execute(
        statement, *rows, *(asked or ()), *marks, events[-1].ms, events[-1].seq, timeout=timeout
    )


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
