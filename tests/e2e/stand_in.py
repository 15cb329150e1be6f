"""What a service says to the live page, said by the test. The page is the real one in a real
browser; what stands in for the service can fall silent, leave gaps and refuse."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Error, Page, WebSocketRoute

from scoreboard.api import pages
from scoreboard.api.operations import add_routes
from tests.support.waiting import wait_until

Scores = dict[str, int]


class Feed:
    """The server's side of the page's WebSockets; the latest is ``sockets[-1]``. The board's
    ``rules`` are told when it is asked for them and ``tell`` is set; while they are None it answers
    as if there were no such call, and when they are a number, with that status. Its ``periods`` are
    told with them, at ``date`` by the service's clock if that is set. ``answers`` are those to
    other reads, by path and query; a number is a status."""

    def __init__(self) -> None:
        self.url = ""
        self.sockets: list[WebSocketRoute] = []
        self.refusal: int | None = None
        self.rules: dict[str, Any] | int | None = None
        self.periods: list[dict[str, Any]] = []
        self.date = ""
        self.users = 3
        self.answers: dict[str, Any] = {}
        self.tell = asyncio.Event()
        self.tell.set()

    async def describe(self, request: web.Request) -> web.Response:
        """Answers ``GET /api/boards/{board}``."""
        await self.tell.wait()
        if not isinstance(self.rules, dict):
            return web.Response(status=self.rules or 404)
        told = {"board": "arena", "rules": self.rules, "users": self.users, "version": 1}
        dated = {"Date": self.date} if self.date else {}
        return web.json_response(told | {"periods": self.periods}, headers=dated)

    async def answer(self, request: web.Request) -> web.Response:
        """Answers any other read of the board."""
        if request.path_qs not in self.answers:
            raise web.HTTPNotFound
        told = self.answers[request.path_qs]
        return web.Response(status=told) if isinstance(told, int) else web.json_response(told)

    async def open(self, page: Page, url: str = "") -> None:
        """Opens the live page, or that of ``url``, and waits for its WebSocket."""

        async def accept(socket: WebSocketRoute) -> None:
            self.sockets.append(socket)
            if self.refusal is not None:
                await socket.close(code=self.refusal)

        await page.route_web_socket("**/ws/leaderboard*", accept)
        await page.goto(url or self.url)
        await self.connected()

    async def connected(self, times: int = 1) -> WebSocketRoute:
        await wait_until(
            lambda: len(self.sockets) >= times, description=f"WebSocket {times} is opened"
        )
        return self.sockets[-1]

    def tell_of_ada(self, kind: str, **members: Any) -> None:
        """Sends what ada's own channel tells."""
        message = {"type": kind, "board": "arena", "userId": "ada", **members}
        self.sockets[-1].send(json.dumps(message | {"at": "2026-03-20T21:00:07.000Z"}))

    def send(
        self,
        kind: str,
        version: int,
        scores: Scores | None = None,
        *,
        players: dict[str, Any] | None = None,
        **more: Any,
    ) -> None:
        """Sends a message; ``players`` are what some users show of themselves."""
        message: dict[str, object] = {"type": kind, "board": "arena", "version": version, **more}
        if scores is not None:
            shown = {user: {"player": player} for user, player in (players or {}).items()}
            message["topScores"] = [
                {"userId": u, "score": s, **shown.get(u, {})} for u, s in scores.items()
            ]
            message["at"] = "2026-01-31T18:00:00.000Z"
        self.sockets[-1].send(json.dumps(message))


@asynccontextmanager
async def stand_in() -> AsyncIterator[Feed]:
    """Serves the pages' files and ``feed``'s answers."""
    feed = Feed()
    app = web.Application()
    app.router.add_get("/api/boards/{board}", feed.describe)
    app.router.add_get("/api/boards/{board}/{what:.*}", feed.answer)
    app.router.add_post("/api/boards/{board}/{what:.*}", feed.answer)
    add_routes(app, pages.operations())
    async with TestServer(app) as server:
        feed.url = str(server.make_url("/?board=arena"))
        yield feed


async def shown(page: Page) -> Scores:
    """What a reader sees, top down."""
    rows = await page.evaluate("""[...document.querySelectorAll(".row:not(.leaving)")].map((row) =>
        [row.querySelector(".user").textContent, row.querySelector(".score").textContent])""")
    return {user: int(score.replace(",", "") or 0) for user, score in rows}


async def stop_the_clock(page: Page) -> None:
    """From here on, time passes in the page's scripts only by ``page.clock.fast_forward``."""
    await page.clock.install(time=0)
    await page.clock.pause_at(1_000)


async def hold_the_clock(page: Page) -> None:
    """The same amid a test whose clock is installed: what is due within a second happens now."""

    async def held() -> bool:
        try:
            await page.clock.pause_at(await page.evaluate("Date.now() / 1_000 + 1"))
        except Error as error:
            if "to the past" not in error.message:
                raise
            return False  # that second was over already, but the clock stands now
        return True

    await wait_until(held, description="the clock stands")


async def expect_shown(page: Page, scores: Scores) -> None:
    async def seen() -> bool:
        return list((await shown(page)).items()) == list(scores.items())

    await wait_until(seen, description=f"the page shows {scores}")


def is_true(page: Page, script: str) -> Callable[[], Awaitable[bool]]:
    """A condition for ``wait_until``; the page's policy forbids Playwright's own way to wait."""
    return lambda: page.evaluate(script)


async def rows_rest(page: Page) -> None:
    """Returns once no row moves any more."""
    at_rest = "document.querySelector('.rows').getAnimations({subtree: true}).length === 0"
    await wait_until(is_true(page, at_rest), description="the rows are at rest")
