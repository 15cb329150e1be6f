"""A player's own page, the links to it, and the search for players by name or id."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import ClientSession
from playwright.async_api import Page, expect

from scoreboard.settings import Settings
from tests.e2e.conftest import OpenPage
from tests.e2e.stand_in import Feed, hold_the_clock, rows_rest
from tests.support.extent import kept
from tests.support.whole_service import Service, service

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADA = "/api/boards/arena/users/ada"
PLACE = {
    "userId": "ada",
    "score": 1500,
    "rank": 2,
    "percentile": 66.67,
    "next": {"userId": "bob", "rank": 1, "gap": 300},
    "top10": {"score": None, "gap": 0},
    "delta": {"day": {"since": "2026-03-20T00:00:00Z", "rank": 1, "score": 250, "was": "ranked"}},
}
DAYS = {
    "userId": "ada",
    "next": None,
    "resolution": "day",
    "zone": "UTC",
    "scores": [
        {"start": "2026-03-20T00:00:00Z", "score": 1500},
        {"start": "2026-03-12T00:00:00Z", "score": 1250},
        {"start": "2026-03-01T00:00:00Z", "score": 800},
    ],
}
HOURS = DAYS | {
    "resolution": "hour",
    "scores": [
        {"start": "2026-03-20T17:00:00Z", "score": 1500},
        {"start": "2026-03-20T09:00:00Z", "score": 1250},
    ],
}
STANDING = {
    "score": 1500,
    "rank": 2,
    "percentile": 66.67,
    "above": {"userId": "bob", "rank": 1, "gap": 300},
    "below": {"userId": "cy", "rank": 3, "gap": 7},
}
NOW = "Fri, 20 Mar 2026 21:00:00 GMT"


def action(number: int, **more: Any) -> dict[str, Any]:
    event = {"actionId": f"a{number}", "event": f"{number}-0", "at": "2026-03-20T17:30:00Z"}
    return event | {"points": 10, "status": "accepted", "score": 1500} | more


def answers(**place: Any) -> dict[str, Any]:
    """What the service says of ada."""
    actions = [action(3), action(2, status="reverted", score=1490)]
    return {
        f"{ADA}?delta=true": PLACE | place,
        "/api/boards/arena/rank?score=0": {"score": 0, "rank": 4, "percentile": 25.0, "users": 3},
        f"{ADA}/history?resolution=day&limit=90": DAYS,
        f"{ADA}/history?resolution=hour&limit=48": HOURS,
        f"{ADA}/history?limit=10": {"userId": "ada", "next": "2-0", "actions": actions},
        f"{ADA}/history?limit=10&after=2-0": {
            "userId": "ada",
            "next": None,
            "actions": [action(1, score=1480)],
        },
    }


async def open_player(page: Page, feed: Feed, user: str = "ada") -> None:
    feed.rules = feed.rules or {}
    feed.date = NOW
    feed.answers = feed.answers or answers()
    await page.goto(feed.url.replace("/?board=arena", f"/players/arena/{user}"))


async def expect_curve(page: Page, *rows: str) -> None:
    await expect(page.locator("#curve svg .line")).to_have_count(1)
    await expect(page.locator("#curve tr")).to_have_text(rows)


async def test_it_tells_the_place_the_scores_and_the_actions(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page(timezone_id="UTC")
    feed.rules = {"title": "Arena of Fire", "unit": "pts"}
    await open_player(page, feed)
    await expect(page.get_by_role("heading", name="ada")).to_be_visible()
    await expect(page).to_have_title("ada · Arena of Fire")
    await expect(page.locator(".figures > div")).to_have_text(
        ["Rank2 of 3", "Score1,500 pts", "To the next300 behind bob", "Today+250 up 1 place"]
    )
    await expect_curve(page, "DayScore", "Mar 1800", "Mar 121,250", "Mar 201,500")
    actions = page.locator("#action-rows tr")
    await expect(actions.nth(1)).to_contain_text("taken back")
    await page.get_by_role("button", name="Show more").press("Enter")
    await expect(actions).to_have_count(3)
    await expect(actions.nth(2)).to_be_focused()
    await expect(page.get_by_role("button", name="Show more")).to_be_hidden()
    await expect(page.get_by_role("link", name="bob")).to_have_attribute(
        "href", feed.url.replace("/?board=arena", "/players/arena/bob")
    )
    await page.get_by_role("link", name="Arena of Fire").click()
    await expect(page).to_have_url(feed.url)


BOB = {"userId": "bob", "rank": 1, "gap": 285}


async def follow(page: Page, feed: Feed, **standing: Any) -> None:
    """Opens ada's page, and tells where ada stands."""
    feed.rules = {}
    feed.date = NOW
    feed.answers = feed.answers or answers()
    await feed.open(page, feed.url.replace("/?board=arena", "/players/arena/ada"))
    feed.send("snapshot", 1, {"bob": 1800, "ada": 1500})
    feed.tell_of_ada("standing", **STANDING | standing)


