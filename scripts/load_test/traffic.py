"""What is sent: hot and cold users, duplicates on purpose, probes; each call ready as bytes."""

from __future__ import annotations

import random

import numpy as np

from scripts.load import requests
from scripts.load.http_pool import Call
from scripts.load.requests import Posts
from scripts.load.target import Target
from scripts.load_test.plan import MAX_GAIN, Plan

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


class ScoreCall(Call):
    """A call, and what has become of its actions."""

    __slots__ = ("accepted", "actions", "board", "known", "lag", "probe", "refused")

    def __init__(
        self, request: bytes, due: int, board: int, actions: list[Action], *, probe: bool
    ) -> None:
        super().__init__(request, due)
        self.board = board
        self.actions = actions  # those without a known outcome
        self.probe = probe
        self.lag = 0  # ns from due to the moment the generator got to it
        self.accepted = 0
        self.known = 0  # deliberate duplicates that were recognised
        self.refused = 0


class Traffic:
    """The actions of one sender, the same for the same seed up to the choice of duplicates, which
    are drawn from what has been acknowledged by then."""

    def __init__(self, plan: Plan, target: Target, sender: int) -> None:
        self._plan = plan
        self._sender = sender
        self._posts = [Posts(target, plan.board(index)) for index in range(plan.boards)]
        self._names = [plan.user(index) for index in range(plan.users + 1)]
        self._random = random.Random(f"{plan.seed}:{sender}")
        self._users = ZipfUsers(plan, np.random.default_rng((plan.seed, sender, 1)))
        self._calls = 0
        self._count = 0
        self._acknowledged: list[list[Action]] = [[] for _ in range(plan.boards)]
        self._oldest = [0] * plan.boards

    def ordinary(self, due: int) -> ScoreCall:
        """The next call that is no probe."""
        board = self._calls % self._plan.boards
        self._calls += 1
        return self._call(due, board, [self._next(board) for _ in range(self._plan.batch or 1)])

    def probe(self, due: int, board: int) -> ScoreCall:
        """A call that makes the probe's score grow, for the WebSocket clients to see."""
        return self._call(due, board, [self._new(self._plan.users, 1)], probe=True)

    def in_batch(self, call: ScoreCall) -> bool:
        """Whether the call is one of POST /api/scores."""
        return self._plan.batch > 0 and not call.probe

    def repeat(self, call: ScoreCall, actions: list[Action]) -> None:
        """Make ``call`` ask again for those of its ``actions``."""
        call.actions = actions
        call.request = self._request(call)

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
        action_id = f"{self._plan.run}-{self._sender}-{self._count}"
        return Action(user, points, requests.action(self._names[user], action_id, points))

    def _call(
        self, due: int, board: int, actions: list[Action], *, probe: bool = False
    ) -> ScoreCall:
        call = ScoreCall(b"", due, board, actions, probe=probe)
        call.request = self._request(call)
        return call

    def _request(self, call: ScoreCall) -> bytes:
        posts = self._posts[call.board]
        if self.in_batch(call):
            return posts.many([action.body for action in call.actions])
        return posts.one(call.actions[0].body)


class ZipfUsers:
    """Users by Zipf's law: the k-th most active one with a weight of 1 / k**skew."""

    def __init__(self, plan: Plan, rng: np.random.Generator) -> None:
        weights = 1.0 / np.arange(1, plan.users + 1) ** plan.skew
        self._shares = weights / weights.sum()
        self._rng = rng
        self._drawn: list[int] = []

    def draw(self) -> int:
        """The index of a user."""
        if not self._drawn:
            self._drawn = self._rng.choice(len(self._shares), 8192, p=self._shares).tolist()
        return self._drawn.pop()
