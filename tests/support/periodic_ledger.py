"""Events of a board with periods, and what is right after them: some lines of Python that know the
operators, for tests of the ledger alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.ledger import Entry
from scoreboard.wire.events import Event, decode_event
from tests.support.ledger_entries import BOARD, START_MS, fields, opened

Written = tuple[Event, Entry]
OCCURRENCES = ("day:1", "day:2", "week:1")
USERS = tuple(f"user{n}" for n in range(8))


@dataclass
class Action:
    """An accepted action, with the event that it counts by and the occurrences it counted in."""

    user: str
    name: str
    points: int
    event: str
    occurrences: Sequence[str]


@dataclass
class Book:
    """A season of one board: ``post`` and ``revert`` give the events, ``totals`` what is right."""

    rules: BoardSettings
    actions: list[Action] = field(default_factory=list)
    seen: set[tuple[str, str]] = field(default_factory=set)  # tables and their users
    events: int = 0

    def open(self) -> list[Written]:
        """The events that open all occurrences, which end one after the other."""
        return [
            opened(self._id(), "day", 1, START_MS, START_MS + 1_000, START_MS + 1_500),
            opened(self._id(), "week", 1, START_MS, START_MS + 7_000),
            opened(self._id(), "day", 2, START_MS + 1_000, START_MS + 2_000),
        ]

    def post(self, user: str, points: int, occurrences: Sequence[str]) -> Written:
        before = {name: self.total(self._table(name), user) for name in occurrences}
        action = Action(user, f"a{self.events}", points, self._id(), occurrences)
        self.actions.append(action)
        self.seen |= {(table, user) for table in (BOARD, *map(self._table, occurrences))}
        return self._event(action.event, "A", action, before)

    def revert(self, action: Action) -> Written:
        """Takes an action back, as a script does in tables that are open."""
        before = {name: self.total(self._table(name), action.user) for name in action.occurrences}
        self.actions.remove(action)
        return self._event(self._id(), "V", action, before, e=action.event, w="cheat")

    def repeat(self, action: Action) -> Written:
        """An action that counts again, by another attempt, since its receipt has expired."""
        before = {name: self.total(self._table(name), action.user) for name in action.occurrences}
        self.actions.append(action)
        event_id = self._id()
        return self._event(event_id, "A", action, before, attempt=event_id)

    def season(self, draw: random.Random, steps: int) -> list[Written]:
        """Random actions, in the first day or the second or in none, and some taken back."""
        written = self.open()
        for _ in range(steps):
            if self.actions and draw.random() < 0.2:
                written.append(self.revert(draw.choice(self.actions)))
            else:
                where = draw.choice((("day:1", "week:1"), ("day:2", "week:1"), ("week:1",), ()))
                written.append(self.post(draw.choice(USERS), draw.randint(-3, 9), where))
        return written

    def total(self, table: str, user: str) -> int | None:
        """As it is kept; None: no action is left, where the operator is not a sum."""
        points = [
            one.points * self.rules.sign
            for one in self.actions
            if one.user == user and table in (BOARD, *map(self._table, one.occurrences))
        ]
        if self.rules.operator == "sum":
            return sum(points) if points or (table, user) in self.seen else None
        if not points:
            return None
        return max(points) if self.rules.operator == "best" else points[-1]

    def totals(self) -> dict[tuple[str, str], int | None]:
        """Of all tables and users that ever counted."""
        return {place: self.total(*place) for place in self.seen}

    def _event(
        self, event_id: str, kind: str, action: Action, before: dict[str, int | None], **body: Any
    ) -> Written:
        reached = START_MS + self.events
        moves = []
        for name, previous in before.items():
            total = self.total(self._table(name), action.user)
            numbers = (total, None if total is None else reached, previous)
            moves.append(" ".join((name, *("-" if n is None else str(n) for n in numbers))))
        total = self.total(BOARD, action.user)
        raw = fields(
            *(action.user, action.name, action.points),
            kind=kind,
            score=total,
            reached=reached,
            moves=";".join(moves),
            **body,
        )
        if total is None:
            raw |= {b"s": b"", b"k": b""}
        entry = (event_id.encode(), raw)
        return decode_event(*entry), entry

    def _id(self) -> str:
        self.events += 1
        return f"{START_MS + self.events}-0"

    def _table(self, occurrence: str) -> str:
        return f"{BOARD}:{occurrence}"
