"""The JavaScript client in Chromium, by its example: a game in a page, and the game's server."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, async_playwright, expect

from clients.conformance.drivers import CLIENTS
from scripts.load.target import Target
from tests.support.network_changes import load_again_after_a_change_of_network
from tests.support.programs import program
from tests.support.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def page(service: Target) -> AsyncIterator[Page]:
    """The game's page."""
    node = program("node", package="nodejs")
    chromium = program("chromium", package="chromium")
    environment = os.environ | {
        "SCOREBOARD_URL": service.url, "SCOREBOARD_TOKEN": service.token
    }  # fmt: skip
    serve = CLIENTS / "javascript" / "example" / "serve.js"
    server = await asyncio.create_subprocess_exec(
        node, str(serve), "0", env=environment, stdout=PIPE
    )
    assert server.stdout is not None
    url = (await server.stdout.readline()).decode().strip()
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
            )
            page = await browser.new_page()
            load_again_after_a_change_of_network(page)
            page.set_default_timeout(1000 * PATIENCE)
            expect.set_options(timeout=1000 * PATIENCE)
            await page.goto(url)
            yield page
            await browser.close()
    finally:
        server.kill()
        await server.communicate()


async def test_a_hit_counts_and_is_shown_live_and_none_is_lost_with_the_page(page: Page) -> None:
    hit = page.get_by_role("button", name="Hit")
    top = page.locator("#top")
    await hit.click()
    await expect(top).to_have_text("ada 15")

    await page.route("**/api/**", lambda route: route.abort())
    for _ in range(3):
        await hit.click()
    await expect(page.locator("#waiting")).to_contain_text("no_answer")
    await page.unroute("**/api/**")
    await page.evaluate("localStorage.setItem('game:2:x', '{')")  # damaged
    await page.evaluate("localStorage.setItem('game:hat', 'red')")  # the game's own
    await page.reload()

    await expect(top).to_have_text("ada 60")
    await expect(page.locator("#place")).to_have_text("You are number 1.")

    async def none_is_left() -> bool:
        kept: list[str] = await page.evaluate("Object.keys(localStorage).sort()")
        return kept == ["game:2:x", "game:hat"]

    # The board may show what an answer that is still on its way will settle.
    await wait_until(none_is_left, description="only what is not the client's is in its store")
