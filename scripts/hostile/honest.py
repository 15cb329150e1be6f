"""The honest client: posts, reads and watches as clients should, and notes every answer that is not
as promised."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from statistics import quantiles
from typing import NamedTuple

import aiohttp

from scripts.hostile.ground import HANG
from scripts.load.target import Target

BOARD, USER, SECOND = "honest", "ann", "bob"
PAUSE = 0.05  # seconds between two calls
TIME = aiohttp.ClientTimeout(total=HANG)
_AWAY = (aiohttp.ClientError, OSError, TimeoutError)


class Figures(NamedTuple):
    """Of a phase: answers, those with 503 among them, their 99th percentile and longest time in
    milliseconds."""

    answers: int
    refused: int
    p99: float
    longest: float


class Account(NamedTuple):
    """At the end: posts that count, of one point each; the total that the service tells; messages
    of the WebSocket; what was not as promised."""

    settled: int
    total: int
    seen: int
    findings: list[str]


class Honest:
    """One user's client, for a process of its own. Posts go over a kept connection and are repeated
    until they are settled; reads come over fresh ones; a WebSocket shows the board live."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._base = f"{target.url}/api/boards/{BOARD}"
        self._headers = {"Authorization": f"Bearer {target.token}"}
        self._numbers = itertools.count(1)
        self._phase = ""
        self._latencies: list[float] = []
        self._refused = self._settled = self._seen = 0
        self._findings: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begins, and goes on until the process ends or ``stop``."""
        self._session = aiohttp.ClientSession(timeout=TIME)
        for part in (self._post, self._read, self._watch):
            self._tasks.append(asyncio.create_task(part()))

    async def begin(self, phase: str) -> None:
        """Starts a new phase, for the figures and the findings."""
        self._phase = phase
        self._refused = 0
        self._latencies.clear()

    async def figures(self) -> Figures:
        """Those of the phase."""
        some = self._latencies or [0.0]
        p99 = quantiles(some, n=100)[98] if len(some) > 1 else some[0]
        return Figures(len(self._latencies), self._refused, 1000 * p99, 1000 * max(some))

    async def stop(self) -> Account:
        """Ends and gives account."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for task in self._tasks:
            if not task.cancelled() and (error := task.exception()):
                self._find(f"the honest client failed: {error!r}")
        async with self._session, self._session.get(f"{self._base}/users/{USER}") as answer:
            total = int((await answer.json())["score"])
        return Account(self._settled, total, self._seen, self._findings)

    async def is_well(self) -> bool:
        """Whether a post, a read and a new WebSocket work right now."""
        try:
            async with aiohttp.ClientSession(timeout=TIME) as session:
                if await self._score(session, SECOND, next(self._numbers)) != 200:
                    return False
                async with session.get(f"{self._base}/top") as answer:
                    if answer.status != 200:
                        return False
                url = f"{self._target.url}/ws/leaderboard?board={BOARD}"
                async with session.ws_connect(url) as socket:
                    await socket.receive_json(timeout=HANG)
            return True
        except (*_AWAY, TypeError):
            return False

    async def _post(self) -> None:
        while True:
            number = next(self._numbers)
            while True:
                began = time.monotonic()
                try:
                    status = await self._score(self._session, USER, number)
                except TimeoutError:
                    self._find(f"a post hung for over {HANG:g} s")
                    continue
                except _AWAY:
                    await asyncio.sleep(PAUSE)
                    continue
                self._note("a post", status, began)
                if status in (200, 409):
                    self._settled += 1
                    break
                await asyncio.sleep(PAUSE)
            await asyncio.sleep(PAUSE)

    async def _read(self) -> None:
        while True:
            began = time.monotonic()
            try:
                async with (
                    aiohttp.ClientSession(timeout=TIME) as session,
                    session.get(f"{self._base}/top") as answer,
                ):
                    self._note("a read", answer.status, began)
            except TimeoutError:
                self._find(f"a read hung for over {HANG:g} s")
            except _AWAY:
                pass
            await asyncio.sleep(4 * PAUSE)

    async def _watch(self) -> None:
        url = f"{self._target.url}/ws/leaderboard?board={BOARD}"
        while True:
            with contextlib.suppress(*_AWAY):
                async with self._session.ws_connect(url, heartbeat=HANG) as socket:
                    async for _ in socket:
                        self._seen += 1
            await asyncio.sleep(PAUSE)

    async def _score(self, session: aiohttp.ClientSession, user: str, number: int) -> int:
        body = {"userId": user, "actionId": f"a{number}", "points": 1}
        url = f"{self._base}/score"
        async with session.post(url, json=body, headers=self._headers) as answer:
            if answer.status == 503 and "Retry-After" not in answer.headers:
                self._find("a 503 without Retry-After")
            return answer.status

    def _note(self, what: str, status: int, began: float) -> None:
        self._latencies.append(time.monotonic() - began)
        self._refused += status == 503
        if status not in (200, 409, 503) and not (what == "a read" and status == 404):
            self._find(f"{what} was answered {status}")

    def _find(self, finding: str) -> None:
        finding = f"{self._phase}: {finding}"
        if finding not in self._findings:
            self._findings.append(finding)