async def test_the_place_is_live_and_who_passes_is_told(new_page: OpenPage, feed: Feed) -> None:
    page = await new_page(timezone_id="UTC")
    await page.clock.install()
    await follow(page, feed)
    figures = page.locator(".figures > div")
    await expect(page.locator("#state-text")).to_have_text("Live")
    await hold_the_clock(page)  # or the page reads by itself what goes with a new score
    assert "user=ada" in feed.sockets[-1].url
    feed.tell_of_ada("standing", **STANDING | {"score": 1515, "above": BOB})
    await expect(figures).to_have_text(
        ["Rank2 of 3", "Score1,515", "To the next285 behind bob", "Today+265 up 1 place"]
    )
    await expect(page.locator("#updated")).to_have_text("As of 9:00:07 PM")

    cy = {"userId": "cy", "gap": 5, "player": {"displayName": "Cy"}}
    feed.tell_of_ada("overtaken", by=cy, others=1, rank=4)
    told = page.locator("#overtaken")
    await expect(told).to_have_text("Overtaken by Cy and 1 other, now number 4")
    await expect(told).to_have_role("status")
    feed.tell_of_ada("standing", **STANDING | {"rank": 4, "score": 1515, "percentile": 25.0})
    await expect(figures.first).to_have_text("Rank4 of 4")
    await expect(figures.last).to_have_text("Today+265 down 1 place")

    # What goes with a new score is read a little later.
    feed.answers = answers(score=1515, rank=3, percentile=33.33)
    feed.answers["/api/boards/arena/rank?score=0"]["users"] = 5
    await page.clock.fast_forward(10_000)
    await expect(figures.first).to_have_text("Rank3 of 5")
    feed.tell_of_ada("standing", **STANDING | {"score": 1515, "percentile": 80.0})
    await expect(told).to_have_text("")


async def test_what_was_told_last_is_stale_while_the_connection_is_lost(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    await page.clock.install()
    await follow(page, feed)
    await expect(page.locator("#state-text")).to_have_text("Live")
    await hold_the_clock(page)  # or it reconnects by itself
    await feed.sockets[-1].close(code=1012)
    await expect(page.locator("#state-text")).to_contain_text("Reconnecting in")
    await expect(page.locator("#told.stale .figures")).to_have_count(1)
    await page.get_by_role("button", name="Try now").click()
    await feed.connected(2)
    feed.send("snapshot", 1, {"bob": 1800, "ada": 1500})
    feed.tell_of_ada("standing", **STANDING | {"rank": 3, "percentile": 33.33})
    await expect(page.locator(".figures > div").first).to_have_text("Rank3 of 3")
    await expect(page.locator("#told.stale")).to_have_count(0)


async def test_who_is_not_shown_any_more_leaves_the_page(new_page: OpenPage, feed: Feed) -> None:
    page = await new_page()
    await page.clock.install()
    await follow(page, feed)
    await expect(page.locator("#state-text")).to_have_text("Live")
    await hold_the_clock(page)
    feed.answers = {"none": 404}
    nowhere = {"score": None, "rank": None, "percentile": None, "above": None, "below": None}
    feed.tell_of_ada("standing", **nowhere)
    await expect(page.locator(".figures > div").first).to_have_text("Rank2 of 3")
    await page.clock.fast_forward(10_000)
    await expect(page.get_by_role("heading", name="There is no player")).to_be_visible()
    await expect(page.locator("#state")).to_be_hidden()


async def test_two_days_or_less_are_drawn_by_the_hour(new_page: OpenPage, feed: Feed) -> None:
    page = await new_page(timezone_id="UTC")
    today = DAYS | {"scores": [{"start": "2026-03-20T00:00:00Z", "score": 1500}]}
    feed.answers = answers() | {f"{ADA}/history?resolution=day&limit=90": today}
    await open_player(page, feed)
    await expect_curve(page, "HourScore", "Mar 20, 9:00 AM1,250", "Mar 20, 5:00 PM1,500")


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "עדה 123", "W" * 40])
@pytest.mark.parametrize("width", kept([390, 1280], 390))
async def test_no_name_is_markup_or_makes_the_page_wider(
    new_page: OpenPage, feed: Feed, name: str, width: int
) -> None:
    page = await new_page(viewport={"width": width, "height": 800})
    feed.answers = answers(
        player={"displayName": name, "country": "GB"},
        next={"userId": "bob", "rank": 1, "gap": 3, "player": {"displayName": name}},
    )
    await open_player(page, feed)
    await expect(page.locator("#name")).to_have_text(name)
    await expect(page.locator("#name")).to_have_attribute("dir", "auto")
    await expect(page.locator("#about")).to_have_text("ada · United Kingdom")
    await expect(page.locator(".figures a")).to_have_text(name)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("user", ["nobody", "a%2Fb", "%FF"])
