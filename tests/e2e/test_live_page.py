"""The live page in a real browser, against the whole service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from aiohttp import ClientSession
from playwright.async_api import Page, expect

from scoreboard.local.embedded_servers import free_port
from scoreboard.settings import Settings
from tests.e2e.conftest import OpenPage
from tests.support.extent import kept
from tests.support.whole_service import Service

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Played(Service):
    """The service, with boards and scores as they come over its API."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._actions = 0

    async def start(self) -> None:
        await super().start()
        await self.takes_tokens()

    async def put_board(self, board: str, **rules: Any) -> None:
        """As an administrator would."""
        headers = {"Authorization": f"Bearer {self.token('admin')}"}
        url = f"{self.url}/api/admin/boards/{board}"
        async with (
            ClientSession() as session,
            session.put(url, json=rules, headers=headers) as response,
        ):
            assert response.status == 200, await response.text()

    async def score(self, user: str, points: int, board: str = "global") -> None:
        """As a game server would."""
        self._actions += 1
        action = {"userId": user, "actionId": f"action-{self._actions}", "points": points}
        headers = {"Authorization": f"Bearer {self.token('score:write')}"}
        url = f"{self.url}/api/boards/{board}/score"
        async with (
            ClientSession() as session,
            session.post(url, json=action, headers=headers) as response,
        ):
            assert response.status == 200, await response.text()


Start = Callable[..., Awaitable[Played]]


@pytest_asyncio.fixture(loop_scope="module")
async def start(settings: Settings) -> AsyncIterator[Start]:
    """Starts the service: ``await start(public_reads=False)``."""
    services = []

    async def start(**changes: Any) -> Played:
        # Of its own, so that nobody takes it while the service is stopped.
        service = Played(msgspec.structs.replace(settings, port=free_port(), **changes))
        services.append(service)
        await service.start()
        return service

    yield start
    for service in services:
        await service.stop()


async def expect_rows(page: Page, *rows: tuple[str, str]) -> None:
    """The page shows these users and scores, top down."""
    present = page.locator(".row:not(.leaving)")
    await expect(present.locator(".user")).to_have_text([user for user, _ in rows])
    await expect(present.locator(".score")).to_have_text([score for _, score in rows])


async def expect_state(page: Page, state: str) -> None:
    await expect(page.locator("#state")).to_have_attribute("data-state", state)


async def test_a_posted_score_moves_its_row_without_a_reload(
    start: Start, new_page: OpenPage
) -> None:
    service = await start()
    for user, points in (("ann", 1300), ("bob", 1200), ("cy", 1100)):
        await service.score(user, points)
    page = await new_page()
    await page.goto(service.url)
    await expect(page.get_by_role("heading", name="global")).to_be_visible()
    await expect_rows(page, ("ann", "1,300"), ("bob", "1,200"), ("cy", "1,100"))
    await expect_state(page, "live")
    await page.evaluate("window.sameDocument = true")
    row = await page.locator(".row[data-user=cy]").element_handle()
    assert row is not None

    await service.score("cy", 250)

    await expect_rows(page, ("cy", "1,350"), ("ann", "1,300"), ("bob", "1,200"))
    cy = page.locator(".row[data-user=cy]")
    await expect(cy.locator(".gain")).to_have_text("+250")
    await expect(page.locator("#announcer")).to_have_text("cy takes the lead with 1,350.")
    assert await page.evaluate("window.sameDocument")
    assert await row.evaluate("(row) => row === document.querySelector('[data-user=cy]')")


async def test_a_newcomer_takes_the_place_of_the_tenth(start: Start, new_page: OpenPage) -> None:
    service = await start()
    for n in range(10):
        await service.score(f"user{n}", 100 - n)
    page = await new_page()
    await page.goto(service.url)
    await expect(page.locator(".row")).to_have_count(10)
    await service.score("zoe", 95)
    rows = page.locator(".row:not(.leaving)")
    await expect(rows.locator(".user")).to_have_text(
        [*(f"user{n}" for n in range(6)), "zoe", *(f"user{n}" for n in range(6, 9))]
    )
    await expect(page.locator(".row")).to_have_count(10)


async def test_a_board_of_lap_times_is_shown_by_its_rules(start: Start, new_page: OpenPage) -> None:
    service = await start()
    rules = {"operator": "best", "order": "asc", "decimals": 3, "rankStyle": "standard"}
    await service.put_board("laps", **rules, topSize=3, title="Monza", unit="s")
    # cy stands above ann by time, and by name where the two come too close to one another for that.
    for user, lap in (("cy", 83204), ("bob", 83911), ("ann", 83204), ("dan", 99000)):
        await service.score(user, lap, board="laps")
    page = await new_page()
    await page.goto(f"{service.url}/?board=laps")
    await expect(page.get_by_role("heading", name="Monza")).to_be_visible()
    await expect_rows(page, ("cy", "83.204"), ("ann", "83.204"), ("bob", "83.911"))
    await expect(page.locator(".place")).to_have_text(["1", "1", "3"])

    await service.score("dan", 82000, board="laps")
    await expect_rows(page, ("dan", "82.000"), ("cy", "83.204"), ("ann", "83.204"))
    await expect(page.locator(".row:not(.leaving) .place")).to_have_text(["1", "2", "2"])


