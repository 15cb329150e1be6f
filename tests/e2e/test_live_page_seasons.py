"""The live page of a board with periods, against the whole service."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import pytest_asyncio
from aiohttp import ClientSession, ClientTimeout
from playwright.async_api import Page, expect
from redis.asyncio import Redis

from scoreboard.settings import Settings
from tests.e2e.conftest import OpenPage
from tests.e2e.stand_in import expect_shown
from tests.integration.api.described_api import Api, described
from tests.integration.api.test_periods import WEEK, YEARS, ended, make, score
from tests.support.command import environment, named
from tests.support.servers import redis_client
from tests.support.waiting import PATIENCE, wait_until
from tests.support.whole_service import service

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOARD = "/api/boards/arena"
BLITZ = {"name": "blitz", "every": "PT4S", "start": "2026-01-01T00:00:00Z"}


@dataclass
class Season:
    """A service with its persister, and what the tests do to it."""

    api: Api
    redis: Redis

    @property
    def url(self) -> str:
        return f"{self.api.service.url}/?board=arena"

    async def turn(self, user: str, points: int) -> None:
        """Ends the week; the user's points open the next one."""
        await ended(self.redis, "week", final_in=0)
        assert (await score(self.api, user, "next", points)).status == 200


@asynccontextmanager
async def persist(settings: Settings) -> AsyncIterator[None]:
    """The role that writes to Postgres and closes occurrences, for as long as the block lasts."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scoreboard", "persist"),
        env=environment(**named(settings.redis_url, settings.database_url)),
        stdout=DEVNULL,
        stderr=DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


@pytest_asyncio.fixture(loop_scope="module")
async def season(settings: Settings) -> AsyncIterator[Season]:
    async with (
        service(settings) as running,
        ClientSession(timeout=ClientTimeout(total=2 * PATIENCE)) as http,
        persist(settings),
        redis_client(settings.redis_url) as redis,
    ):
        yield Season(await described(running, http), redis)


async def expect_number(page: Page, number: int) -> None:
    await expect(page.locator("#which")).to_have_text(f"No. {number}")


async def test_a_week_is_followed_into_the_next(season: Season, new_page: OpenPage) -> None:
    await make(season.api, WEEK, YEARS)
    for n in range(12):
        await score(season.api, f"user{n}", "first", 100 - n)
    page = await new_page()
    await page.goto(season.url)
    tabs = page.get_by_role("navigation", name="Periods").get_by_role("link")
    await expect(tabs).to_have_text(["All time", "week", "years"])
    await tabs.nth(1).click()
    first = {f"user{n}": 100 - n for n in range(10)}
    await expect_shown(page, first)
    await expect_number(page, 1)
    await expect(page.locator("#left")).to_contain_text("ends in")

    await season.turn("ann", 7)
    await expect_shown(page, {"ann": 7})
    await expect_number(page, 2)
    await expect(page.locator("#state-text")).to_have_text("Live")

    await tabs.nth(2).click()
    await expect_shown(page, first)


async def test_what_is_over_is_shown_with_its_final_ranks(
    season: Season, new_page: OpenPage
) -> None:
    await make(season.api, BLITZ)
    actions = [{"userId": f"user{n}", "actionId": "a", "points": 100 - n} for n in range(12)]
    assert (await season.api.post(f"{BOARD}/scores", {"actions": actions})).status == 200

    async def is_final() -> int | None:
        """The number of that in which they count: on a slow machine it is not the first."""
        listed = (await season.api.get(f"{BOARD}/periods/blitz/occurrences?limit=100")).json
        for one in listed["occurrences"]:
            if (one["state"], one["users"]) == ("final", 12):
                return int(one["occurrence"])
        return None

    number = await wait_until(is_final, description="what they were posted in is final")
    assert number is not None
    page = await new_page()
    await page.goto(f"{season.url}&period=blitz")
    await page.get_by_role("button", name="Past").click()
    await page.get_by_role("dialog").get_by_role("link", name="12 players").click()
    await expect_shown(page, {f"user{n}": 100 - n for n in range(10)})
    await expect_number(page, number)
    await expect(page.locator("#left")).to_have_text("final")
    places = page.get_by_role("navigation", name="Places")
    await places.get_by_role("link", name="Next").click()
    await expect_shown(page, {"user10": 90, "user11": 89})
    await expect(page.locator(".place")).to_have_text(["11", "12"])
    await page.get_by_label("Find a player").fill("user11")
    await page.keyboard.press("Enter")
    await expect(page.locator(".row[aria-current=true] .place")).to_have_text("12")


async def test_a_board_with_periods_only_opens_with_the_first(
    season: Season, new_page: OpenPage
) -> None:
    await make(season.api, WEEK, YEARS, allTime=False)
    await score(season.api, "ann", "first", 7)
    page = await new_page()
    await page.goto(season.url)
    await expect_shown(page, {"ann": 7})
    await expect_number(page, 1)
    tabs = page.get_by_role("navigation", name="Periods").get_by_role("link")
    await expect(tabs).to_have_text(["week", "years"])


async def test_a_period_that_there_is_not_leads_to_those_that_there_are(
    season: Season, new_page: OpenPage
) -> None:
    await make(season.api, WEEK)
    await score(season.api, "ann", "first", 7)
    page = await new_page()
    await page.goto(f"{season.url}&period=moon")
    await expect(page.get_by_role("heading", name="There is no period “moon” here")).to_be_visible()
    await page.get_by_role("link", name="week").click()
    await expect_shown(page, {"ann": 7})