async def test_an_unknown_player_is_said_to_be_so_with_a_way_back(
    new_page: OpenPage, feed: Feed, user: str
) -> None:
    page = await new_page()
    await open_player(page, feed, user)
    await expect(page.get_by_role("heading", name="There is no player")).to_be_visible()
    await page.get_by_role("link", name="Back to the board").press("Enter")
    await expect(page).to_have_url(feed.url)


async def test_while_the_service_is_away_the_page_can_try_again(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    await page.clock.install()
    await page.clock.pause_at(4_000_000_000_000)  # or it tries again by itself
    feed.rules = 503
    await open_player(page, feed)
    await expect(page.get_by_role("heading", name="The service can't be reached")).to_be_visible()
    feed.tell.clear()
    await page.get_by_role("button", name="Try now").press("Enter")
    await expect(page.get_by_role("button", name="Trying…")).to_be_focused()
    feed.tell.set()
    await expect(page.get_by_role("button", name="Try now")).to_be_focused()
    feed.rules = {}
    await page.keyboard.press("Enter")
    await expect(page.locator(".figures > div").first).to_have_text("Rank2 of 3")
    await expect(page.locator("#notice")).to_be_hidden()
    await expect(page.get_by_role("heading", level=1)).to_be_focused()


async def test_while_postgres_is_away_the_place_is_told_without_a_history(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    place = {name: told for name, told in PLACE.items() if name != "delta"}
    feed.answers = dict.fromkeys(answers(), 503) | {
        ADA: place,
        "/api/boards/arena/rank?score=0": answers()["/api/boards/arena/rank?score=0"],
    }
    await open_player(page, feed)
    await expect(page.locator(".figures > div")).to_have_text(
        ["Rank2 of 3", "Score1,500", "To the next300 behind bob"]
    )
    await expect(page.locator("#curve")).to_have_text("The history can't be read now.")
    await expect(page.locator("#actions-said")).to_have_text("The actions can't be read now.")


async def test_a_name_is_found_where_it_is_shown_and_everybody_by_id(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    feed.rules = {}
    await feed.open(page)
    names = {"p1": {"displayName": "Ada"}, "p2": {"displayName": "Adam"}, "p3": {}}
    feed.send("snapshot", 1, {"p1": 30, "p2": 20, "p3": 10, "p4": 5}, players=names)
    find = page.get_by_label("Find a player")
    marked = page.locator(".row[aria-current=true] .place")
    for text, ranks, said in (("ada", ["1"], "rank 1."), ("DA", ["1", "2"], "rank 1 and 2.")):
        await find.fill(text)
        await find.press("Enter")
        await expect(page.locator("#found")).to_contain_text(f"Found by name in {said}")
        await expect(marked).to_have_text(ranks)
    await page.get_by_role("link", name="Look for this id").click()
    await expect(page).to_have_url(f"{feed.url}&user=DA")
    await expect(page.get_by_role("heading", name="“DA” is not in this table")).to_be_visible()


def around(*users: str, first: int) -> dict[str, Any]:
    """The page around ada of these users, from this rank on."""
    entry = {"percentile": 50.0}
    rows = [
        entry | {"userId": user, "score": 1000 - 10 * rank, "rank": rank}
        for rank, user in enumerate(users, first)
    ]
    return {f"{ADA}/around?radius=4": {"users": rows}}


async def test_the_places_around_a_player_follow_the_players_own_channel(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    await page.clock.install()
    feed.rules = {}
    feed.answers = around("bob", "ada", "cy", first=5)
    await feed.open(page, f"{feed.url}&user=ada")
    users = page.locator(".row:not(.leaving) .user")
    await expect(users).to_have_text(["bob", "ada", "cy"])
    neighbours = {"above": {"userId": "bob", "rank": 5, "gap": 10}, "below": {"userId": "cy"}}
    feed.send("snapshot", 1, {"zoe": 2000})
    feed.tell_of_ada("standing", score=940, rank=6, percentile=50.0, **neighbours)
    await expect(page.locator("#state-text")).to_have_text("Live")

    feed.answers = around("dan", "bob", "cy", "ada", first=4)
    feed.tell_of_ada("overtaken", by={"userId": "cy", "gap": 10}, others=0, rank=7)
    feed.tell_of_ada("standing", score=930, rank=7, percentile=45.0, above=None, below=None)
    await page.clock.fast_forward(2_000)
    await expect(users).to_have_text(["dan", "bob", "cy", "ada"])
    await expect(page.locator("#announcer")).to_have_text(
        "\u2068cy\u2069 overtook \u2068ada\u2069."
    )

    # Of others nobody tells: they are read now and then.
    feed.answers = around("dan", "eve", "cy", "ada", first=4)
    await page.clock.fast_forward(15_000)
    await expect(users).to_have_text(["dan", "eve", "cy", "ada"])

    # Gone from the table.
    feed.answers = {"none": 404}
    feed.tell_of_ada("standing", score=None, rank=None, percentile=None, above=None, below=None)
    await page.clock.fast_forward(2_000)
    await expect(page.locator("#state-text")).to_have_text("Nothing here")


async def put(running: Service, http: ClientSession, user: str, **profile: Any) -> None:
    headers = {"Authorization": f"Bearer {running.token()}", "Content-Type": "application/json"}
    url = f"{running.url}/api/users/{user}"
    async with http.put(url, data=json.dumps(profile), headers=headers) as answer:
        assert answer.status == 200, await answer.text()


async def score(running: Service, http: ClientSession, user: str, points: int) -> None:
    headers = {"Authorization": f"Bearer {running.token()}"}
    body = {"userId": user, "actionId": "a1", "points": points}
    async with http.post(f"{running.url}/api/score", json=body, headers=headers) as answer:
        assert answer.status == 200


async def test_a_row_leads_to_its_player_unless_that_one_is_anonymous(
    new_page: OpenPage, settings: Settings
) -> None:
    page = await new_page()
    async with service(settings) as running, running.persisting(), ClientSession() as http:
        for user, points in (("a/b?c#d é", 30), ("player-2", 20), ("player-3", 10)):
            await score(running, http, user, points)
        await put(running, http, "player-2", displayName="Ada L.")
        await put(running, http, "player-3", visibility="anonymous")
        await page.goto(f"{running.url}/?board=global")
        anonymous = page.locator(".row[data-user^=anonymous-]")
        await expect(anonymous.locator(".user")).to_contain_text("anonymous-")
        await expect(anonymous.get_by_role("link")).to_have_count(0)

        # The link of the name lies over all of the row.
        await rows_rest(page)
        await page.locator("[data-user=player-2] .score").click(force=True)
        await expect(page).to_have_url(f"{running.url}/players/global/player-2")
        await expect(page.locator("#name")).to_have_text("Ada L.")
        await expect(page.locator(".figures > div").first).to_have_text("Rank2 of 3")
        await expect(page.locator("#state-text")).to_have_text("Live")
        await score(running, http, "player-4", 25)
        await expect(page.locator(".figures > div").first).to_contain_text("Rank3 of")
        await expect(page.locator("#overtaken")).to_have_text("Overtaken by player-4, now number 3")
        await page.go_back()
        await page.get_by_role("link", name="a/b?c#d é").press("Enter")
        await expect(page.locator("#name")).to_have_text("a/b?c#d é")
        await expect(page.locator(".figures > div").first).to_have_text("Rank1 of 4")

        await page.goto(f"{running.url}/players/global/player-3")
        await expect(page.get_by_role("heading", name="There is no player")).to_be_visible()


async def test_where_reads_are_not_public_it_says_what_the_board_says(
    new_page: OpenPage, settings: Settings
) -> None:
    page = await new_page()
    async with service(settings, public_reads=False) as running:
        await page.goto(f"{running.url}/players/global/ada")
        await expect(page.get_by_role("heading", name="This board is private")).to_be_visible()
        field = page.get_by_label("Access token")
        await field.fill(running.token("score:write"))
        await field.press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("not accepted")
        await field.fill(running.token("board:read"))
        await field.press("Enter")
        await expect(page.get_by_role("heading", name="There is no player")).to_be_visible()
