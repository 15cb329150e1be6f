"""submit_scores on a board with periods against a model in Python: random actions, duplicates, late
and hidden users, while occurrences end between and within calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.periods import Period
from scoreboard.domain.stamps import stamp, total_of
from scoreboard.domain.submissions import Outcome, PeriodMove, Result
from scoreboard.wire.events import Event, EventKind
from scoreboard.wire.known_periods import KnownPeriod
from scoreboard.wire.replies import parse_reply
from tests.lua.harness import Action, Board

PERIODS = (
    Period("day", cron="0 0 * * *", grace=3600),
    Period("week", cron="0 0 * * 1"),
    Period("cup", cron="0 0 1 * *"),
)
RULES = [
    BoardSettings(periods=PERIODS),
    BoardSettings(periods=PERIODS, operator="best", order="asc"),
    BoardSettings(periods=PERIODS, operator="last", rank_style="standard", top_size=2),
    BoardSettings(periods=PERIODS[:1], attempts=3, capacity=4),
    BoardSettings(periods=PERIODS[2:], operator="best", all_time=False),
]
EXAMPLES = 20
FAR = 9_000_000_000_000
GRACE = 3_600_000
HIDDEN = "shadow"
USERS = ["ann", "bob", "cat", "dan", "eve", HIDDEN]

# What an action does to a total, for each operator.
TOTAL: dict[str, Callable[[int | None, int], int]] = {
    "sum": lambda before, value: (before or 0) + value,
    "best": lambda before, value: value if before is None else max(before, value),
    "last": lambda before, value: value,
}


@dataclass
class Table:
    """The users of a ranking: total as it is kept and time of its stamp; and how many actions."""

    stamps: dict[str, float] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)

    def rank(self, user: str, style: str) -> int | None:
        shown = {name: value for name, value in self.stamps.items() if name != HIDDEN}
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


class Model:
    """A board with periods."""

    def __init__(self, rules: BoardSettings) -> None:
        self.rules = rules
        self.board = Table()
        self.tables: dict[str, Table] = {}
        self.spans = {period.name: Span() for period in rules.periods}
        self.answered: dict[tuple[str, str], tuple[int, str, Result]] = {}

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
            points, attempt, result = known
            if points != action.points:
                return Result(Outcome.CONFLICT)
            if attempt == action.attempt:
                return self.ranked(action.user, result)
            return Result(Outcome.DUPLICATE, result.score, None, result.event)
        going = self.takers(action)
        tables = [self.tables.setdefault(f"{p}:{n}", Table()) for p, n in going.items()]
        if bar := self.bar(action.user, tables):
            return Result(bar, opens_ms=FAR - 1 if bar is Outcome.BOARD_CLOSED else None)
        event = appended.pop(0)
        assert (event.kind, event.body.a) == (EventKind.ACCEPTED, action.action)
        assert event.reached_ms is not None
        before = self.count(self.board, action, event.reached_ms)
        moves = []
        for (period, number), table, move in zip(going.items(), tables, event.moves, strict=True):
            assert move.occurrence == f"{period}:{number}"
            assert move.reached_ms is not None
            previous = self.count(table, action, move.reached_ms)
            table.attempts[action.user] = table.attempts.get(action.user, 0) + 1
            total = total_of(table.stamps[action.user])
            assert (move.score, move.previous) == (total, previous)
            moves.append(
                PeriodMove(period, number, total * self.rules.sign, None, total != previous)
            )
        total = total_of(self.board.stamps[action.user]) * self.rules.sign
        previous = None if before is None else before * self.rules.sign
        result = Result(
            Outcome.ACCEPTED, total, None, event.id, periods=tuple(moves), agents=(str(previous),)
        )
        self.answered[name] = action.points, action.attempt, result
        return self.ranked(action.user, result)

    def count(self, table: Table, action: Action, reached_ms: int) -> int | None:
        old = table.stamps.get(action.user)
        before = None if old is None else total_of(old)
        total = TOTAL[self.rules.operator](before, action.points * self.rules.sign)
        if total != before:
            table.stamps[action.user] = stamp(total, reached_ms)
        return before

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


def comparable(result: Result, rules: BoardSettings) -> Result:
    """A parsed reply in the form in which the model has it: the total before stands in
    ``agents``."""
    if result.outcome is not Outcome.ACCEPTED:
        return result
    move = result.move
    previous = () if move is None else (str(move.previous),)
    return Result(
        result.outcome,
        result.score,
        result.rank,
        result.event,
        periods=result.periods,
        agents=previous,
    )


actions = st.builds(
    lambda user, name, points, attempt, late: (user, name, points, attempt, late),
    st.sampled_from(USERS),
    st.sampled_from([f"k{n}" for n in range(12)]),
    st.integers(-3, 9),
    st.sampled_from(["t0", "t0", "t0", "t1"]),
    st.booleans(),
)
# What happens to a period before a call: nothing, its end, or its end and a pause until the next.
turns = st.sampled_from(["", "", "", "day", "week", "cup", "pause cup", "seal day"])
steps = st.lists(
    st.tuples(turns, st.lists(actions, min_size=8, max_size=8)), min_size=12, max_size=12
)


@pytest.mark.parametrize("rules", RULES, ids=["sum", "best", "last", "limits", "cup only"])
def test_random_actions_agree_with_the_model(redis_url: str, rules: BoardSettings) -> None:
    seen: list[Result] = []

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(steps)
    def agrees(sequence: list[Any]) -> None:
        seen.extend(run(redis, rules, sequence))

    with Redis.from_url(redis_url) as redis:
        agrees()
    accepted = [result for result in seen if result.outcome is Outcome.ACCEPTED]
    last = max(move.occurrence for result in accepted for move in result.periods)
    assert len(accepted) > EXAMPLES * 10
    assert last > 2, "periods have turned"


def run(redis: Redis, rules: BoardSettings, sequence: list[Any]) -> list[Result]:
    redis.flushall()
    board = Board(redis, settings=rules)
    redis.zadd(board.keys.hidden, {HIDDEN: 0.25})
    board.make_live(hidden="1")
    model = Model(rules)
    model.board.stamps[HIDDEN] = 0.25
    board.named = {period.name: f"1 0 {FAR} {FAR}" for period in rules.periods}
    seen: list[Result] = []
    newest = "0-0"
    for turning, call in sequence:
        turn(board, model, turning)
        sent = [action_of(board, model, given) for given in call]
        replies = board.submit(*sent)
        assert not replies[0].startswith("!"), replies
        appended = board.events(after=newest)
        newest = appended[-1].id if appended else newest
        counted = [event for event in appended if event.kind is EventKind.ACCEPTED]
        for action, reply in zip(sent, replies, strict=True):
            expected = model.submit(action, counted)
            found = comparable(parse_reply(reply.encode(), rules.sign), rules)
            if rules.operator == "sum" and found.outcome is Outcome.ACCEPTED:
                expected = comparable(expected, rules)
            assert found == expected, (action, reply)
            seen.append(found)
        assert counted == []
    for name, table in model.tables.items():
        period, _, number = name.partition(":")
        keys = board.occurrence(period, int(number))
        assert board.zset(keys.board) | board.zset(keys.hidden) == table.stamps
        if rules.counts_players:
            assert board.zset(keys.players) == table.attempts
    assert board.zset() | board.zset(board.keys.hidden) == model.board.stamps
    board.close()
    return seen


def action_of(board: Board, model: Model, given: tuple[Any, ...]) -> Action:
    user, name, points, attempt, late = given
    span = model.spans.get("day")
    former = span.former if span else None
    return Action(user, name, points, attempt, late_ms=former[1] - 1 if late and former else None)


def turn(board: Board, model: Model, what: str) -> None:
    """Lets an occurrence end, and the next calls name the next one; with ``pause`` that is to
    come."""
    kind, _, period = what.rpartition(" ")
    if period not in model.spans or board.knows(period) is None:
        return
    span = model.spans[period]
    known = KnownPeriod.from_text(board.knows(period) or "")
    assert known is not None
    field_name = f"period:{period}"
    if kind == "seal":
        latest = known.latest
        board.redis.hset(board.keys.meta, field_name, KnownPeriod(latest, known.final_at).to_text())
        span.former = None
        return
    end = board.now_ms() - 1
    start = min(span.start, end - 1)
    board.redis.hset(board.keys.meta, field_name, f"{span.number} {start} {end} {end + GRACE}")
    pause = kind == "pause"
    model.spans[period] = Span(span.number + 1, FAR - 1 if pause else end, not pause, (start, end))
    board.named[period] = f"{span.number + 1} {FAR - 1 if pause else end} {FAR} {FAR}"
