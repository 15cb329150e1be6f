"""A board with periods in Python, against which tests/lua/test_periods_against_model.py holds the
scripts. Only the ids and times of events are Redis's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from operator import itemgetter

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.ledger import LeftTotal
from scoreboard.domain.stamps import reached_between, stamp, total_of
from scoreboard.domain.submissions import Outcome, PeriodMove, Result
from scoreboard.wire.events import Event, EventKind, split_id
from scoreboard.wire.receipts import Kept
from tests.lua.harness import Action

FAR = 9_000_000_000_000
HIDDEN, SHADOW = "shadow", 0.25  # a hidden user, and the stamp with which that one begins

# What an action does to a total, for each operator.
TOTAL: dict[str, Callable[[int | None, int], int]] = {
    "sum": lambda before, value: (before or 0) + value,
    "best": lambda before, value: value if before is None else max(before, value),
    "last": lambda before, value: value,
}


@dataclass
class Table:
    """The users of a ranking: total as it is kept and time of its stamp; how many actions; and the
    values of those that count, in the order in which they came, with the ms of their events."""

    stamps: dict[str, float] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    counted: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)

    def left(self, operator: str, user: str, without: str) -> LeftTotal:
        """What the ledger says of the user without an action, where the operator is not sum."""
        rest = [one for name, one in self.counted[user].items() if name != without]
        if not rest:
            return LeftTotal(None, None)
        return LeftTotal(*(max(rest, key=itemgetter(0)) if operator == "best" else rest[-1]))

    def parts(self) -> tuple[dict[str, float], dict[str, float]]:
        """The users who are shown, and those who are hidden."""
        hidden = {HIDDEN: self.stamps[HIDDEN]} if HIDDEN in self.stamps else {}
        return {name: value for name, value in self.stamps.items() if name != HIDDEN}, hidden

    def rank(self, user: str, style: str) -> int | None:
        shown, _ = self.parts()
        if user not in shown:
            return None
        own = shown[user]
        if style == "standard":
            return 1 + sum(total_of(value) > total_of(own) for value in shown.values())
        return 1 + sum((value, name) > (own, user) for name, value in shown.items())


@dataclass
class Span:
    """The latest occurrence of a period: its number, its start and, once it has ended, its end."""

    number: int = 1
    start: int = 0
    open: bool = True
    former: tuple[int, int] | None = None  # start and end of the one before


@dataclass
class Answered:
    """An action that left a receipt: what it says, the action's tables (``week:12``), and the
    answer to a repetition by the same attempt."""

    action: Action
    kept: Kept
    tables: list[str]
    event: str = ""
    result: Result | None = None


class Model:
    """A board with periods."""

    def __init__(self, rules: BoardSettings) -> None:
        self.rules = rules
        self.board = Table()
        self.tables: dict[str, Table] = {}
        self.spans = {period.name: Span() for period in rules.periods}
        self.answered: dict[tuple[str, str], Answered] = {}
        self.board.stamps[HIDDEN] = SHADOW
        self.board.counted[HIDDEN] = {"": (0, int(reached_between(SHADOW)[0]))}

    def takers(self, action: Action) -> dict[str, int]:
        """The occurrences in which an action counts, by period."""
        found = {}
        for period in self.rules.periods:
            span = self.spans[period.name]
            former = span.former if period.grace else None
            if former and action.late_ms is not None and former[0] <= action.late_ms < former[1]:
                found[period.name] = span.number - 1
            elif span.open:
                found[period.name] = span.number
        return found

    def bar(self, user: str, tables: list[Table]) -> Outcome | None:
        if not tables and not self.rules.all_time:
            return Outcome.BOARD_CLOSED
        for table in tables:
            known = user in table.attempts
            if known and table.attempts[user] >= (self.rules.attempts or FAR):
                return Outcome.ATTEMPTS_EXHAUSTED
            if not known and len(table.attempts) >= (self.rules.capacity or FAR):
                return Outcome.BOARD_FULL
        return None

    def submit(self, action: Action, appended: list[Event]) -> Result:
        name = (action.user, action.action)
        if known := self.answered.get(name):
            if known.action.points != action.points:
                return Result(Outcome.CONFLICT)
            if known.kept is Kept.REFUSED:
                return Result(Outcome.REFUSED, agents=("time",))
            assert known.result is not None
            if known.kept is Kept.ACCEPTED and known.action.attempt == action.attempt:
                return self.ranked(action.user, known.result)
            return Result(Outcome.DUPLICATE, known.result.score, None, known.event)
        going = [f"{period}:{number}" for period, number in self.takers(action).items()]
        tables = [self.tables.setdefault(one, Table()) for one in going]
        if bar := self.bar(action.user, tables):
            return Result(bar, opens_ms=FAR - 1 if bar is Outcome.BOARD_CLOSED else None)
        event = appended.pop(0)
        if action.verdict and action.verdict.refused_by:
            assert (event.kind, event.body.a) == (EventKind.REFUSED, action.action)
            self.answered[name] = Answered(action, Kept.REFUSED, going)
            return Result(Outcome.REFUSED, agents=("time",))
        return self.ranked(action.user, self.accept(action, going, event))

    def accept(self, action: Action, going: list[str], event: Event) -> Result:
        """The action counts in these tables, at once or by an approval."""
        assert (event.kind, event.body.a) == (EventKind.ACCEPTED, action.action)
        assert event.reached_ms is not None
        before = self.count(self.board, action, event.reached_ms, event)
        moves = []
        for occurrence, move in zip(going, event.moves, strict=True):
            assert move.occurrence == occurrence
            assert move.reached_ms is not None
            table = self.tables[occurrence]
            previous = self.count(table, action, move.reached_ms, event)
            table.attempts[action.user] = table.attempts.get(action.user, 0) + 1
            total = total_of(table.stamps[action.user])
            assert (move.score, move.previous) == (total, previous)
            period, _, number = occurrence.partition(":")
            shown = total * self.rules.sign
            moves.append(PeriodMove(period, int(number), shown, None, total != previous))
        total = total_of(self.board.stamps[action.user]) * self.rules.sign
        shown_before = None if before is None else before * self.rules.sign
        result = Result(
            *(Outcome.ACCEPTED, total, None, event.id),
            periods=tuple(moves),
            agents=(str(shown_before),),
        )
        self.answered[action.user, action.action] = Answered(
            action, Kept.ACCEPTED, going, event.id, result
        )
        return result

    def count(self, table: Table, action: Action, reached_ms: int, event: Event) -> int | None:
        old = table.stamps.get(action.user)
        before = None if old is None else total_of(old)
        value = action.points * self.rules.sign
        total = TOTAL[self.rules.operator](before, value)
        if total != before:
            table.stamps[action.user] = stamp(total, reached_ms)
        at = split_id(event.id)[0]
        table.counted.setdefault(action.user, {})[action.action] = (value, at)
        return before

    def take_back(self, known: Answered, event: Event) -> None:
        """The action counts nowhere any more."""
        action, user = known.action, known.action.user
        assert (event.kind, event.body.a) == (EventKind.REVERTED, action.action)
        assert [move.occurrence for move in event.moves] == known.tables
        told = [(event.score, event.reached_ms), *(move[1:3] for move in event.moves)]
        for name, (total, reached_ms) in zip(["", *known.tables], told, strict=True):
            table = self.tables[name] if name else self.board
            left = table.left(self.rules.operator, user, action.action)
            value, _ = table.counted[user].pop(action.action)
            if self.rules.operator == "sum":
                before = total_of(table.stamps[user])
                left = LeftTotal(before - value, reached_ms if value else None)
            assert total == left.total
            if left.total is None:
                del table.stamps[user]
            elif left.reached_ms is not None:
                table.stamps[user] = stamp(left.total, left.reached_ms)
            if name:
                table.attempts[user] -= 1
        known.kept, known.event = Kept.REVERTED, event.id

    def ranked(self, user: str, result: Result) -> Result:
        """The answer with the ranks of now; those of occurrences that are over are not told."""
        style, moves = self.rules.rank_style, []
        for move in result.periods:
            told = self.spans[move.period].number - move.occurrence <= self.told_back(move.period)
            table = self.tables[f"{move.period}:{move.occurrence}"]
            rank = table.rank(user, style) if told else None
            moves.append(PeriodMove(move.period, move.occurrence, move.score, rank, move.changed))
        return Result(
            Outcome.ACCEPTED,
            result.score,
            self.board.rank(user, style),
            result.event,
            periods=tuple(moves),
            agents=result.agents,
        )

    def told_back(self, period: str) -> int:
        return int(self.spans[period].former is not None and period == "day")
