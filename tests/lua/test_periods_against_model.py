"""A board with periods against a model in Python: random actions, duplicates, late and hidden
users, refusals that are approved and actions that are taken back, while occurrences end between and
within calls."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from redis import Redis

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.ledger import EventId, KeptAction, LeftTotal
from scoreboard.domain.periods import Period
from scoreboard.domain.submissions import Outcome, Result
from scoreboard.redisio.occurrence_tables import tell_tables
from scoreboard.redisio.reverter import UNKNOWN, revert_call
from scoreboard.wire import events, scripts
from scoreboard.wire.events import Event, EventKind, split_id
from scoreboard.wire.keys import BoardKeys, Keyspace
from scoreboard.wire.known_periods import KnownPeriod
from scoreboard.wire.receipts import Kept, receipt
from scoreboard.wire.replies import parse_reply
from scoreboard.wire.scripts import ScriptCall
from tests.lua.harness import WINDOW_MS, Action, Board, Verdict, approval
from tests.lua.periods_model import FAR, HIDDEN, SHADOW, Answered, Model, Span, Table

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
GRACE = 3_600_000
KEYSPACE = Keyspace(8)
USERS = ["ann", "bob", "cat", "dan", "eve", HIDDEN]


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


actions = st.tuples(
    st.sampled_from(USERS),
    st.sampled_from([f"k{n}" for n in range(12)]),
    st.integers(-3, 9),
    st.sampled_from(["t0", "t0", "t0", "t1"]),
    st.booleans(),
)
# The places in a call of what the agents refuse, or of whom they refuse all.
refusals = st.sampled_from([(), (), (0, 3, 6), (HIDDEN,)])
# What a moderator does before a call, about one of the actions of which that can be decided.
# "shadow" approves one of the hidden user that counts in a table which does not have that user yet.
decisions = st.tuples(st.sampled_from(["revert", "approve", "shadow", "", ""]), st.integers(0, 20))
# What happens to a period before a call: nothing, its end, or its end and a pause until the next.
turns = st.sampled_from(["", "", "", "day", "week", "cup", "pause cup", "seal day"])
steps = st.lists(
    st.tuples(turns, decisions, refusals, st.lists(actions, min_size=8, max_size=8)),
    min_size=12,
    max_size=12,
)
BY_HIDDEN = [(HIDDEN, "k0", 5, "t0", False)]
SHADOWED = [  # is among what is run under every rule, whatever is drawn
    ("", ("", 0), (HIDDEN,), BY_HIDDEN),
    ("", ("shadow", 0), (), [(HIDDEN, "k1", 2, "t0", False), ("ann", "k0", 3, "t0", False)]),
]


@pytest.mark.parametrize("rules", RULES, ids=["sum", "best", "last", "limits", "cup only"])
def test_random_actions_agree_with_the_model(redis_url: str, rules: BoardSettings) -> None:
    seen: list[Result] = []
    decided: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(steps)
    @example(SHADOWED)
    def agrees(sequence: list[Any]) -> None:
        seen.extend(run(redis, rules, sequence, decided))

    with Redis.from_url(redis_url) as redis:
        agrees()
    accepted = [result for result in seen if result.outcome is Outcome.ACCEPTED]
    last = max(move.occurrence for result in accepted for move in result.periods)
    assert len(accepted) > EXAMPLES * 10
    assert last > 2, "periods have turned"
    assert min(decided["revert"], decided["approve"]) > EXAMPLES // 5, decided
    assert decided["shadow"] > 0


def run(
    redis: Redis, rules: BoardSettings, sequence: list[Any], decided: Counter[str]
) -> list[Result]:
    redis.flushall()
    board = Board(redis, settings=rules)
    redis.zadd(board.keys.hidden, {HIDDEN: SHADOW})
    board.make_live(hidden="1")
    model = Model(rules)
    board.named = {period.name: f"1 0 {FAR} {FAR}" for period in rules.periods}
    seen: list[Result] = []
    newest = "0-0"
    for turning, (decision, which), refused, call in sequence:
        turn(board, model, turning)
        if decision and (event := decide(board, model, decision, which, newest)):
            decided[decision] += 1
            newest = event.id
        sent = [action_of(model, given) for given in call]
        if refused:
            sent = [
                replace(
                    one,
                    verdict=Verdict("time" if {place, one.user} & {*refused} else "", profile=""),
                )
                for place, one in enumerate(sent)
            ]
        replies = board.submit(*sent)
        assert not replies[0].startswith("!"), replies
        appended = board.events(after=newest)
        newest = appended[-1].id if appended else newest
        kinds = (EventKind.ACCEPTED, EventKind.REFUSED)
        counted = [event for event in appended if event.kind in kinds]
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
        assert (board.zset(keys.board), board.zset(keys.hidden)) == table.parts()
        if rules.counts_players:
            assert board.zset(keys.players) == table.attempts
    assert (board.zset(), board.zset(board.keys.hidden)) == model.board.parts()
    board.close()
    return seen


def action_of(model: Model, given: tuple[Any, ...]) -> Action:
    user, name, points, attempt, late = given
    span = model.spans.get("day")
    former = span.former if span else None
    return Action(user, name, points, attempt, late_ms=former[1] - 1 if late and former else None)


def decide(board: Board, model: Model, decision: str, which: int, newest: str) -> Event | None:
    """Approves a refused action, or takes an accepted one back, and gives the event of it, the only
    one behind ``newest``. None when there is no such action."""
    wanted = Kept.ACCEPTED if decision == "revert" else Kept.REFUSED
    open_cases = [known for known in model.answered.values() if known.kept is wanted]
    if decision == "shadow":
        open_cases = [known for known in open_cases if is_new_to_a_table(board, model, known)]
    if not open_cases:
        return None
    known = open_cases[which % len(open_cases)]
    if decision != "revert":
        there = tables_there(board, known)
        board.run(approve(board, known.action, there))
        (event,) = board.events(after=newest)
        model.accept(known.action, there, event)
        return event
    epoch = ""
    if model.rules.operator != "sum":
        epoch = board.run(board.bound(scripts.fence_board, {}))[0].decode()
    board.run(taking_back(board, model, known, epoch))
    if epoch:
        arguments = {"board": board.name, "settings": board.settings, "epoch": epoch}
        board.run(board.bound(scripts.set_settings, arguments))
    (event,) = board.events(after=newest)
    model.take_back(known, event)
    return event


def tables_there(board: Board, known: Answered) -> list[str]:
    return [one for one in known.tables if board.redis.exists(keys_of(board, one).meta)]


def is_new_to_a_table(board: Board, model: Model, known: Answered) -> bool:
    return known.action.user == HIDDEN and any(
        HIDDEN not in model.tables[one].stamps for one in tables_there(board, known)
    )


def keys_of(board: Board, occurrence: str) -> BoardKeys:
    return KEYSPACE.board(f"{board.name}:{occurrence}")


def approve(board: Board, action: Action, tables: list[str]) -> ScriptCall:
    arguments = approval(board, action, events.PERIODS)
    call = board.bound(scripts.approve_action, arguments, receipt=board.receipt_key(action))
    tell_tables(call, KEYSPACE, ((f"{board.name}:{one}",) for one in tables))
    return call


def taking_back(board: Board, model: Model, known: Answered, epoch: str) -> ScriptCall:
    action, result = known.action, known.result
    assert result is not None
    score = None if result.score is None else result.score * model.rules.sign
    event = EventId(*split_id(known.event))
    kept = KeptAction(
        *(action.user, action.action, Kept.ACCEPTED.value, action.points, score),
        *(action.attempt, event, (), None),
    )
    begun = receipt(
        Kept.REVERTED, points=action.points, score=score, attempt=action.attempt, event=""
    )

    def left(table: Table) -> LeftTotal:
        if model.rules.operator == "sum":
            return UNKNOWN
        return table.left(model.rules.operator, action.user, action.action)

    return revert_call(
        *(KEYSPACE, board.name, kept, event),
        points=action.points,
        attempt=action.attempt,
        why="",
        late=False,
        receipt=begun.removesuffix(","),
        window_ms=WINDOW_MS,
        event_format=events.PERIODS,
        tables={name: left(model.tables[name]) for name in known.tables},
        total=left(model.board),
        epoch=epoch,
    )


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
