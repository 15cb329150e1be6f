"""What the pages of boards and players show, each said by a stand-in for the service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from playwright.async_api import Page, expect

from tests.e2e.stand_in import Feed
from tests.e2e.test_live_page_periods import BOARD, DAY, LAST_WEEK, WEEK
from tests.e2e.test_player_page import follow, open_player

TOP = {f"user{n}": 5000 - n for n in range(10)}
DAY_BEGAN = {"since": "2026-03-20T00:00:00Z", "ranks": {f"user{n}": 11 + n % 9 for n in range(8)}}
TOP_NINE = dict(list(TOP.items())[:9])

Show = Callable[[Page, Feed], Awaitable[None]]


async def a_board(page: Page, feed: Feed) -> None:
    feed.rules = {"title": "The Grand Arena", "unit": "pts", "description": "All of this year."}
    feed.users = 23
    feed.answers = {f"{BOARD}/users:lookup?day=true": {"missing": [], "day": DAY_BEGAN}}
    await feed.open(page)
    feed.send("snapshot", 1, TOP)
    await expect(page.locator(".row")).to_have_count(10)
    await expect(page.locator(".move:visible")).to_have_count(10)
    feed.send("update", 2, {"zoe": 6000} | TOP_NINE)
    await expect(page.locator(".row:not(.leaving)").first).to_contain_text("zoe")
    await expect(page.get_by_role("link", name="Next")).to_be_visible()


async def cut_off(page: Page, feed: Feed) -> None:
    """The page has lost its connection, and gets no new one."""
    feed.refusal = 1013
    await feed.sockets[-1].close(code=1013)
    await expect(page.locator("#state")).to_have_attribute("data-state", "waiting")


async def a_board_that_is_cut_off(page: Page, feed: Feed) -> None:
    await a_board(page, feed)
    await cut_off(page, feed)


async def a_period(page: Page, feed: Feed) -> None:
    feed.rules, feed.periods = {"title": "The Grand Arena"}, [DAY, WEEK]
    feed.url += "&period=week"
    await feed.open(page)
    feed.send("snapshot", 1, TOP, period="week", occurrence=12)
    await expect(page.get_by_role("button", name="Past")).to_be_visible()
    await expect(page.locator(".row")).to_have_count(10)


async def past_occurrences(page: Page, feed: Feed) -> None:
    listed = [LAST_WEEK | {"users": 12}, LAST_WEEK | {"occurrence": 9, "users": 3, "gone": True}]
    feed.answers = {
        f"{BOARD}/periods/week/occurrences?limit=20": {"occurrences": listed, "next": "older"}
    }
    await a_period(page, feed)
    await page.get_by_role("button", name="Past").click()
    await expect(page.get_by_role("dialog").get_by_role("listitem")).to_have_count(2)


async def a_private_board(page: Page, feed: Feed) -> None:
    feed.refusal = 4401
    await feed.open(page)
    await expect(page.get_by_label("Access token")).to_be_visible()


async def an_empty_board(page: Page, feed: Feed) -> None:
    feed.rules, feed.users = {}, 0
    await feed.open(page)
    feed.send("snapshot", 1, {})
    await expect(page.get_by_role("heading", name="No scores yet")).to_be_visible()


async def a_board_that_is_not_there(page: Page, feed: Feed) -> None:
    feed.refusal = 4404
    await feed.open(page)
    await expect(page.get_by_role("button", name="Try now")).to_be_visible()


async def the_overlay(page: Page, feed: Feed) -> None:
    """Over a picture of its shadows' colour: what it will lie over is not known."""
    dark = await page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    theme = "dark" if dark else "light"
    feed.url = feed.url.replace("/?board=arena", f"/overlay/arena?period=week&theme={theme}")
    feed.rules, feed.periods = {"title": "Monza"}, [WEEK]
    await feed.open(page)
    feed.send("snapshot", 1, TOP, period="week", occurrence=12)
    await expect(page.locator(".row")).to_have_count(5)
    await page.evaluate("document.body.style.backgroundColor = 'var(--paper)'")


async def a_player(page: Page, feed: Feed) -> None:
    await follow(page, feed)
    await expect(page.locator("#state-text")).to_have_text("Live")
    await expect(page.locator("#curve svg .line")).to_have_count(1)
    await expect(page.get_by_role("button", name="Show more")).to_be_visible()


async def a_player_who_is_cut_off(page: Page, feed: Feed) -> None:
    await a_player(page, feed)
    await cut_off(page, feed)


async def a_player_who_is_not_there(page: Page, feed: Feed) -> None:
    feed.answers = {"none": {}}
    await open_player(page, feed)
    await expect(page.get_by_role("heading", name="There is no player")).to_be_visible()


SCREENS: list[Show] = [
    a_board,
    a_board_that_is_cut_off,
    a_period,
    past_occurrences,
    a_private_board,
    an_empty_board,
    a_board_that_is_not_there,
    the_overlay,
    a_player,
    a_player_who_is_cut_off,
    a_player_who_is_not_there,
]
