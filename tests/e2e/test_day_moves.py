"""The arrows of the live page, which are about the day, in a real browser against a stand-in."""

from __future__ import annotations

import pytest
from playwright.async_api import Locator, Page, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.stand_in import Feed

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOOKUP = "/api/boards/arena/users:lookup?day=true"


def move(page: Page, user: str) -> Locator:
    return page.locator(f".row[data-user={user}] .move")


async def test_arrows_tell_how_many_places_it_is_from_where_the_day_began(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    await page.clock.install()
    feed.rules = {}
    day = {"since": "2026-01-31T00:00:00Z", "ranks": {"ann": 3, "bob": 1, "cy": 3}}
    feed.answers = {LOOKUP: {"users": [], "missing": ["anonymous-1"], "day": day}}
    await feed.open(page)
    told = {"ann": 30, "bob": 20, "cy": 10, "dan": 5, "anonymous-1": 4}
    feed.send("snapshot", 1, told)
    await expect(page.locator(".row")).to_have_count(5)
    await expect(move(page, "ann")).to_have_text("▲ 2")
    await expect(move(page, "ann")).to_have_attribute("aria-label", "Up 2 today")
    await expect(move(page, "bob")).to_have_text("▼ 1")
    await expect(move(page, "cy")).to_be_hidden()
    await expect(move(page, "dan")).to_have_text("NEW")
    await expect(move(page, "anonymous-1")).to_be_hidden()

    # One step changes the distance to that place, and no time takes the arrow away.
    feed.send("update", 2, {"bob": 31, "ann": 30, "cy": 10, "eve": 6, "dan": 5})
    await expect(move(page, "ann")).to_have_text("▲ 1")
    await expect(move(page, "bob")).to_be_hidden()
    await expect(move(page, "eve")).to_be_hidden()
    await page.clock.fast_forward(20_000)
    await expect(move(page, "eve")).to_have_text("NEW")
    await expect(move(page, "ann")).to_have_text("▲ 1")


async def test_where_no_day_is_kept_there_is_no_arrow(new_page: OpenPage, feed: Feed) -> None:
    page = await new_page()
    feed.rules = {}
    feed.answers = {LOOKUP: {"users": [], "missing": [], "day": None}}
    await feed.open(page)
    async with page.expect_response("**/users:lookup*"):
        feed.send("snapshot", 1, {"ann": 30, "bob": 20})
    feed.send("update", 2, {"bob": 40, "ann": 30})
    await expect(page.locator(".row:not(.leaving) .user")).to_have_text(["bob", "ann"])
    await expect(page.locator(".move:visible")).to_have_count(0)