async def test_all_places_can_be_looked_at(start: Start, new_page: OpenPage) -> None:
    service = await start()
    for n in range(1, 13):
        await service.score(f"user{n}", 1000 - n)
    page = await new_page()
    await page.goto(f"{service.url}/?board=global")
    await expect(page.locator(".row")).to_have_count(10)
    places = page.get_by_role("navigation", name="Places")
    await expect(places).to_contain_text("1–10 of 12")
    await places.get_by_role("link", name="Next").click()
    await expect_rows(page, ("user11", "989"), ("user12", "988"))
    await expect(page.locator(".place")).to_have_text(["11", "12"])
    await page.reload()
    await expect_rows(page, ("user11", "989"), ("user12", "988"))
    await places.get_by_role("link", name="Before").click()
    await expect(page.locator(".row")).to_have_count(10)
    await expect_state(page, "live")


async def test_a_player_is_found_among_those_around(start: Start, new_page: OpenPage) -> None:
    service = await start()
    for n in range(1, 31):
        await service.score(f"user{n}" if n != 17 else "a/b?c#d é", 1000 - n)
    page = await new_page()
    await page.goto(service.url)
    await expect(page.locator(".row")).to_have_count(10)
    await page.get_by_label("Find a player").fill("a/b?c#d é")
    await page.keyboard.press("Enter")
    await expect(page.locator(".place")).to_have_text([str(rank) for rank in range(13, 22)])
    found = page.locator(".row[aria-current=true]")
    await expect(found.locator(".user")).to_have_text("a/b?c#d é")
    await expect(found.locator(".place")).to_have_text("17")
    await page.reload()
    await expect(found.locator(".place")).to_have_text("17")

    places = page.get_by_role("navigation", name="Places")
    await expect(places).to_contain_text("13–21 of 30")
    await places.get_by_role("link", name="Next").click()
    await expect(page.locator(".place").first).to_have_text("22")
    await expect(found).to_have_count(0)

    answer = await page.request.put(
        f"{service.url}/api/users/user15",
        data={"displayName": "Zoë"},
        headers={"Authorization": f"Bearer {service.token('score:write')}"},
    )
    assert answer.ok
    await page.get_by_label("Find a player").fill("zo")
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name="Zoë").and_(page.locator("#found a")).press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_be_focused()
    await expect(found.locator(".user")).to_have_text("Zoë")
    await expect(found.locator(".place")).to_have_text("15")

    await page.get_by_label("Find a player").fill("user99")
    await page.get_by_role("button", name="Find").click()
    await expect(page.get_by_role("heading", name="“user99” is not in this table")).to_be_visible()


async def test_a_token_that_was_pasted_goes_with_the_reader_from_view_to_view(
    start: Start, new_page: OpenPage
) -> None:
    service = await start(public_reads=False)
    for n in range(1, 13):
        await service.score(f"user{n}", 1000 - n)
    page = await new_page()
    await page.goto(f"{service.url}/?board=global&place=11")
    field = page.get_by_label("Access token")
    await field.fill(service.token("board:read"))
    await field.press("Enter")
    await expect_rows(page, ("user11", "989"), ("user12", "988"))
    await page.get_by_role("link", name="Before").click()
    await expect(page.locator(".row")).to_have_count(10)
    await expect_state(page, "live")


async def test_the_page_comes_back_when_the_server_does(start: Start, new_page: OpenPage) -> None:
    service = await start()
    await service.score("ann", 50)
    page = await new_page()
    await page.goto(service.url)
    await expect_state(page, "live")
    async with service.away():
        await expect_state(page, "waiting")
        await expect_rows(page, ("ann", "50"))
    await service.score("bob", 70)
    await expect(page.locator("#state")).to_have_attribute("data-state", "live")
    await expect_rows(page, ("bob", "70"), ("ann", "50"))


async def test_an_empty_default_board_says_so_until_the_first_score(
    start: Start, new_page: OpenPage
) -> None:
    service = await start()
    page = await new_page()
    await page.goto(service.url)
    notice = page.get_by_role("heading", name="No scores yet")
    await expect(notice).to_be_visible()
    await service.score("ann", 5)
    await expect(notice).to_be_hidden()
    await expect_rows(page, ("ann", "5"))


