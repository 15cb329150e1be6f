"""Ten thousand random operations on a real Redis agree with a small model of a leaderboard: every
reply to the letter, the zset bit for bit, the stream, the receipts and what was published."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from scoreboard.domain.actions import MAX_POINTS
from scoreboard.domain.boards import MAX_TOTAL, TOP_SIZE
from scoreboard.domain.stamps import stamp, total_of
from scoreboard.wire.events import Event, EventKind
from scoreboard.wire.receipts import Kept, receipt
from tests.lua.harness import Action, Board, Verdict, decoded

SEQUENCES, CALLS, ACTIONS = 110, 8, 12  # of sequences, calls in each, actions in a call
BOUND = MAX_POINTS - 1

# Two stand at the ends of the range of totals, one is hidden.
PLANTED = {"rich": MAX_TOTAL - 5, "poor": 5 - MAX_TOTAL}
HIDDEN = {"shadow": 1000.25}

AGENTS = ("time", "device")


class Answered(NamedTuple):
    """What the model remembers of an action that left a receipt."""

    kept: Kept
    points: int
    score: int | None
    attempt: str
    event: str
    conflict: bool = False  # one was recorded


class Model:
    """A leaderboard in Python; only the ids and times of events are Redis's own."""

    def __init__(self, stamps: dict[str, float]) -> None:
        self.stamps = stamps
        self.answered: dict[tuple[str, str], Answered] = {}

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
                return f"A {first.score} {self.rank(user)} {first.event}"
            return f"D {first.score} {first.event}"
        if action.verdict and action.verdict.refused_by:
            event = expect(next(events), EventKind.REFUSED, action)
            self.answered[name] = Answered(Kept.REFUSED, points, None, action.attempt, event.id)
            return f"R {','.join(AGENTS)}"
        if abs(points) > BOUND:
            return "B"
        total = (total_of(self.stamps[user]) if user in self.stamps else 0) + points
        if abs(total) > MAX_TOTAL:
            return "O"
        event = expect(next(events), EventKind.ACCEPTED, action, total)
        if points or user not in self.stamps:
            assert event.reached_ms is not None
            self.stamps[user] = stamp(total, event.reached_ms)
        self.answered[name] = Answered(Kept.ACCEPTED, points, total, action.attempt, event.id)
        return f"A {total} {self.rank(user)} {event.id}"

    def standings(self) -> list[str]:
        """Users, best first; those whose doubles are equal by the bytes of their names."""
        shown = self.stamps.keys() - HIDDEN.keys()
        return sorted(shown, key=lambda user: (self.stamps[user], user.encode()), reverse=True)

    def rank(self, user: str) -> str:
        return "-" if user in HIDDEN else str(self.standings().index(user) + 1)

    def top(self) -> list[tuple[str, int]]:
        return [(user, total_of(self.stamps[user])) for user in self.standings()[:TOP_SIZE]]


def expect(event: Event, kind: EventKind, action: Action, score: int | None = None) -> Event:
    body = event.body
    assert (event.kind, event.score) == (kind, score)
    assert (body.u, body.a, body.p, body.t) == (
        *(action.user, action.action, action.points),
        action.attempt,
    )
    return event


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
calls = st.lists(actions, min_size=ACTIONS, max_size=ACTIONS)
sequences = st.lists(calls, min_size=CALLS, max_size=CALLS)


def test_ten_thousand_random_operations_agree_with_the_model(redis_url: str) -> None:
    letters: list[str] = []

    @settings(
        max_examples=SEQUENCES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(sequences)
    def agrees(sequence: list[list[Action]]) -> None:
        letters.extend(run(redis, sequence))

    with Redis.from_url(redis_url) as redis:
        agrees()
    assert len(letters) >= 10_000
    assert set(letters) == set("ADCROB")


def run(redis: Redis, sequence: list[list[Action]]) -> list[str]:
    """Runs a sequence of calls on an emptied Redis and compares after each; the last call is sent
    twice, as after a lost reply. Returns the letters of the replies."""
    redis.flushall()
    board = Board(redis)
    board.plant(PLANTED)
    redis.zadd(board.keys.hidden, HIDDEN)
    board.make_live(hidden="1")
    model = Model(board.zset() | HIDDEN)
    letters: list[str] = []
    tops: list[list[tuple[str, int]]] = [[]]
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
        ).encode()
        + b"!" * conflict
        for kept, points, score, attempt, event, conflict in model.answered.values()
    ]
    assert len(redis.keys("sb:*:action:*")) == len(keys)
    moved = [event.reached_ms or 0 for event in events if event.score is not None and event.body.p]
    assert moved == sorted(set(moved))
    board.close()
    return letters
