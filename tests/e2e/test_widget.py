"""A board in a page of another site, which loads it by one tag from the real service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from playwright.async_api import Page, expect

from scoreboard.settings import Settings
from tests.e2e.conftest import OpenPage
from tests.support.whole_service import Service, service

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = """<!doctype html><html lang="en"><title>A game's own page</title>
<style>ol {{ display: none }} :root {{ --card: red }}</style>
<main><h1>Before</h1>
<script type="module" src="{url}/static/widget.js?{query}"></script>
<h1>After</h1></main>"""


class Site:
    """A game's own web site, whose one page has the tag; and the service that it is loaded from."""

    def __init__(self, url: str, running: Service) -> None:
        self.url = url
        self.running = running

    async def score(self, user: str, points: int) -> None:
        headers = {"Authorization": f"Bearer {self.running.token()}"}
        action = {"userId": user, "actionId": f"a-{user}", "points": points}
        url = f"{self.running.url}/api/boards/arena/score"
        async with ClientSession() as http, http.post(url, json=action, headers=headers) as answer:
            assert answer.status == 200, await answer.text()


@asynccontextmanager
async def site(settings: Settings, query: str, *, allowed: bool = True) -> AsyncIterator[Site]:
    text: list[str] = []

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=text[0], content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    async with TestServer(app) as server:
        url = str(server.make_url("/")).removesuffix("/")
        origins = url if allowed else "https://another.example"
        async with service(settings, allowed_origins=origins) as running:
            text.append(PAGE.format(url=running.url, query=query))
            yield Site(url, running)


async def names(page: Page) -> list[str]:
    return await page.locator(".row:not(.leaving) .user").all_text_contents()


async def test_it_stands_where_the_tag_is_and_follows_the_board(
    new_page: OpenPage, settings: Settings
) -> None:
    async with site(settings, "board=arena&top=2") as game:
        for user, points in (("ann", 10), ("bob", 20), ("cid", 5)):
            await game.score(user, points)
        page = await new_page()
        async with page.expect_response("**/users:lookup?day=true") as asked:
            await page.goto(game.url)
        assert (await asked.value).status == 200, "of the ranks when the day began"
        await expect(page.locator(".row:not(.leaving)")).to_have_count(2)
        assert await names(page) == ["bob", "ann"]
        between = "document.querySelector('h1 ~ script + section + h1')?.textContent"
        assert await page.evaluate(between) == "After"
        link = page.get_by_role("link", name="arena")
        assert await link.get_attribute("href") == f"{game.running.url}/?board=arena"

        await game.score("zoe", 30)
        await expect(page.locator(".row:not(.leaving) .user").first).to_have_text("zoe")
        assert await names(page) == ["zoe", "bob"]


async def test_the_styles_of_the_two_pages_do_not_reach_each_other(
    new_page: OpenPage, settings: Settings
) -> None:
    async with site(settings, "board=arena&theme=dark") as game:
        await game.score("ann", 10)
        page = await new_page(color_scheme="light")
        await page.goto(game.url)
        await expect(page.locator(".row")).to_be_visible()
        row = "getComputedStyle(document.querySelector('section').shadowRoot.querySelector('%s'))"
        assert await page.evaluate((row % ".row") + ".borderTopLeftRadius") == "12px"
        assert await page.evaluate((row % ".score") + ".color") != "rgb(0, 0, 0)"
        card = "getComputedStyle(document.querySelector('section')).getPropertyValue('--card')"
        assert await page.evaluate(card) == "#16191f", "dark, as the tag says, and not red"
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgba(0, 0, 0, 0)"
        )


async def test_a_site_that_is_not_allowed_gets_nothing(
    new_page: OpenPage, settings: Settings
) -> None:
    async with site(settings, "board=arena", allowed=False) as game:
        await game.score("ann", 10)
        page = await new_page()
        async with page.expect_event("requestfailed") as failed:
            await page.goto(game.url)
        assert "widget.js" in (await failed.value).url
        assert await page.locator("section").count() == 0
