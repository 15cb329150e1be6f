"""A season of one board with the tables as they were after each event: some lines of Python that
know the operators and the ties as the scripts do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.ledger import Entry
from scoreboard.wire.events import Event, decode_event
from tests.support.ledger_entries import event

Written = tuple[Event, Entry]


class Place(NamedTuple):
    """A user's total, as it is kept, and the number of the event that reached it."""

    total: int
    reached: int


Tables = dict[str, dict[str, Place]]


@dataclass
class Action:
    """An action: ``number`` is that of the event by which it counts, or was refused, ``scores`` the
    totals after it."""

    user: str
    name: str
    points: int
    where: Sequence[str]
    number: int
    status: str = "accepted"
    scores: dict[str, int] = field(default_factory=dict)
    reverted: int | None = None


@dataclass
class Season:
    """``post``, ``refuse``, ``approve`` and ``revert`` give the events; ``after`` has the tables
    after each (by the occurrence, '' of all time). Two events share a millisecond."""

    board: str
    start_ms: int
    rules: BoardSettings
    actions: list[Action] = field(default_factory=list)
    after: list[Tables] = field(default_factory=list)
    touched: list[tuple[str, set[str]]] = field(default_factory=list)  # user and tables, by event

    def ms(self, number: int) -> int:
        return self.start_ms + number // 2

    def post(self, user: str, points: int, where: Sequence[str]) -> Written:
        action = Action(user, f"a{len(self.after)}", points, where, len(self.after))
        self.actions.append(action)
        return self._accept(action)

    def refuse(self, user: str, points: int, where: Sequence[str]) -> Written:
        action = Action(user, f"a{len(self.after)}", points, where, len(self.after), "refused")
        self.actions.append(action)
        self._next(user, set())
        return self._event(action, "R", {})

    def approve(self, action: Action) -> Written:
        action.status, action.number = "accepted", len(self.after)
        return self._accept(action)

    def revert(self, action: Action) -> Written:
        taken = self._id(action.number)
        action.status, action.reverted = "reverted", len(self.after)
        tables = self._next(action.user, {"", *action.where})
        for name in ("", *action.where):
            left = self._left(tables[name], name, action)
            if left is None:
                del tables[name][action.user]
            else:
                tables[name][action.user] = left
        return self._event(action, "V", tables, e=taken, w="cheat")

    def totals_at(self, table: str, ms: int) -> dict[str, Place]:
        """The table as it was at the end of a millisecond."""
        number = 2 * (ms - self.start_ms) + 1
        return {} if number < 0 else self.after[min(number, len(self.after) - 1)][table]

    def order(self, table: str, ms: int) -> list[tuple[str, int]]:
        """Users with their totals as people see them, best first."""
        places = self.totals_at(table, ms).items()
        ordered = sorted(places, key=lambda one: (-one[1].total, one[1].reached))
        return [(user, place.total * self.rules.sign) for user, place in ordered]

    def _accept(self, action: Action) -> Written:
        number, tables = len(self.after), self._next(action.user, {"", *action.where})
        value = action.points * self.rules.sign
        for name in ("", *action.where):
            before = tables[name].get(action.user)
            total = value
            if before is not None and self.rules.operator == "sum":
                total = before.total + value
            elif before is not None and self.rules.operator == "best":
                total = max(before.total, value)
            if before is None or before.total != total:
                tables[name][action.user] = Place(total, number)
            action.scores[name] = total * self.rules.sign
        return self._event(action, "A", tables)

    def _left(self, rows: dict[str, Place], table: str, action: Action) -> Place | None:
        before = rows[action.user]
        if self.rules.operator == "sum":
            total = before.total - action.points * self.rules.sign
            return Place(total, len(self.after) - 1) if action.points else before
        left = [
            Place(one.points * self.rules.sign, one.number)
            for one in sorted(self.actions, key=lambda one: one.number)
            if one.user == action.user and one.status == "accepted" and table in ("", *one.where)
        ]
        if not left:
            return None
        if self.rules.operator == "last":
            return left[-1]
        return max(left, key=lambda one: (one.total, -one.reached))

    def _next(self, user: str, touches: set[str]) -> Tables:
        known = self.after[-1] if self.after else {name: {} for name in ("", "day:1", "week:1")}
        self.after.append({name: dict(rows) for name, rows in known.items()})
        self.touched.append((user, touches))
        return self.after[-1]

    def _event(self, action: Action, kind: str, tables: Tables, **body: Any) -> Written:
        number = len(self.after) - 1
        own = tables.get("", {}).get(action.user)
        moves = []
        for name in action.where if tables else ():
            place = tables[name].get(action.user)
            told = (None, None) if place is None else (place.total, self.start_ms + place.reached)
            moves.append(" ".join((name, *("-" if n is None else str(n) for n in (*told, None)))))
        written = event(
            self._id(number),
            *(action.user, action.name, action.points),
            kind=kind,
            score=None if own is None else own.total,
            reached=self.start_ms + (number if own is None else own.reached),
            moves=";".join(moves),
            board=self.board,
            **body,
        )
        return written if kind == "R" or own is not None else _left_none(written)

    def _id(self, number: int) -> str:
        return f"{self.ms(number)}-{number % 2}"


def _left_none(written: Written) -> Written:
    event_id, raw = written[1]
    entry = (event_id, {**raw, b"s": b"", b"k": b""})
    return decode_event(*entry), entry
