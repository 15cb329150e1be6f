"""axe-core finds no fault in any page, in a large and a small window, light and dark."""

from __future__ import annotations

import asyncpg
import pytest
from playwright.async_api import Page, expect

from scoreboard.settings import Settings
from tests.e2e.axe import expect_no_fault
from tests.e2e.conftest import OpenPage
from tests.e2e.console import Console, open_console, rule, sign_in
from tests.e2e.review_queue import Queue, case, open_queue
from tests.e2e.screens import SCREENS, Show
from tests.e2e.stand_in import Feed
from tests.e2e.test_console_operation import add_models, add_webhook, give_up
from tests.e2e.test_widget import site
from tests.support.dead_letters import bury
from tests.support.extent import further, kept
from tests.support.whole_service import service

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize(
        "size", kept([(1280, 800), (390, 844)], (1280, 800)), ids=["1280x800", "390x844"]
    ),
]

# Redoc puts its menu into no landmark, and writes small words in it too pale. It makes this markup
# as it runs, in classes whose names change from release to release. All else of /docs is checked.
REDOCS_OWN = [".menu-content"]


async def a_page_of(new_page: OpenPage, size: tuple[int, int]) -> Page:
    return await new_page(
        viewport={"width": size[0], "height": size[1]},
        reduced_motion="reduce",
        timezone_id="UTC",
    )


@pytest.mark.parametrize("show", SCREENS, ids=lambda show: show.__name__)
async def test_boards_and_players_have_no_fault(
    new_page: OpenPage, feed: Feed, show: Show, size: tuple[int, int]
) -> None:
    page = await a_page_of(new_page, size)
    await show(page, feed)
    await expect_no_fault(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_the_widget_in_a_page_of_another_site_has_no_fault(
    new_page: OpenPage, settings: Settings, size: tuple[int, int], theme: str
) -> None:
    page = await a_page_of(new_page, size)
    async with site(settings, f"board=arena&theme={theme}") as game:
        await game.score("ann", 10)
        await page.goto(game.url)
        await expect(page.locator(".row")).to_have_count(1)
        await expect_no_fault(page)


async def test_the_review_queue_and_its_dialogs_have_no_fault(
    new_page: OpenPage, queue: Queue, size: tuple[int, int]
) -> None:
    page = await a_page_of(new_page, size)
    await page.goto(queue.url)
    await page.get_by_role("button", name="Sign in").click()
    await expect_no_fault(page)

    await open_queue(page, queue)
    for one in await page.locator(".case").all():
        await one.scroll_into_view_if_needed()
    await expect(page.locator("figcaption")).to_have_count(4)
    await case(page, "ann").get_by_label("Select").check()
    await page.locator("#decisions summary").click()
    await expect_no_fault(page)

    await case(page, "dan").focus()
    for key, name in (("Shift+c", "Confirm and take back"), ("?", "Keys")):
        await page.keyboard.press(key)
        await expect(page.get_by_role("dialog", name=name)).to_be_visible()
        await expect_no_fault(page)
        await page.keyboard.press("Escape")


@further
async def test_the_boards_of_the_console_and_their_dialogs_have_no_fault(
    new_page: OpenPage, console: Console, size: tuple[int, int]
) -> None:
    page = await a_page_of(new_page, size)
    await open_console(page, console, "boards")
    await expect(page.locator("#boards li")).to_have_count(3)
    await expect_no_fault(page)

    await page.get_by_role("link", name="arena").click()
    await expect(page.locator("#board-users")).to_have_text("3 players")
    await page.get_by_role("button", name="Add an event").click()
    await page.get_by_label("Decimals").fill("7")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(rule(page, "decimals").get_by_role("alert")).not_to_be_empty()
    await page.get_by_role("button", name="Add a period").click()
    await expect(page.locator("#period-next li")).to_have_count(5)
    await expect_no_fault(page)

    await page.get_by_label("Name", exact=True).fill("week")
    await page.get_by_role("button", name="Save the period").click()
    await expect(page.locator(".resets").first.locator("li")).to_have_count(3)
    await expect_no_fault(page)
    for name in ("Freeze", "Delete…"):
        await page.get_by_role("button", name=name).click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        await expect_no_fault(page)
        await page.keyboard.press("Escape")


@further
async def test_the_players_of_the_console_have_no_fault(
    new_page: OpenPage, console: Console, size: tuple[int, int]
) -> None:
    page = await a_page_of(new_page, size)
    await open_console(page, console, "players")
    await page.get_by_label("Id or name").fill("ann")
    await page.get_by_label("Id or name").press("Enter")
    await page.get_by_role("link", name="ann", exact=True).wait_for()
    await expect_no_fault(page)
    await page.get_by_role("link", name="ann", exact=True).click()
    await page.get_by_text("Recent actions").click()
    await expect(page.locator("#player-boards .listing tr")).to_have_count(2)
    await expect(page.locator("#player-boards .curve svg")).to_have_count(1)
    await expect_no_fault(page)
    await page.get_by_role("button", name="Take back").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await expect_no_fault(page)
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await page.get_by_role("button", name="Erase…").click()
    await expect_no_fault(page)


@further
async def test_the_gate_the_webhooks_and_the_audit_have_no_fault(
    new_page: OpenPage, console: Console, settings: Settings, size: tuple[int, int]
) -> None:
    await add_models(settings, "arena", "arena")
    assert (await console.admin.call("POST", "/api/admin/models/1/activate")).status == 200
    await add_webhook(console)
    await give_up(settings, 1)
    page = await a_page_of(new_page, size)
    await open_console(page, console, "gate")
    await page.get_by_text("What was measured").first.click()
    await expect_no_fault(page)

    ways = page.get_by_role("navigation", name="Console")
    await ways.get_by_role("link", name="Webhooks").click()
    await page.get_by_role("button", name="Add a webhook").click()
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.locator("#webhook-url-error")).not_to_be_empty()
    await expect_no_fault(page)
    await page.get_by_role("link", name="https://hooks.example.com/a").click()
    await expect(page.get_by_role("button", name="Send again:")).to_be_visible()
    await expect_no_fault(page)

    await ways.get_by_role("link", name="Audit").click()
    await page.get_by_text("Details").first.click()
    await expect_no_fault(page)


@further
async def test_the_health_of_the_service_has_no_fault(
    new_page: OpenPage, console: Console, settings: Settings, size: tuple[int, int]
) -> None:
    database = await asyncpg.connect(settings.database_url)
    await bury(database, {})
    await database.close()
    page = await a_page_of(new_page, size)
    await open_console(page, console, "health")
    await expect(page.get_by_role("rowheader", name="Postgres")).to_be_visible()
    await expect(page.get_by_role("button", name="Try again:")).to_be_visible()
    await expect_no_fault(page)
    await page.route("**/api/admin/health", lambda route: route.abort())
    await page.reload()
    await sign_in(page, console)
    await expect(page.locator("#health-error")).to_contain_text("can't be reached")
    await expect_no_fault(page)


@further
async def test_the_description_and_the_page_of_an_unknown_address_have_no_fault(
    new_page: OpenPage, settings: Settings, size: tuple[int, int]
) -> None:
    page = await a_page_of(new_page, size)
    async with service(settings, takes_tokens=False) as running:
        for address in ("docs", "docs?live"):
            await page.goto(f"{running.url}/{address}")
            await expect(page.get_by_role("table").first).to_be_visible()
            await expect(page.get_by_text("Loading...")).to_have_count(0)
            await expect_no_fault(page, exclude=REDOCS_OWN)
        await page.goto(f"{running.url}/no/such/page")
        await expect_no_fault(page)