async def test_a_board_that_is_not_there_yet_shows_up_with_its_first_score(
    start: Start, new_page: OpenPage
) -> None:
    service = await start()
    page = await new_page()
    await page.clock.install(time=0)
    await page.clock.pause_at(1_000)  # or the page tries again by itself
    await page.goto(service.url)
    await page.get_by_label("Another board").fill("arena")
    await page.get_by_role("button", name="Go").click()
    await expect(page).to_have_url(f"{service.url}/?board=arena")
    await expect(page.get_by_role("heading", name="There is no board “arena” yet")).to_be_visible()
    await service.score("ann", 5, board="arena")
    await page.get_by_role("button", name="Try now").click()
    await page.clock.resume()
    await expect_rows(page, ("ann", "5"))
    await expect(page).to_have_title("arena · Leaderboard")


async def test_a_private_board_opens_with_a_pasted_token_that_never_gets_into_an_address(
    start: Start, new_page: OpenPage
) -> None:
    service = await start(public_reads=False)
    await service.score("ann", 50)
    page = await new_page()
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    page.on("websocket", lambda socket: addresses.append(socket.url))
    await page.goto(service.url)
    await expect(page.get_by_role("heading", name="This board is private")).to_be_visible()
    field = page.get_by_label("Access token")

    await field.fill(service.token("score:write"))
    await field.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("not accepted")
    await expect(field).to_be_focused()

    token = service.token("board:read")
    await field.fill(token)
    await field.press("Enter")
    await expect_rows(page, ("ann", "50"))
    await service.score("bob", 70)
    await expect_rows(page, ("bob", "70"), ("ann", "50"))
    await expect(field).to_be_hidden()
    await expect(page.get_by_role("heading", level=1)).to_be_focused()
    assert any("?ticket=" in address for address in addresses)
    assert not any(token in address or "eyJ" in address for address in addresses)


@pytest.mark.parametrize("scheme", kept(["light", "dark"], "dark"))
@pytest.mark.parametrize("points", [2_000, 2_000_000_000])
async def test_it_fits_a_phone_and_reads_well_in_the_light_and_in_the_dark(
    start: Start, new_page: OpenPage, scheme: str, points: int
) -> None:
    service = await start()
    for n in range(10):
        await service.score(f"a-rather-long-user-id-of-somebody-{n}", points + n)
    page = await new_page(color_scheme=scheme, viewport={"width": 320, "height": 640})
    await page.goto(service.url)
    await expect(page.locator(".row")).to_have_count(10)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    assert await page.evaluate(CROWDED) == []
    contrasts = await page.evaluate(CONTRASTS)
    assert {name: ratio for name, ratio in contrasts.items() if ratio < 4.5} == {}
    lightness = await page.evaluate("luminance(getComputedStyle(document.body).backgroundColor)")
    assert (lightness < 0.2) is (scheme == "dark")


# The users whose name or distance touches their score, or whose row cuts one of them off.
CROWDED = """[...document.querySelectorAll(".row")].filter((row) => {
    const parts = [row, ...row.querySelectorAll(".user, .distance, .score")];
    const [outer, name, distance, score] = parts.map((part) => part.getBoundingClientRect());
    return [name, distance].some((text) =>
        text.right > score.left && text.left < score.right && text.bottom > score.top
    ) || [name, score].some((text) => text.top < outer.top || text.bottom > outer.bottom);
}).map((row) => row.dataset.user)"""

# WCAG's contrast ratio of each kind of text against the card that it stands on.
CONTRASTS = """() => {
    window.luminance = (color) => {
        const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
        const context = canvas.getContext("2d");
        context.fillStyle = color;
        context.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((byte) => {
            const part = byte / 255;
            return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const row = document.querySelector(".row:nth-child(4)");
    const card = luminance(getComputedStyle(row).backgroundColor);
    return Object.fromEntries([".user", ".distance", ".score", ".place"].map((name) => {
        const text = luminance(getComputedStyle(row.querySelector(name)).color);
        return [name, (Math.max(card, text) + 0.05) / (Math.min(card, text) + 0.05)];
    }));
}"""


async def test_the_keyboard_reaches_every_control_and_shows_where_it_is(
    start: Start, new_page: OpenPage
) -> None:
    service = await start()
    await service.score("ann", 5)
    page = await new_page()
    await page.goto(service.url)
    await expect_state(page, "live")
    reached = []
    await expect(page.get_by_role("link", name="ann")).to_be_visible()
    await expect(page.get_by_label("Find a player")).to_be_visible()
    for _ in range(6):
        await page.keyboard.press("Tab")
        reached.append(await page.evaluate("document.activeElement.textContent.trim()"))
        assert (
            await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        )
    assert reached == ["ann", "", "Find", "", "Go", "API"]
