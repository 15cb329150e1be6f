"""The pictures of docs/images, which `make pictures` takes anew. These are no tests and run only
when this file is named; they show the tests' pages, in the tests' browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.e2e.conftest import OpenPage
from tests.e2e.review_queue import Queue, case, open_queue
from tests.e2e.stand_in import Feed
from tests.e2e.test_live_page_periods import DAY, WEEK

pytestmark = pytest.mark.asyncio(loop_scope="module")

IMAGES = Path(__file__).parents[2] / "docs" / "images"
TOP = {
    "orbit9": 9875,
    "marlow": 7605,
    "Åsa": 6845,
    "tin-robot": 6793,
    "kestrel": 6736,
    "halfmoon": 6593,
    "ploughman": 6352,
    "nightjar": 4924,
    "tern": 3940,
    "saffron": 3763,
}
LATER = TOP | {"orbit9": 9905, "marlow": 7610, "tin-robot": 6818}


async def test_the_live_page(new_page: OpenPage, feed: Feed) -> None:
    page = await new_page(
        viewport={"width": 1000, "height": 800}, color_scheme="dark", timezone_id="UTC"
    )
    feed.rules = {"title": "Skyline Rally", "unit": "points"}
    feed.periods, feed.users, feed.date = [DAY, WEEK], 40, "Fri, 20 Mar 2026 03:00:00 GMT"
    feed.url += "&period=week"
    await feed.open(page)
    feed.send("snapshot", 1, TOP, period="week", occurrence=12)
    await expect(page.locator(".row")).to_have_count(10)
    await expect(page.get_by_role("link", name="Next")).to_be_visible()
    feed.send("update", 2, LATER, period="week", occurrence=12)
    await expect(page.locator(".row").first).to_contain_text("9,905")
    await expect(page.get_by_text("+30")).to_be_visible()
    await page.screenshot(path=IMAGES / "leaderboard.png")


async def test_the_review_queue(new_page: OpenPage, queue: Queue) -> None:
    page = await new_page(
        viewport={"width": 1000, "height": 1180},
        color_scheme="dark",
        reduced_motion="reduce",
        timezone_id="UTC",
    )
    await open_queue(page, queue)
    await expect(page.locator("figcaption").first).to_be_visible()
    await case(page, "dan").press("j")
    await page.keyboard.press("k")
    await expect(case(page, "dan")).to_be_focused()
    await page.screenshot(path=IMAGES / "admin.png")
