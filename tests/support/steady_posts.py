"""Game servers that post actions one after another while something goes wrong, and repeat each
until an answer settles it; and what must have become of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
from aiohttp import ClientError, ClientSession, ClientWebSocketResponse

from scoreboard.assembly.operator import operator
from scoreboard.domain.audit import Difference
from scoreboard.settings import Settings
from tests.support.waiting import PATIENCE, wait_until
from tests.support.whole_service import Service

COUNTED = (200, 202, 409)


@dataclass
class Posted:
    """What was answered so far."""

    settled: set[tuple[str, str, str]] = field(default_factory=set)  # board, user, action
    promised: set[tuple[str, str, str]] = field(default_factory=set)  # at the level asked for
    statuses: list[int] = field(default_factory=list)


class Posters:
    """One for each board, each with a user of its own."""

    def __init__(
        self, running: Service, http: ClientSession, boards: list[str], level: str
    ) -> None:
        self.posted = Posted()
        self._running = running
        self._http = http
        self._boards = boards
        self._headers = {
            "Authorization": f"Bearer {running.token()}",
            "Prefer": f"durability={level}",
        }
        self._level = level
        self._stopping = False

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[Posted]:
        """They post for as long as the block lasts, and settle what they have begun."""
        async with asyncio.timeout(2 * PATIENCE), asyncio.TaskGroup() as tasks:
            for board in self._boards:
                tasks.create_task(self._post_to(board))
            try:
                yield self.posted
            finally:
                self._stopping = True

    async def more(self, number: int = 20) -> None:
        """Returns once each board has got so many further actions counted."""
        wanted = {board: self._count(board) + number for board in self._boards}
        await wait_until(
            lambda: all(self._count(board) >= least for board, least in wanted.items()),
            description="actions count on each board",
        )

    def _count(self, board: str) -> int:
        return sum(1 for on, _, _ in self.posted.settled if on == board)

    async def _post_to(self, board: str) -> None:
        number = 0
        while not self._stopping:
            number += 1
            await self._settle(board, f"on-{board}", f"a{number}")

    async def _settle(self, board: str, user: str, action: str) -> None:
        body = {"userId": user, "actionId": action, "points": 1}
        url = f"{self._running.url}/api/boards/{board}/score"
        while True:
            try:
                async with self._http.post(url, json=body, headers=self._headers) as answer:
                    self.posted.statuses.append(answer.status)
                    told = await answer.json()
                    if answer.status in COUNTED:
                        assert answer.status != 409 or told["code"] == "duplicate_action", told
                        self.posted.settled.add((board, user, action))
                        if f"durability={self._level}" in answer.headers.get(
                            "Preference-Applied", ""
                        ):
                            self.posted.promised.add((board, user, action))
                        return
                    assert answer.status == 503, told
                    assert answer.headers["Retry-After"]
            except ClientError:
                pass
            await asyncio.sleep(0.02)


async def audited(settings: Settings, posted: Posted) -> Counter[str]:
    """Every action that was promised counts, and none twice: the ledger, the totals and Redis
    agree, and each action has given its one point. Returns how many count on each board."""
    found: list[Difference] = []
    patient = msgspec.structs.replace(settings, redis_timeout=PATIENCE)
    async with operator(patient) as tools:
        for board in await tools.boards(None):
            await tools.verifier.verify(board, found.append, lambda _: None)
        rows = await tools.pool.fetch(
            "SELECT board, user_id, action_id FROM score_action WHERE status = 'accepted'"
        )
        totals = {
            (row["board"], row["user_id"]): row["score"]
            for row in await tools.pool.fetch("SELECT board, user_id, score FROM user_score")
        }
    assert found == [], found
    counted = {tuple(row) for row in rows}
    assert posted.promised - counted == set(), "what was promised is lost"
    assert counted - posted.settled == set(), "what nobody was told of counts"
    assert totals == Counter((board, user) for board, user, _ in counted)
    return Counter(board for board, _, _ in counted)


async def heard(watching: ClientWebSocketResponse, total: int) -> None:
    """Returns once the relay tells that the first of a board has this total."""
    async with asyncio.timeout(PATIENCE):
        while True:
            told = await watching.receive_json()
            if told.get("topScores") and told["topScores"][0]["score"] == total:
                return
