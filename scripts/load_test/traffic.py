"""What is sent: hot and cold users, duplicates on purpose, probes; each call ready as bytes."""

from __future__ import annotations

import random

import numpy as np

from scripts.load_test.plan import MAX_GAIN, Plan, Target

REMEMBERED = 10_000  # acknowledged actions of a board that duplicates are drawn from


class Action:
    """One score action; ``score`` is the total that it was acknowledged with."""

    __slots__ = ("body", "duplicate", "points", "score", "user")

    def __init__(self, user: int, points: int, body: bytes) -> None:
        self.user = user
        self.points = points
        self.body = body
        self.score: int | None = None
        self.duplicate = False

    def again(self) -> Action:
        """A deliberate duplicate, whose answer must carry the same score."""
        twin = Action(self.user, self.points, self.body)
        twin.score = self.score
        twin.duplicate = True
        return twin


class Call:
    """One request, and what has become of it. Instants are monotonic ns."""

    __slots__ = (
        "accepted",
        "actions",
        "attempts",
        "board",
        "due",
        "known",
        "lag",
        "probe",
        "refused",
        "sent",
    )

    def __init__(self, board: int, actions: list[Action], due: int, *, probe: bool = False) -> None:
        self.board = board
        self.actions = actions  # those without a known outcome
        self.due = due
        self.probe = probe
        self.sent = 0
        self.lag = 0  # ns from due to the moment the generator got to it
        self.attempts = 0
        self.accepted = 0
        self.known = 0  # deliberate duplicates that were recognised
        self.refused = 0


class Traffic:
    """The actions of one sender, the same for the same seed up to the choice of duplicates, which
    are drawn from what has been acknowledged by then."""

    def __init__(self, plan: Plan, sender: int) -> None:
        self._plan = plan
        self._sender = sender
        self._names = [plan.user(index).encode() for index in range(plan.users + 1)]
        self._random = random.Random(f"{plan.seed}:{sender}")
        self._users = ZipfUsers(plan, np.random.default_rng((plan.seed, sender, 1)))
        self._calls = 0
        self._count = 0
        self._acknowledged: list[list[Action]] = [[] for _ in range(plan.boards)]
        self._oldest = [0] * plan.boards

    def ordinary(self, due: int) -> Call:
        """The next call that is no probe."""
        board = self._calls % self._plan.boards
        self._calls += 1
        return Call(board, [self._next(board) for _ in range(max(self._plan.batch, 1))], due)

    def probe(self, due: int, board: int) -> Call:
        """A call that makes the probe's score grow, for the WebSocket clients to see."""
        return Call(board, [self._new(self._plan.users, 1)], due, probe=True)

    def acknowledge(self, board: int, action: Action) -> None:
        """Make ``action`` one that may be sent again."""
        known = self._acknowledged[board]
        if len(known) < REMEMBERED:
            known.append(action)
        else:
            known[self._oldest[board]] = action
            self._oldest[board] = (self._oldest[board] + 1) % REMEMBERED

    def _next(self, board: int) -> Action:
        known = self._acknowledged[board]
        if known and self._random.random() < self._plan.duplicates:
            return known[int(self._random.random() * len(known))].again()
        return self._new(self._users.draw(), 1 + int(self._random.random() * MAX_GAIN))

    def _new(self, user: int, points: int) -> Action:
        self._count += 1
        body = b'{"userId":"%b","actionId":"%b-%d-%d","points":%d}' % (
            self._names[user],
            self._plan.run.encode(),
            self._sender,
            self._count,
            points,
        )
        return Action(user, points, body)


class ZipfUsers:
    """Users by Zipf's law: the k-th most active one with a weight of 1 / k**skew."""

    def __init__(self, plan: Plan, rng: np.random.Generator) -> None:
        weights = 1.0 / np.arange(1, plan.users + 1) ** plan.skew
        self._cumulated = np.cumsum(weights) / weights.sum()
        self._rng = rng
        self._drawn: list[int] = []

    def draw(self) -> int:
        """The index of a user."""
        if not self._drawn:
            places = np.searchsorted(self._cumulated, self._rng.random(8192))
            self._drawn = np.minimum(places, len(self._cumulated) - 1).tolist()
        return self._drawn.pop()


class Requests:
    """Calls as HTTP requests."""

    def __init__(self, plan: Plan, target: Target) -> None:
        def head(board: int, resource: str) -> bytes:
            return (
                f"POST /api/boards/{plan.board(board)}/{resource} HTTP/1.1\r\n"
                f"Host: {target.authority}\r\nAuthorization: Bearer {target.token}\r\n"
                "Content-Type: application/json\r\nContent-Length: "
            ).encode()

        self._one = [head(board, "score") for board in range(plan.boards)]
        self._many = [head(board, "scores") for board in range(plan.boards)]
        self._batches = plan.batch > 0

    def of(self, call: Call) -> bytes:
        """The request, whole."""
        if call.probe or not self._batches:
            body = call.actions[0].body
            return b"%b%d\r\n\r\n%b" % (self._one[call.board], len(body), body)
        body = b'{"actions":[%b]}' % b",".join([action.body for action in call.actions])
        return b"%b%d\r\n\r\n%b" % (self._many[call.board], len(body), body)
