"""Names and avatars on the pages: whatever they are, they are text and pictures, and stay in
place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import ClientSession
from playwright.async_api import Page, Route, expect

from scoreboard.settings import Settings
from tests.e2e.conftest import OpenPage
from tests.e2e.stand_in import Feed
from tests.support.whole_service import Service, service

pytestmark = pytest.mark.asyncio(loop_scope="module")

AVATAR = "https://img.example.org/ada.png"
# One pixel, red.
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108020000009077"
    "53de0000000c4944415408d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)
SCORES = {"ada": 30, "bob": 20}


async def test_a_name_stands_for_the_id_and_a_picture_for_its_letter(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    await page.route(AVATAR, lambda route: route.fulfill(body=PICTURE, content_type="image/png"))
    await feed.open(page)
    feed.send(
        "snapshot", 1, SCORES, players={"ada": {"displayName": "Ada L.", "avatarUrl": AVATAR}}
    )
    row = page.locator("[data-user=ada]")
    await expect(row.locator(".user")).to_have_text("Ada L.")
    await expect(row.locator(".user")).to_have_attribute("dir", "auto")
    await expect(row.locator(".avatar img")).to_have_attribute("src", AVATAR)
    await expect(row.locator(".avatar img")).to_have_js_property("naturalWidth", 1)
    await expect(page.locator("[data-user=bob] .user")).to_have_text("bob")

    feed.send("update", 2, SCORES, players={"ada": {"displayName": "Lovelace"}})
    await expect(row.locator(".user")).to_have_text("Lovelace")
    await expect(row.locator(".avatar")).to_have_text("L")
    await expect(row.locator(".avatar img")).to_have_count(0)
    feed.send("update", 3, SCORES)
    await expect(row.locator(".user")).to_have_text("ada")


async def test_a_picture_that_is_not_there_leaves_the_letter(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()

    async def gone(route: Route) -> None:
        await route.fulfill(status=404)

    await page.route(AVATAR, gone)
    await feed.open(page)
    feed.send("snapshot", 1, SCORES, players={"ada": {"avatarUrl": AVATAR}})
    await expect(page.locator("[data-user=ada] .avatar")).to_have_text("a")
    await expect(page.locator("[data-user=ada] .avatar img")).to_have_count(0)


@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>", "&lt;b&gt;", "עדה 123", "نورة", "W" * 40]
)
@pytest.mark.parametrize("path", ["/?board=arena", "/overlay/arena"])
async def test_no_name_is_markup_or_disturbs_what_is_beside_it(
    new_page: OpenPage, feed: Feed, name: str, path: str
) -> None:
    page = await new_page(viewport={"width": 390, "height": 844})
    feed.url = feed.url.replace("/?board=arena", path)
    await feed.open(page)
    feed.send("snapshot", 1, SCORES, players={"ada": {"displayName": name}})
    row = page.locator("[data-user=ada]")
    await expect(row.locator(".user")).to_have_text(name)
    await expect(row.locator(".score")).to_have_text("30")
    places = [await _box(page, f"[data-user={user}] .score") for user in SCORES]
    assert places[0]["right"] == pytest.approx(places[1]["right"], abs=1)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def _box(page: Page, selector: str) -> dict[str, float]:
    box: dict[str, float] = await page.evaluate(
        "selector => document.querySelector(selector).getBoundingClientRect().toJSON()", selector
    )
    return box


async def put(running: Service, http: ClientSession, user: str, **profile: Any) -> None:
    async with http.put(
        f"{running.url}/api/users/{user}",
        data=json.dumps(profile),
        headers={
            "Authorization": f"Bearer {running.token()}",
            "Content-Type": "application/json",
        },
    ) as answer:
        assert answer.status == 200, await answer.text()


async def test_a_name_that_is_set_comes_into_a_browsers_row(
    new_page: OpenPage, settings: Settings
) -> None:
    page = await new_page()
    async with service(settings) as running, running.persisting(), ClientSession() as http:
        headers = {"Authorization": f"Bearer {running.token()}"}
        for user, points in (("player-7316", 30), ("bob", 20)):
            action = {"userId": user, "actionId": "a1", "points": points}
            async with http.post(
                f"{running.url}/api/score", json=action, headers=headers
            ) as answer:
                assert answer.status == 200
        await page.goto(f"{running.url}/?board=global")
        row = page.locator("[data-user=player-7316] .user")
        await expect(row).to_have_text("player-7316")
        await put(running, http, "player-7316", displayName="Ada L.")
        await expect(row).to_have_text("Ada L.")
        await put(running, http, "player-7316", displayName="Ada L.", visibility="anonymous")
        await expect(page.locator("[data-user^=anonymous-] .score")).to_have_text("30")
        await expect(page.locator("[data-user=player-7316]")).to_have_count(0)
        assert "player-7316" not in await page.content()
        await put(running, http, "player-7316", visibility="hidden")
        await expect(page.locator(".row:not(.leaving) .user")).to_have_text(["bob"])
