"""The console's page on the service itself, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest
from playwright.async_api import Locator, Page, Route, expect

from scoreboard.settings import Settings
from tests.e2e.conftest import OpenPage
from tests.e2e.console import Console, gauge, open_console
from tests.e2e.stand_in import stop_the_clock
from tests.support.dead_letters import bury
from tests.support.ledger_entries import fields

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEALTH = "**/api/admin/health"


SERVERS = [
    {"address": "10.0.0.1:6379", "role": "master", "master": None, "replicas": 1,
     "partitions": [0, 2], "backlog": 1200, "lagSeconds": 2.5},
    {"address": "10.0.0.2:6379", "role": "replica", "master": "10.0.0.1:6379", "replicas": None,
     "partitions": [], "backlog": None, "lagSeconds": None},
    {"address": "10.0.0.3:6379", "role": "master", "master": None, "replicas": 0,
     "partitions": [1], "backlog": None, "lagSeconds": None},
]  # fmt: skip


def told(
    second: int,
    *,
    answers: int,
    failures: int = 0,
    fast: int = 0,
    servers: Sequence[Any] = (),
    **parts: Any,
) -> str:
    """What the service tells, so many seconds after the first: ``fast`` answers took 5 ms, the
    others 50."""
    return json.dumps(
        {
            "ready": all(one["up"] for one in parts.values()),
            "version": "1.2.3",
            "parts": {"redis": {"up": True, "backlog": 1200, "lagSeconds": 2.5}} | parts,
            "traffic": {
                "at": f"2026-06-01T00:00:{second:02}Z",
                "answers": {"2xx": answers - failures, "5xx": failures},
                "latencies": [
                    {"upTo": 0.001, "answers": 0},
                    {"upTo": 0.005, "answers": fast},
                    {"upTo": 0.05, "answers": answers},
                    {"upTo": None, "answers": answers},
                ],
                "actions": {"accepted": answers // 2},
                "websockets": 7,
            },
            "servers": servers,
        }
    )


async def tell(page: Page, body: str) -> None:
    """From now on the service tells this."""
    await page.unroute(HEALTH)
    await page.route(HEALTH, lambda route: route.fulfill(body=body))


async def test_it_shows_how_a_service_fares(console: Console, new_page: OpenPage) -> None:
    page = await new_page()
    await open_console(page, console, "health")
    await expect(page.get_by_role("heading", name="Health")).to_be_focused()
    await expect(page.locator("#health-state")).to_have_text("Takes actions")
    for part in ("Redis", "Postgres", "Persister", "Anomaly gate"):
        row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=part))
        await expect(row).to_contain_text("up")
        await expect(row.get_by_role("cell").last).not_to_be_empty()
    await expect(page.get_by_text("None: all could be written.")).to_be_visible()


async def test_rates_and_times_are_those_between_two_reads(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await stop_the_clock(page)  # so that it reads again when it is told to, and not before
    await tell(page, told(0, answers=1000, fast=1000))
    await open_console(page, console, "health")
    await expect(gauge(page, "Lag")).to_have_text("2.5 s")
    await expect(gauge(page, "Backlog")).to_have_text("1,200")
    await expect(gauge(page, "Watching")).to_have_text("7")
    await expect(gauge(page, "Answers")).to_have_text("…")

    # Of 500 in 5 s, 480 took up to 5 ms, the others up to 50.
    await tell(page, told(5, answers=1500, failures=10, fast=1480))
    await page.clock.run_for(5_000)
    await expect(gauge(page, "Answers")).to_have_text("100/s")
    await expect(gauge(page, "Actions")).to_have_text("50/s")
    await expect(gauge(page, "Failures")).to_have_text("2/s")
    await expect(gauge(page, "Half within")).to_have_text("5 ms")
    await expect(gauge(page, "99% within")).to_have_text("50 ms")

    # Another process answers, which has counted less: nothing is known of its rates yet.
    await tell(page, told(10, answers=20, fast=20))
    await page.clock.run_for(5_000)
    await expect(gauge(page, "Answers")).to_have_text("…")


async def test_a_part_that_is_down_says_what_that_means(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await stop_the_clock(page)  # so that it reads again when it is told to, and not before
    await tell(page, told(0, answers=1))
    await open_console(page, console, "health")
    await expect(page.locator("#health-state")).to_have_text("Takes actions")
    await expect(page.get_by_role("heading", name="Servers of Redis")).to_be_hidden()
    down = {"up": False, "detail": "no answer within 1.5 s"}
    audit = {"up": True, "users": 1500, "differences": 2, "ageSeconds": 12.5}
    await tell(page, told(5, answers=2, servers=SERVERS, writes=down, audit=audit))
    await page.clock.run_for(5_000)
    await expect(page.locator("#health-state")).to_have_text("Takes no actions")
    await expect(page.locator("#announcer")).to_have_text("The service: Takes no actions.")
    await expect(page.get_by_role("row").filter(has_text="Writes")).to_contain_text(
        "Redis takes none, so no action is taken. no answer within 1.5 s"
    )
    await expect(page.get_by_role("row").filter(has_text="Audit")).to_contain_text(
        "1,500 players compared 12.5 s ago: 2 differences."
    )
    for address, role, has in (
        ("10.0.0.1:6379", "master", "Partitions 0, 2. 1,200 actions not in Postgres yet, the "
                                    "oldest for 2.5 s. 1 replica."),
        ("10.0.0.2:6379", "replica", "Follows 10.0.0.1:6379."),
        ("10.0.0.3:6379", "master", "Partition 1. Did not tell what is not in Postgres yet. No "
                                    "replicas."),
    ):  # fmt: skip
        server = page.get_by_role("rowheader", name=address)
        row = page.get_by_role("row").filter(has=server)
        await expect(row.get_by_role("cell")).to_have_text([role, has])

    await page.unroute(HEALTH)
    await page.route(HEALTH, lambda route: route.abort())
    await page.clock.run_for(5_000)
    await expect(page.locator("#health-error")).to_have_text(
        "The server can't be reached. What is shown is old."
    )


async def one_more_call(route: Route) -> None:
    """The service had no time for any."""
    cursor = "1:0:0-0"  # behind it are all
    told = {"results": [], "more": True, "next": cursor}
    await route.fulfill(body=json.dumps(told))


async def test_what_could_not_be_written_is_tried_again_one_by_one_or_all(
    console: Console, new_page: OpenPage, settings: Settings
) -> None:
    unreadable = {b"<b>": b"1"}
    database = await asyncpg.connect(settings.database_url)
    first, second = [
        await bury(database, fields("dan", f"late{number}", score=5 * number), number)
        for number in (1, 2)
    ]
    unwritable = [await bury(database, unreadable, n, error="no field <b>") for n in range(3, 24)]
    await database.close()
    page = await new_page()
    await open_console(page, console, "health")
    letters = page.get_by_role("list", name="Dead letters").get_by_role("listitem")
    await expect(letters).to_have_count(20)
    more = page.get_by_role("button", name="More dead letters")
    await more.press("Enter")
    await expect(letters).to_have_count(23)
    await expect(letters.nth(20).get_by_role("button")).to_be_focused()
    await expect(more).to_be_hidden()
    await expect(letters.last).to_contain_text("no field <b>")

    def again(name: str) -> Locator:
        return page.get_by_role("button", name=f"Try again: {name}", exact=True)

    await again(first).press("Enter")
    await expect(page.locator("#letters-said")).to_have_text("Written: 1.")
    await expect(letters).to_have_count(22)
    await expect(again(second)).to_be_focused()
    # However many there are: a call goes on where the one before ended, until somebody says stop.
    await page.route("**/dead-letters/retry", one_more_call)
    await page.get_by_role("button", name="Try all again").press("Enter")
    await page.get_by_role("button", name="Stop").press("Enter")
    await expect(page.locator("#letters-said")).to_contain_text("Stopped before all were tried.")
    await page.unroute("**/dead-letters/retry")
    await page.route("**/dead-letters/retry", one_more_call, times=1)
    await page.get_by_role("button", name="Try all again").press("Enter")
    await expect(page.locator("#letters-said")).to_have_text(
        "Written: 1. Still dead: 21, for the reasons below."
    )
    await expect(page.get_by_role("button", name="Try all again")).to_be_focused()
    await expect(letters).to_have_count(21)
    await expect(letters.first).to_contain_text(unwritable[0])
    await expect(again(second)).to_have_count(0)
    assert (await console.admin.get("/api/boards/arena/users/dan")).json["score"] == 10
