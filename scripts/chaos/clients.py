"""Game servers that post actions, repeat some on purpose, and ask again for what got no answer."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp

from scripts.chaos.actions import LEVELS, Action, Book, new_actions

TIMEOUT = aiohttp.ClientTimeout(total=15)
PAUSE = 0.1  # seconds at most before a refused action is sent again
BATCH = 60
CHOICES = [None, "redis", "postgres", "disk", "replica"]
WEIGHTS = [30, 20, 35, 10, 2]
LOST = (aiohttp.ClientError, TimeoutError, OSError)


class Client:
    """One poster. ``urls`` are the service's processes; ``may_go`` tells whether new actions may
    be begun."""

    def __init__(
        self,
        number: int,
        seed: int,
        session: aiohttp.ClientSession,
        urls: Sequence[str],
        book: Book,
        may_go: Callable[[], bool],
    ) -> None:
        self._rng = random.Random(f"{seed}/client {number}/choices")
        self._new = new_actions(number, seed)
        self._session = session
        self._urls = urls
        self._book = book
        self._may_go = may_go
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
        level = self._rng.choices(CHOICES, WEIGHTS)[0]
        headers = {} if level is None else {"Prefer": f"durability={level}"}
        path = f"{self._rng.choice(self._urls)}/api/boards/{actions[0].board}"
        single = len(actions) == 1
        body = actions[0].body if single else {"actions": [a.body for a in actions]}
        sent_at = time.monotonic()
        for action in actions:
            action.sent_at = action.sent_at or sent_at
        try:
            async with self._session.post(
                f"{path}/{'score' if single else 'scores'}",
                json=body,
                headers=headers,
                timeout=TIMEOUT,
            ) as response:
                document = await response.json(content_type=None)
                status = response.status
                applied = response.headers.get("Preference-Applied", "").partition("=")[2]
        except LOST as error:
            # Only a refused connection tells that nothing was sent.
            refused = isinstance(error, aiohttp.ClientConnectorError)
            self._book.count("no connection" if refused else "no answer")
            for action in actions:
                action.unknown = action.unknown or not refused
                self._open.append(action)
            await asyncio.sleep(self._rng.uniform(0, PAUSE))
            return
        if single or "results" not in document:
            for action in actions:
                self._settle(action, sent_at, status, document, applied)
        else:
            for action, item in zip(actions, document["results"], strict=True):
                self._settle(action, sent_at, item["status"], item, applied)
        if status == 503:
            await asyncio.sleep(self._rng.uniform(0, PAUSE))

    def _settle(
        self, action: Action, sent_at: float, status: int, document: dict[str, Any], applied: str
    ) -> None:
        code = document.get("code", "")
        self._book.count(f"{status} {code}".strip())
        match status, code:
            case (200 | 202, _):
                level = document.get("durability") or applied or "redis"
                self._acknowledged(action, level, document["score"], sent_at)
            case 409, "duplicate_action":
                self._acknowledged(action, applied or "redis", document["score"], None)
            case 503, "unavailable":
                # Nothing was written, so it may be dropped; unless an earlier answer is missing.
                if action.level or action.unknown or self._rng.random() < 0.8:
                    self._open.append(action)
                else:
                    action.given_up = True
            case 503, "outcome_unknown":
                action.unknown = True
                self._open.append(action)
            case _:
                self._book.violation(action, f"answered {status} {document}")

    def _acknowledged(self, action: Action, level: str, score: int, anew: float | None) -> None:
        assert level in LEVELS
        wrong = action.acknowledge(level, score, anew)
        if wrong:
            self._book.violation(action, wrong)
        if self._rng.random() < 0.1 and not any(known is action for known in self._known):
            self._known.append(action)
            self._known = self._known[-50:]
