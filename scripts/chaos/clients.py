"""Game servers that post actions, repeat some on purpose, and ask again for what got no answer."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence

from scripts.chaos.actions import LEVELS, MIXED, Action, Book, Doubt, Load, new_actions
from scripts.load.api import Api, NoAnswer
from scripts.load.replies import Reply

PAUSE = 0.1  # seconds at most before a refused action is sent again
BATCH = 60
# The levels that are asked for, None where that is left to the service, and how often.
Levels = Mapping[str | None, int]
OF_A_SERVER: Levels = {None: 30, "redis": 20, "postgres": 35, "disk": 10, "replica": 2}
OF_A_SEASON: Levels = {None: 9, "postgres": 1}  # a file that is synced once a second slows posts


class Client:
    """One poster. ``apis`` are the service's processes; ``may_go`` tells whether new actions may
    be begun; ``levels`` are those of durability that it asks for."""

    def __init__(
        self,
        number: int,
        seed: int,
        apis: Sequence[Api],
        book: Book,
        may_go: Callable[[], bool],
        levels: Levels = OF_A_SERVER,
        load: Load = MIXED,
    ) -> None:
        self._rng = random.Random(f"{seed}/client {number}/choices")
        self._new = new_actions(number, seed, load)
        self._apis = apis
        self._book = book
        self._may_go = may_go
        self._levels = levels
        self._open: list[Action] = []  # to be sent again
        self._known: list[Action] = []  # some that were acknowledged, to be repeated on purpose

    async def run(self) -> None:
        """Until all actions of the book are begun, and settled: acknowledged, or given up."""
        while len(self._book.actions) < self._book.limit or self._open:
            if self._open and self._rng.random() < 0.7:
                await self._post(self._some_open())
            elif self._known and self._rng.random() < 0.1:
                await self._post([self._rng.choice(self._known)])
            elif len(self._book.actions) < self._book.limit and self._may_go():
                batch = next(self._new)
                self._book.actions += batch
                await self._post(batch)
            elif self._open:
                await self._post(self._some_open())
            else:
                await asyncio.sleep(0.01)

    def _some_open(self) -> list[Action]:
        board = self._open[0].board
        chosen = [action for action in self._open if action.board == board][:BATCH]
        taken = {id(action) for action in chosen}
        self._open = [action for action in self._open if id(action) not in taken]
        return chosen

    async def _post(self, actions: list[Action]) -> None:
        """One request. Afterwards each action is settled or open again."""
        level = self._rng.choices(list(self._levels), list(self._levels.values()))[0]
        api = self._rng.choice(self._apis)
        sent_at = time.monotonic()
        for action in actions:
            action.sent_at = action.sent_at or sent_at
        try:
            replies = await api.submit(actions[0].board, [a.body for a in actions], level)
        except NoAnswer as error:
            self._book.count("no answer" if error.sent else "no connection")
            for action in actions:
                action.unknown = action.unknown or error.sent
                self._open.append(action)
            await asyncio.sleep(self._rng.uniform(0, PAUSE))
            return
        for action, reply in zip(actions, replies, strict=True):
            self._settle(action, sent_at, reply)
        if all(reply.status == 503 for reply in replies):
            await asyncio.sleep(self._rng.uniform(0, PAUSE))

    def _settle(self, action: Action, sent_at: float, reply: Reply) -> None:
        self._book.count(reply.name)
        match reply:
            case Reply(status=200 | 202, score=int(score)):
                self._acknowledged(action, reply.durability or "redis", score, sent_at, anew=True)
            case Reply(status=409, code="duplicate_action", score=int(score)):
                self._acknowledged(action, reply.durability or "redis", score, sent_at)
            case Reply(status=503, code="unavailable"):
                # Nothing was written, so it may be dropped; unless an earlier answer is missing.
                if action.level or action.unknown or self._rng.random() < 0.8:
                    self._open.append(action)
                else:
                    action.given_up = True
            case Reply(status=503, code="outcome_unknown"):
                action.unknown = True
                self._open.append(action)
            case _:
                self._book.violation(action, f"answered {reply}")

    def _acknowledged(
        self, action: Action, level: str, score: int, sent_at: float, *, anew: bool = False
    ) -> None:
        assert level in LEVELS
        spans = [(sent_at, time.monotonic()), (action.sent_at, action.counted_at)]
        wrong = action.acknowledge(level, score, sent_at if anew else None)
        if wrong:
            self._book.doubts.append(Doubt(action, wrong, spans))
        if self._rng.random() < 0.1 and not any(known is action for known in self._known):
            self._known.append(action)
            self._known = self._known[-50:]
