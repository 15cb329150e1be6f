"""Ten thousand random operations on a real Redis agree with a small model of a leaderboard: every
reply to the letter, the zset bit for bit, the stream, the receipts and what was published. So do
thousands under each of the other rules of totals."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from scoreboard.domain.actions import MAX_POINTS
from scoreboard.domain.boards import MAX_TOTAL, BoardSettings
from scoreboard.domain.stamps import stamp, total_of
from scoreboard.wire.events import Event, EventKind
from scoreboard.wire.receipts import Kept, receipt
from tests.lua.harness import Action, Board, Verdict, decoded
from tests.support.extent import WHOLE

CALLS, ACTIONS = 8, 12  # calls in a sequence, actions in a call
SEEDED = 10  # sequences that see every reply, whatever is drawn beside them
RULES = [  # and how many sequences
    (BoardSettings(), 110),
    (BoardSettings(order="asc", rank_style="standard"), 20),
    (BoardSettings(operator="best", top_size=3), 20),
    (BoardSettings(operator="best", order="asc", top_size=100), 20),
    (BoardSettings(operator="last", rank_style="standard", top_size=1), 20),
    (BoardSettings(operator="last", order="asc"), 20),
    (BoardSettings(attempts=3, capacity=9), 20),
    (BoardSettings(operator="best", attempts=2), 20),
    (BoardSettings(operator="last", capacity=12), 20),
    (BoardSettings(join="required", attempts=3), 20),
]
BOUND = MAX_POINTS - 1

# Two stand at the ends of the range of totals, one is hidden.
PLANTED = {"rich": MAX_TOTAL - 5, "poor": 5 - MAX_TOTAL}
HIDDEN = {"shadow": 1000.25}
JOINED = ("u0", "u1", "u2")  # have no score yet

AGENTS = ("time", "device")


class Answered(NamedTuple):
    """What the model remembers of an action that left a receipt."""

    kept: Kept
    points: int
    score: int | None
    attempt: str
    event: str
    previous: int | None = None  # the total before it
    conflict: bool = False  # one was recorded


class Model:
    """A leaderboard in Python; only the ids and times of events are Redis's own. Totals are as they
    are kept: negated where less is better."""

    def __init__(self, rules: BoardSettings, stamps: dict[str, float]) -> None:
        self.rules = rules
        self.stamps = stamps
        self.moved: list[int] = []  # the times at which totals became others
        self.answered: dict[tuple[str, str], Answered] = {}
        self.players = dict.fromkeys(stamps, 0)  # who is in, with the actions that count

    def submit(self, action: Action, events: Iterator[Event]) -> str:
        """The reply to ``action``. ``events`` are the ones that Redis appended; each that the
        model expects is taken from them and compared."""
        user, points, name = action.user, action.points, (action.user, action.action)
        if first := self.answered.get(name):
            if first.points != points:
                if not first.conflict:
                    expect(next(events), EventKind.CONFLICT, action)
                    self.answered[name] = first._replace(conflict=True)
                return "C"
            if first.kept is Kept.REFUSED:
                return f"R {','.join(AGENTS)}"
            if first.attempt == action.attempt:
                return self.accepted(user, first)
            return f"D {self.seen(first.score)} {first.event}"
        if bar := self.barred(user):
            return bar
        if action.verdict and action.verdict.refused_by:
            event = expect(next(events), EventKind.REFUSED, action)
            self.answered[name] = Answered(Kept.REFUSED, points, None, action.attempt, event.id)
            return f"R {','.join(AGENTS)}"
        if abs(points) > BOUND:
            return "B"
        before = total_of(self.stamps[user]) if user in self.stamps else None
        total = self.total(before, points * self.rules.sign)
        if abs(total) > MAX_TOTAL:
            return "O"
        event = expect(next(events), EventKind.ACCEPTED, action, total)
        self.players[user] = self.players.get(user, 0) + 1
        if total != before:
            assert event.reached_ms is not None
            self.stamps[user] = stamp(total, event.reached_ms)
            self.moved.append(event.reached_ms)
        previous = None if self.rules.operator == "sum" else before
        assert event.previous == previous
        self.answered[name] = first = Answered(
            Kept.ACCEPTED, points, total, action.attempt, event.id, previous
        )
        return self.accepted(user, first)

    def barred(self, user: str) -> str | None:
        attempts, capacity = self.rules.attempts, self.rules.capacity
        if user in self.players:
            return "T" if attempts is not None and self.players[user] >= attempts else None
        if self.rules.join == "required":
            return "N"
        return "F" if capacity is not None and len(self.players) >= capacity else None

    def total(self, before: int | None, value: int) -> int:
        if self.rules.operator == "sum":
            return (before or 0) + value
        if self.rules.operator == "best":
            return value if before is None else max(before, value)
        return value

    def accepted(self, user: str, first: Answered) -> str:
        text = f"A {self.seen(first.score)} {self.rank(user)} {first.event}"
        if self.rules.operator == "sum":
            return text
        return f"{text} {'-' if first.previous is None else self.seen(first.previous)}"

    def seen(self, total: int | None) -> int:
        assert total is not None
        return total * self.rules.sign

    def standings(self) -> list[str]:
        """Users, best first; those whose doubles are equal by the bytes of their names."""
        shown = self.stamps.keys() - HIDDEN.keys()
        return sorted(shown, key=lambda user: (self.stamps[user], user.encode()), reverse=True)

    def rank(self, user: str) -> str:
        if user in HIDDEN:
            return "-"
        standings = self.standings()
        if self.rules.rank_style == "ordinal":
            return str(standings.index(user) + 1)
        own = total_of(self.stamps[user])
        return str(1 + sum(total_of(self.stamps[other]) > own for other in standings))

    def top(self) -> list[tuple[str, int]]:
        first = self.standings()[: self.rules.top_size]
        return [(user, self.seen(total_of(self.stamps[user]))) for user in first]


def expect(event: Event, kind: EventKind, action: Action, score: int | None = None) -> Event:
    body = event.body
    assert (event.kind, event.score) == (kind, score)
    assert (body.u, body.a, body.p, body.t) == (
        *(action.user, action.action, action.points),
        action.attempt,
    )
    return event


def ready(top: list[tuple[str, int]]) -> str:
    """The text of a top as Redis keeps it; a change is announced where this differs."""
    entries = [{"userId": user, "score": score} for user, score in top]
    return json.dumps(entries, separators=(",", ":"))


# Small pools, so that the same actions come again.
USERS = [*(f"u{i}" for i in range(12)), 'q"\\/ é', "a:b", *PLANTED, *HIDDEN]
NAMES = [f"k{i}" for i in range(8)]
ATTEMPTS = ["t0", "t1"]
VERDICTS = [Verdict(profile="")] * 3 + [Verdict(",".join(AGENTS), profile="")]
points = st.one_of(
    st.integers(-2, 4),
    st.integers(-300, 500),
    st.sampled_from([BOUND, -BOUND, MAX_POINTS, -MAX_POINTS]),
)
actions = st.builds(
    lambda named, points: Action(named[0], named[1], points, named[2], named[3]),
    st.sampled_from(list(product(USERS, NAMES, ATTEMPTS, VERDICTS))),
    points,
)


def drawn(chance: random.Random) -> list[list[Action]]:
    """A sequence that is the same in every run; what Hypothesis draws, derandomized or not, depends
    on the modules that happen to be imported."""
    return [
        [
            Action(
                *(chance.choice(USERS), chance.choice(NAMES)),
                chance.choice([1, 2, chance.randint(-300, 500), BOUND, -BOUND, MAX_POINTS]),
                *(chance.choice(ATTEMPTS), chance.choice(VERDICTS)),
            )
            for _ in range(ACTIONS)
        ]
        for _ in range(CALLS)
    ]


calls = st.lists(actions, min_size=ACTIONS, max_size=ACTIONS)
sequences = st.lists(calls, min_size=CALLS, max_size=CALLS)


@pytest.mark.parametrize(("rules", "examples"), RULES, ids=lambda given: str(given))
def test_random_operations_agree_with_the_model(
    redis_url: str, rules: BoardSettings, examples: int
) -> None:
    letters: list[str] = []
    examples = examples if WHOLE else examples // 2

    def agree(sequence: list[list[Action]]) -> None:
        letters.extend(run(redis, rules, sequence))

    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(sequences)
    def agrees(sequence: list[list[Action]]) -> None:
        agree(sequence)

    with Redis.from_url(redis_url) as redis:
        for seed in range(SEEDED):
            agree(drawn(random.Random(seed)))
        agrees()
    assert len(letters) >= examples * 100
    letters = letters[: SEEDED * (CALLS + 1) * ACTIONS]
    assert set(letters) >= set("ADCRB")
    assert ("O" in letters) == (rules.operator == "sum"), "only a sum can leave the range"
    assert ("T" in letters) == (rules.attempts is not None)
    assert ("N" in letters) == (rules.join == "required")
    assert ("F" in letters) == (rules.capacity is not None)


def run(redis: Redis, rules: BoardSettings, sequence: list[list[Action]]) -> list[str]:
    """Runs a sequence of calls on an emptied Redis and compares after each; the last call is sent
    twice, as after a lost reply. Returns the letters of the replies."""
    redis.flushall()
    with closing(Board(redis, settings=rules)) as board:
        return compare(board, rules, sequence)


def compare(board: Board, rules: BoardSettings, sequence: list[list[Action]]) -> list[str]:
    """The letters of the replies to a sequence of calls, each of which left what the model says."""
    redis = board.redis
    board.plant(PLANTED)
    redis.zadd(board.keys.hidden, HIDDEN)
    model = Model(rules, board.zset() | HIDDEN)
    model.players |= dict.fromkeys(JOINED, 0)
    letters: list[str] = []
    tops = [model.top()]
    board.make_live(hidden="1", top=ready(tops[0]))
    board.let_in(*PLANTED, *HIDDEN, *JOINED)
    events: list[Event] = []
    for call in [*sequence, sequence[-1]]:
        replies = board.submit(*call, min=-BOUND, max=BOUND)
        new = board.events(after=events[-1].id if events else "0-0")
        events += new
        appended = iter(new)
        assert replies == [model.submit(action, appended) for action in call]
        assert list(appended) == []
        letters += [reply[0] for reply in replies]
        if model.top() != tops[-1]:
            tops.append(model.top())

    assert list(board.zset()) == model.standings()
    assert board.zset() | board.zset(board.keys.hidden) == model.stamps
    assert board.players() == (model.players if rules.counts_players else {})
    assert [
        (m.version, [(entry.user_id, entry.score) for entry in m.top_scores])
        for m in map(decoded, board.published())
    ] == list(enumerate(tops))[1:]
    keys = [board.receipt_key(Action(*name)) for name in model.answered]
    assert redis.mget(keys) == [
        receipt(
            kept,
            points=points,
            score=score,
            attempt=attempt,
            event=event,
            agents=AGENTS if kept is Kept.REFUSED else (),
            previous=previous,
        ).encode()
        + b"!" * conflict
        for kept, points, score, attempt, event, previous, conflict in model.answered.values()
    ]
    assert len(redis.keys("sb:*:action:*")) == len(keys)
    assert model.moved == sorted(set(model.moved))
    return letters
