"""The board as it is laid over a stream."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.stand_in import Feed, expect_shown

pytestmark = pytest.mark.asyncio(loop_scope="module")

WHITE = "rgb(255, 255, 255)"
TOP = {f"user{n}": 83204 + n for n in range(10)}


async def open_overlay(page: Page, feed: Feed, query: str = "") -> None:
    feed.url = feed.url.replace("/?board=arena", f"/overlay/arena{query}")
    await feed.open(page)
    feed.send("snapshot", 1, TOP)


async def background(page: Page, of: str) -> str:
    colour: str = await page.evaluate(f"getComputedStyle({of}).backgroundColor")
    return colour


async def test_it_shows_the_first_five_by_the_boards_rules_and_follows_them(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    feed.rules = {"title": "Monza", "order": "asc", "decimals": 3, "unit": "s"}
    await open_overlay(page, feed)
    await expect(page.get_by_role("heading", name="Monza")).to_be_visible()
    await expect(page.locator(".score")).to_have_text([f"83.20{n}" for n in range(4, 9)])
    assert "board=arena" in feed.sockets[-1].url

    feed.send("update", 2, {"zoe": 80000} | TOP)
    row = page.locator("[data-user=zoe]")
    await expect(row.locator(".score")).to_have_text("80.000")
    await expect(page.locator(".row:not(.leaving)")).to_have_count(5)


async def test_nothing_lies_behind_the_rows(new_page: OpenPage, feed: Feed) -> None:
    page = await new_page()
    await open_overlay(page, feed)
    await expect(page.locator(".row")).to_have_count(5)
    assert await background(page, "document.querySelector('.row:last-child')") != WHITE
    for behind in ("document.documentElement", "document.body"):
        assert await background(page, behind) == "rgba(0, 0, 0, 0)"


async def test_the_address_says_how_many_of_which_period_in_which_light(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    await open_overlay(page, feed, "?top=3&period=week&theme=light")
    await expect(page.locator(".row")).to_have_count(3)
    assert "period=week" in feed.sockets[-1].url
    await expect(page.get_by_role("heading", name="arena week")).to_be_visible()
    assert await background(page, "document.querySelector('.row:last-child')") == WHITE


@pytest.mark.parametrize("query", ["?top=0", "?top=-3", "?top=many", "?theme=pink"])
async def test_what_can_not_be_meant_is_passed_over(
    new_page: OpenPage, feed: Feed, query: str
) -> None:
    page = await new_page()
    await open_overlay(page, feed, query)
    await expect(page.locator(".row")).to_have_count(5)


async def test_a_board_that_is_not_there_is_said_to_be(new_page: OpenPage, feed: Feed) -> None:
    page = await new_page()
    feed.refusal = 4404
    feed.url = feed.url.replace("/?board=arena", "/overlay/arena")
    await feed.open(page)
    await expect(page.get_by_role("status")).to_have_text("There is no board “arena” yet")


async def test_it_keeps_the_rows_while_it_is_cut_off_and_comes_back_by_itself(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    await page.add_init_script("Math.random = () => 0")
    await open_overlay(page, feed)
    await expect(page.locator(".row")).to_have_count(5)
    await feed.sockets[-1].close(code=1012)
    await feed.connected(2)
    await expect(page.locator(".row")).to_have_count(5)
    feed.send("snapshot", 2, {"ann": 7})
    await expect_shown(page, {"ann": 7})
