"""The API's page in a browser: Redoc, served from here, on both descriptions."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, Request, expect

from scoreboard.settings import Settings
from tests.e2e.conftest import OpenPage
from tests.support.extent import kept
from tests.support.whole_service import Service, service

PHONE = {"width": 390, "height": 844}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def running(settings: Settings) -> AsyncIterator[Service]:
    async with service(settings) as started:
        yield started


def heading(page: Page, chapter: str) -> Locator:
    """A chapter's heading, whose name begins with the link to it."""
    return page.get_by_role("heading", name=re.compile(f"{chapter}$"))


async def opened(page: Page, address: str) -> list[str]:
    """Opens the page; the addresses that it asks for, as they come."""
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page.on("request", note)
    await page.goto(address)
    return asked


async def test_the_api_page_has_chapters_calls_and_a_search_and_asks_no_other_host(
    running: Service, new_page: OpenPage
) -> None:
    page = await new_page()
    asked = await opened(page, f"{running.url}/docs")

    for chapter in ("Tokens", "Errors"):
        await expect(heading(page, chapter)).to_be_visible()
    await expect(page.get_by_text("outcome_unknown").first).to_be_visible()
    await page.goto(f"{running.url}/docs#tag/scores/post_score")
    await expect(page.get_by_text('curl -s "$URL/api/score"').first).to_be_visible()
    await page.keyboard.press("Control+k")
    await page.keyboard.type("neighbours")
    await expect(page.get_by_text("A user's neighbours").first).to_be_visible()
    assert [url for url in asked if not url.startswith(running.url)] == []
    assert f"{running.url}/openapi.json" in asked


async def test_the_websockets_messages_are_in_the_same_page(
    running: Service, new_page: OpenPage
) -> None:
    page = await new_page()
    asked = await opened(page, f"{running.url}/docs")
    await page.get_by_role("link", name="Live messages").click()

    await page.get_by_text("/ws/leaderboard").first.click()  # what is far below is not drawn yet
    await page.get_by_role("button", name="snapshot", exact=True).click()  # a list to choose from
    for name in ("snapshot", "update", "closed", "heartbeat"):
        await expect(page.get_by_role("menuitem", name=name, exact=True)).to_be_visible()
    assert f"{running.url}/asyncapi.json" in asked
    assert [url for url in asked if not url.startswith(running.url)] == []


@pytest.mark.parametrize("scheme", kept(["light", "dark"], "dark"))
async def test_it_is_light_or_dark_as_the_reader_wishes_and_fits_a_phone(
    running: Service, new_page: OpenPage, scheme: str
) -> None:
    page = await new_page(color_scheme=scheme, viewport=PHONE)
    await opened(page, f"{running.url}/docs")
    await expect(heading(page, "Tokens")).to_be_visible()

    background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    red = int(background.removeprefix("rgb(").partition(",")[0])
    assert (red > 200) is (scheme == "light"), background
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


async def test_a_phone_shows_every_column_of_the_table_of_errors(
    running: Service, new_page: OpenPage
) -> None:
    page = await new_page(viewport=PHONE)
    await opened(page, f"{running.url}/docs#section/Errors")
    await expect(heading(page, "Errors")).to_be_visible()
    meaning = page.get_by_role("cell", name="The same call again tells which")
    box = await meaning.bounding_box()
    assert box
    assert box["x"] + box["width"] <= PHONE["width"]
