"""The console's players in a real browser, against the whole service."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.async_api import Page, Route, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.console import Console, open_console, open_player
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

RIGHT_TO_LEFT = "\u0622\u062f\u0627 <b>"


async def put_profile(console: Console, user: str, **profile: Any) -> None:
    answer = await console.api.call(
        "PUT",
        f"/api/users/{quote(user, safe='')}",
        data=json.dumps(profile).encode(),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status == 200, answer


async def search(page: Page, text: str) -> None:
    await page.get_by_label("Id or name").fill(text)
    await page.get_by_label("Id or name").press("Enter")


async def test_a_player_is_found_by_id_and_by_name(console: Console, new_page: OpenPage) -> None:
    await put_profile(console, "cy", displayName="Annabel")
    await put_profile(console, "bob", displayName=RIGHT_TO_LEFT)
    page = await new_page()
    await open_console(page, console, "players")
    await expect(page.get_by_role("heading", name="Players", exact=True)).to_be_focused()
    found = page.get_by_role("list", name="Players that were found").get_by_role("listitem")
    await search(page, "ann")
    await expect(found.get_by_role("link")).to_have_text(["ann", "Annabel"])
    await search(page, "nobody")
    await expect(page.locator("#no-players")).to_contain_text("Nobody:")
    await search(page, "\u0622")
    await expect(found.locator("b bdi")).to_have_text([RIGHT_TO_LEFT])
    await found.get_by_role("link").press("Enter")
    await expect(page.get_by_role("heading", name=RIGHT_TO_LEFT)).to_be_focused()
    await expect(page.locator("#player-id")).to_have_text("bob")


async def test_a_player_is_shown_on_every_board_with_what_was_done_there(
    console: Console, new_page: OpenPage
) -> None:
    assert (await console.api.score("ann", 83204, board="laps")).status == 200
    await wait_until(lambda: console.knows("ann", 2), description="both totals in Postgres")
    page = await new_page()
    await open_player(page, console, "ann")
    cards = page.locator("#player-boards > li")
    await expect(cards).to_have_count(2)
    await expect(cards.first).to_contain_text("Rank 1 · 30")
    await expect(cards.last).to_contain_text("Rank 1 · 83.204")
    await cards.last.get_by_text("recent actions").press("Enter")
    row = cards.last.get_by_role("row").last
    await expect(row).to_contain_text("+83.204")
    await expect(cards.last.locator(".curve svg .line")).to_have_count(1)
    by_hour = cards.last.get_by_role("table", name="Score by hour")
    await expect(by_hour.get_by_role("cell")).to_have_text(["83.204"])
    await cards.first.get_by_role("link", name="arena").press("Enter")
    await expect(page.get_by_role("heading", name="arena", exact=True)).to_be_focused()


async def test_a_player_is_hidden_on_a_board_and_shown_again(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_player(page, console, "ann")
    await page.get_by_role("button", name="Hide on arena").press("Enter")
    await expect(page.locator("#players-said")).to_have_text("Hidden on arena.")
    await expect(page.locator("#player-boards")).to_contain_text("Hidden by a moderator · 30")
    assert "ann" not in await console.api.top("arena")
    await expect(page.get_by_role("button", name="Show on arena")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#players-said")).to_have_text("Shown on arena.")
    assert "ann" in await console.api.top("arena")


async def test_one_action_is_taken_back_for_a_reason(console: Console, new_page: OpenPage) -> None:
    assert (await console.api.score("ann", 5, "a2", board="arena")).status == 200
    page = await new_page()
    await open_player(page, console, "ann")
    card = page.locator("#player-boards > li")
    await card.get_by_text("recent actions").press("Enter")
    opener = card.get_by_role("button", name="Take back +30")
    await expect(opener).to_be_visible()
    await expect(card.locator("summary")).to_be_focused()
    await opener.press("Enter")
    dialog = page.get_by_role("dialog", name="Take back an action of ann")
    await expect(dialog).to_contain_text("takes the action a1, +30 of")
    await expect(dialog.get_by_label("Why")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(dialog).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(opener).to_be_focused()

    await page.keyboard.press("Enter")
    await dialog.get_by_label("Why").fill("a script")
    await page.keyboard.press("Enter")
    await expect(page.locator("#players-said")).to_contain_text("Taken back on arena: +30 of")
    await expect(card).to_contain_text("Rank 3 · 5")
    await expect(card.get_by_role("row").filter(has_text="taken back")).to_contain_text("+30")
    await expect(card.locator("summary")).to_be_focused()
    await expect(card.get_by_role("button", name="Take back")).to_have_count(1)
    assert await console.api.top("arena") == {"bob": 20, "cy": 10, "ann": 5}


async def test_all_that_is_held_about_a_player_is_saved_as_a_file(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_player(page, console, "ann")
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Export").press("Enter")
    download = await downloading.value
    assert download.suggested_filename == "player.json"
    saved = json.loads(await asyncio.to_thread(Path(await download.path()).read_text))
    assert saved["userId"] == "ann"
    assert [one["board"] for one in saved["boards"]] == ["arena"]


@pytest.mark.parametrize(("button", "title"), [("Erase…", "Erase"), ("Make anonymous…", "Make")])
async def test_a_player_is_erased_when_the_id_was_typed(
    console: Console, new_page: OpenPage, button: str, title: str
) -> None:
    page = await new_page()
    await open_player(page, console, "ann")
    await page.get_by_role("button", name=button).press("Enter")
    dialog = page.get_by_role("dialog", name=title)
    await expect(dialog).to_contain_text("This destroys, for ever and on all boards, of ann")
    await dialog.get_by_label("Type ann to go on").fill("anne")
    await page.keyboard.press("Enter")
    await expect(dialog).to_be_visible()
    await dialog.get_by_label("Type ann to go on").fill("ann")
    await page.keyboard.press("Enter")
    await expect(page.locator("#players-said")).to_contain_text(": done.")
    await expect(page.locator("#on-no-board")).to_be_visible()
    top = await console.api.top("arena")
    assert "ann" not in top
    assert len(top) == (2 if title == "Erase" else 3), "made anonymous, the total stays"


async def test_an_erasure_is_followed_to_its_end_though_the_server_is_away_for_a_while(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_player(page, console, "ann")
    lost = 0

    async def lose_the_answer(route: Route) -> None:
        nonlocal lost
        lost += 1
        await route.fetch()
        await route.abort("connectionreset")

    async def erase() -> None:
        await page.get_by_role("button", name="Erase…").press("Enter")
        dialog = page.get_by_role("dialog", name="Erase")
        await dialog.get_by_label("Type ann to go on").fill("ann")
        await page.keyboard.press("Enter")

    await page.route("**/api/users/ann?mode=erase", lose_the_answer)
    await erase()
    told = "The server can't be reached. It may be under way all the same"
    await expect(page.locator("#player-error")).to_contain_text(told)
    await page.unroute("**/api/users/ann?mode=erase")
    under_way = {"erasure": "E1", "state": "accepted"}
    begin = "**/api/users/ann?mode=erase"
    await page.route(begin, lambda route: route.fulfill(json=under_way))
    done = {"erasure": "E1", "state": "done"}

    async def be_away_once(route: Route) -> None:
        nonlocal lost
        lost += 1
        await (route.abort("connectionrefused") if lost == 2 else route.fulfill(json=done))

    await page.route("**/api/erasures/E1", be_away_once)
    await erase()
    await expect(page.locator("#players-said")).to_have_text("E1: done.")
    assert lost == 3
    await expect(page.locator("#player-error")).to_have_text("")


async def test_an_export_of_a_player_that_breaks_off_is_told_and_not_saved(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await page.add_init_script(
        "Response.prototype.blob = () => Promise.reject(new TypeError('network error'))"
    )
    await open_player(page, console, "ann")
    await page.get_by_role("button", name="Export").press("Enter")
    told = "The export broke off. Nothing was saved."
    await expect(page.locator("#player-error")).to_have_text(told)
