"""The console's frame in a real browser: who is signed in, and what the address names."""

from __future__ import annotations

import asyncio
import json

import pytest
from playwright.async_api import FilePayload, Page, Route, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.console import Console, open_board, open_console, rule, sign_in

pytestmark = pytest.mark.asyncio(loop_scope="module")

STORED = "[localStorage.length, sessionStorage.length, document.cookie, location.search]"


async def refuse_the_token(page: Page) -> None:
    """From now on the service takes the token for one that has expired."""
    problem = json.dumps({"status": 401, "code": "unauthorized", "detail": "No usable token."})
    await page.route("**/api/**", lambda route: route.fulfill(status=401, body=problem))


async def test_an_address_is_kept_over_a_reload_which_asks_for_the_token_again(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_board(page, console)
    await expect(page).to_have_title("arena · Boards · Scoreboard")
    await page.reload()
    await expect(page.get_by_role("heading", name="Console")).to_be_visible()
    await expect(page.get_by_role("navigation", name="Console")).to_be_hidden()
    await sign_in(page, console)
    await expect(page.get_by_role("heading", name="arena", exact=True)).to_be_focused()


async def test_the_sections_are_reached_by_links_and_by_going_back(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_console(page, console)
    ways = page.get_by_role("navigation", name="Console")
    await expect(page.get_by_role("heading", name="Review queue")).to_be_visible()
    await ways.get_by_role("link", name="Boards").press("Enter")
    await expect(page.get_by_role("heading", name="Boards", exact=True)).to_be_focused()
    await expect(ways.locator("[aria-current=page]")).to_have_text("Boards")
    await page.get_by_role("link", name="laps").press("Enter")
    await expect(page.get_by_role("heading", name="laps", exact=True)).to_be_focused()
    await page.go_back()
    await expect(page.get_by_role("heading", name="Boards", exact=True)).to_be_focused()
    await page.go_back()
    await expect(page.get_by_role("heading", name="Review queue")).to_be_visible()
    await expect(ways.locator("[aria-current=page]")).to_have_text("Review")


async def test_the_token_is_kept_nowhere_and_signing_out_forgets_what_was_shown(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_console(page, console, "boards")
    await expect(page.locator("#boards li")).to_have_count(3)
    assert await page.evaluate(STORED) == [0, 0, "", ""]
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("Access token")).to_have_value("")
    await expect(page.locator("#boards li")).to_have_count(0)


async def test_a_token_that_expires_is_asked_for_again_and_nothing_that_was_typed_is_lost(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_board(page, console)
    await page.get_by_label("Title").fill("Half a wo")
    await refuse_the_token(page)
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_role("alert").filter(has_text="was not accepted")).to_be_visible()
    await expect(page.get_by_label("Access token")).to_be_focused()
    await page.unroute("**/api/**")
    await sign_in(page, console)
    await expect(rule(page, "title").get_by_role("textbox")).to_have_value("Half a wo")


async def test_a_token_that_expires_in_a_clearing_signs_out_and_leaves_nothing_under_way(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_board(page, console)
    await page.get_by_role("button", name="Clear…").press("Enter")
    await page.get_by_label("Type arena to go on").fill("arena")
    await refuse_the_token(page)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert").filter(has_text="was not accepted")).to_be_visible()
    await expect(page.get_by_label("Access token")).to_be_focused()
    await expect(page.locator("#boards-said")).to_have_text("")
    await page.unroute("**/api/**")
    await sign_in(page, console)
    await expect(page.locator("#board-users")).to_have_text("3 players")
    await expect(page.locator("#board-error")).to_have_text("")


async def test_no_question_lies_over_the_sign_in_when_the_token_expires_behind_it(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_board(page, console, "laps")
    is_asked = asyncio.Event()

    async def refuse_later(route: Route) -> None:
        await is_asked.wait()
        await route.fulfill(status=401, body="{}")

    await page.route("**/api/admin/boards/laps/import", refuse_later)
    file = FilePayload(name="a.csv", mimeType="text/csv", buffer=b"user_id,score\nann,1\n")
    await page.get_by_label("File").set_input_files(file)
    await page.get_by_role("button", name="Import", exact=True).press("Enter")
    await page.get_by_role("button", name="Delete…").press("Enter")
    await expect(page.get_by_role("dialog", name="Delete laps")).to_be_visible()
    is_asked.set()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_label("Access token")).to_be_focused()
    await sign_in(page, console)
    assert (await console.rules("laps"))["title"] == "Monza"
