"""A client that sends each action again until it is answered, and what a board made of that."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scripts.load.http1 import Answer
from scripts.load.http_pool import Call, Pool
from scripts.load.requests import Posts, action
from scripts.load.target import Target

COUNTED = (200, 409)  # 409: an earlier attempt was counted
POINTS = 1


class RetryingClient:
    """One action for each of ``users``, over ``connections`` that are busy all the time."""

    def __init__(
        self, target: Target, durability: str | None, users: Sequence[str], connections: int
    ) -> None:
        posts = Posts(target, None, durability)
        self._calls = [Call(posts.one(action(user, f"of:{user}", POINTS)), 0) for user in users]
        self._pool = Pool[Call](target, connections, self._answered, self._lost)
        self._acknowledged = 0

    async def begin(self) -> None:
        """Starts to send."""
        self._keeping = asyncio.create_task(self._pool.keep(asyncio.Event()))
        for call in self._calls:
            self._pool.submit(call)

    async def acknowledged(self) -> int:
        """How many actions have been answered as counted."""
        return self._acknowledged

    def _answered(self, call: Call, answer: Answer, now: int) -> None:
        if answer.status in COUNTED:
            self._acknowledged += 1
        else:
            self._pool.submit(call)

    def _lost(self, call: Call) -> None:
        self._pool.submit_first(call)
        self._pool.flush()  # another connection may be free


class Faults(NamedTuple):
    """Of ``actions`` that were acknowledged, how many the board lost, and how many it counted more
    than once."""

    lost: int
    doubled: int
    actions: int


def judged(users: Sequence[str], scores: Mapping[str, int]) -> Faults:
    """``users`` had one action each; ``scores`` are the board's."""
    counted = [scores.get(user, 0) for user in users]
    return Faults(
        lost=sum(score < POINTS for score in counted),
        doubled=sum(score > POINTS for score in counted),
        actions=len(users),
    )
