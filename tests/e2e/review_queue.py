"""A service with cases that wait for a moderator, and the page on which they wait."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from aiohttp import ClientSession, ClientTimeout
from playwright.async_api import Locator, Page, expect

from scoreboard.settings import Settings
from tests.integration.api.described_api import Api, described
from tests.integration.api.gated_service import USUAL, add_model, play, post, set_board
from tests.support.honest_season import SYDNEY
from tests.support.waiting import PATIENCE, wait_until
from tests.support.whole_service import service

LATER = USUAL[-1] + 600
REVIEWS = "/api/admin/reviews"


class Queue:
    """A service with cases in its queue: ann's impossible trip, bob's many points, cy's conflict
    on the board ``arena``, which rejects, and dan's trip on ``duel``, which flags."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.url = f"{api.service.url}/admin"

    def token(self, scope: str = "admin", ttl: int = 600) -> str:
        return self.api.service.token(scope, subject="eve", ttl=ttl)

    async def fill(self) -> None:
        await set_board(self.api, "arena", mode="reject")
        await set_board(self.api, "duel", mode="flag")
        for board, user in (("arena", "ann"), ("arena", "bob"), ("duel", "dan")):
            await play(self.api, board, user)
        await post(self.api, "arena", "ann", "trip", LATER, **SYDNEY)
        await post(self.api, "arena", "bob", "many", LATER, points=40)
        await post(self.api, "arena", "cy", "twice", 0)
        await post(self.api, "arena", "cy", "twice", 0, points=3)
        await wait_until(lambda: self.has(3), description="the cases of one board in the queue")
        await post(self.api, "duel", "dan", "trip", LATER, **SYDNEY)
        await wait_until(lambda: self.has(4), description="four cases in the queue")

    async def has(self, cases: int, query: str = "") -> bool:
        admin = self.api.bearing(self.token())
        return len((await admin.get(f"{REVIEWS}{query}")).json["reviews"]) == cases

    async def status(self, user: str) -> str:
        admin = self.api.bearing(self.token())
        (case,) = (await admin.get(f"{REVIEWS}?user={user}")).json["reviews"]
        return str(case["status"])


@asynccontextmanager
async def filled_queue(settings: Settings) -> AsyncIterator[Queue]:
    pool = await asyncpg.create_pool(settings.database_url, min_size=1, max_size=1)
    await add_model(pool)
    await pool.close()
    async with (
        service(settings) as running,
        ClientSession(timeout=ClientTimeout(total=2 * PATIENCE)) as http,
        running.persisting(),
    ):
        filled = Queue(await described(running, http))
        await filled.fill()
        yield filled


async def open_queue(page: Page, queue: Queue) -> None:
    await page.goto(queue.url)
    await page.get_by_label("Access token").fill(queue.token())
    await page.keyboard.press("Enter")
    await expect(page.locator(".case")).to_have_count(4)


def case(page: Page, user: str) -> Locator:
    return page.locator(".case").filter(has=page.locator("h2 bdi").get_by_text(user, exact=True))
