"""Snapshots of a table: what an export says of itself, and the columns of its rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from scoreboard.domain.boards import Operator, Order, RankStyle

What = Literal["standings", "actions"]
Kind = Literal["number", "degrees", "text", "moment"]


class Column(NamedTuple):
    """A column of an export. Its name is that of files of actions; a ``moment`` is a datetime in
    UTC, all but ``user_id`` and ``action_id`` may be null."""

    name: str
    kind: Kind

    @property
    def camel(self) -> str:
        """The name as the API's JSON has it."""
        first, *others = self.name.split("_")
        return first + "".join(map(str.capitalize, others))


# Best first, without users who are hidden.
STANDINGS = (
    Column("rank", "number"),
    Column("user_id", "text"),
    Column("score", "number"),
    Column("reached_at", "moment"),
)

# In the order of their events. ``ts`` is the action's own time in Unix ms, as in files of actions;
# ``score`` the user's total in the table after it, where that is known; ``status`` is accepted,
# refused or reverted: what is accepted adds up to the standings. ``event`` and ``reverted_by`` are
# ids of events, ``occurrences`` those of periods in which it counted (``week:12 day:80``).
ACTIONS = (
    Column("ts", "number"),
    Column("user_id", "text"),
    Column("action_id", "text"),
    Column("points", "number"),
    Column("score", "number"),
    Column("status", "text"),
    Column("event", "text"),
    Column("reverted_by", "text"),
    Column("occurrences", "text"),
    Column("latitude", "degrees"),
    Column("longitude", "degrees"),
    Column("country", "text"),
    Column("device_id", "text"),
    Column("user_agent", "text"),
    Column("ip", "text"),
    Column("action_type", "text"),
)

COLUMNS: dict[What, tuple[Column, ...]] = {"standings": STANDINGS, "actions": ACTIONS}


Rows: TypeAlias = AsyncIterator[list[tuple[Any, ...]]]  # in chunks, with a value for each column


class Wanted(NamedTuple):
    """What is to be exported: of a board's table of all time, or of an occurrence of a period
    (None: the latest that has started)."""

    board: str
    what: What
    period: str | None = None
    occurrence: int | Literal["previous"] | None = None


class Snapshot(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """The head of an export: of which table it is, how many ``rows`` follow, and the board's rules.
    ``watermark`` is the id of the last event of the board that it has (with shards: up to which it
    has all of each), ``at`` when it was taken;
    ``detail_from`` the moment from which on it has all actions, if older ones are not kept."""

    board: str
    period: str | None = None
    occurrence: int | None = None
    what: What
    watermark: str
    at: datetime
    rows: int
    operator: Operator
    order: Order
    decimals: int
    rank_style: RankStyle
    detail_from: datetime | None = None

    def to_text(self) -> str:
        """As JSON, in one line."""
        return msgspec.json.encode(self).decode()
