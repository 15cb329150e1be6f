"""A service with boards, and the console in which they are kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientSession, ClientTimeout
from playwright.async_api import Locator, Page, expect

from scoreboard.settings import Settings
from tests.integration.api.described_api import Api, described
from tests.support.waiting import PATIENCE, wait_until
from tests.support.whole_service import service


class Console:
    """A service with players on the board ``arena``, and the board ``laps``, on which nobody is."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.url = f"{api.service.url}/admin"
        self.admin = api.bearing(self.token())

    def token(self, scope: str = "admin", ttl: int = 600) -> str:
        return self.api.service.token(scope, subject="eve", ttl=ttl)

    async def fill(self) -> None:
        await self.api.service.make_board("laps", title="Monza", order="asc", decimals=3)
        for user, points in (("ann", 30), ("bob", 20), ("cy", 10)):
            assert (await self.api.score(user, points, board="arena")).status == 200
        await wait_until(lambda: self.knows("cy", 1), description="the totals in Postgres")

    async def rules(self, board: str = "arena") -> dict[str, object]:
        """The board's rules, as administrators are told them."""
        answer = await self.admin.get(f"/api/admin/boards/{board}")
        assert answer.status == 200, answer
        found: dict[str, object] = answer.json
        return found

    async def knows(self, user: str, boards: int) -> bool:
        """Whether that many boards have a total of the user in Postgres."""
        answer = await self.admin.get(f"/api/admin/players/{user}")
        return len(answer.json["boards"]) == boards


@asynccontextmanager
async def kept_console(settings: Settings) -> AsyncIterator[Console]:
    async with (
        service(settings) as running,
        ClientSession(timeout=ClientTimeout(total=2 * PATIENCE)) as http,
        running.persisting(),
    ):
        console = Console(await described(running, http))
        await console.fill()
        yield console


async def open_console(page: Page, console: Console, at: str = "") -> None:
    """Signs in at an address of the console, such as ``boards/arena``."""
    await page.goto(f"{console.url}#{at}")
    await sign_in(page, console)


async def sign_in(page: Page, console: Console) -> None:
    await page.get_by_label("Access token").fill(console.token())
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("navigation", name="Console")).to_be_visible()


async def open_board(page: Page, console: Console, board: str = "arena") -> None:
    await open_console(page, console, f"boards/{board}")
    await expect(page.get_by_role("heading", name=board, exact=True)).to_be_focused()


def rule(page: Page, name: str) -> Locator:
    """A rule of a board with its explanation, its control and what is wrong with it."""
    return page.locator(f"#rules [data-rule={name}]")


def period_field(page: Page, name: str) -> Locator:
    """The same of a period that is made or changed."""
    return page.locator(f"#period-form [data-rule={name}]")


def gauge(page: Page, name: str) -> Locator:
    """A figure of the service's health."""
    one = page.locator("#gauges div").filter(has=page.get_by_text(name, exact=True))
    return one.locator(".value")


async def open_player(page: Page, console: Console, user: str) -> None:
    await open_console(page, console, f"players/{user}")
    await expect(page.locator("#player-boards > li")).not_to_have_count(0)
