"""How the live page shows the tables of a board's periods, and all places of a table."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.stand_in import Feed, Scores, expect_shown, shown, stop_the_clock

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOARD = "/api/boards/arena"
WEEK: dict[str, Any] = {
    "name": "week",
    "occurrence": 12,
    "state": "open",
    "startsAt": "2026-03-16T00:00:00Z",
    "endsAt": "2026-03-23T00:00:00Z",
    "nextStartsAt": "2026-03-23T00:00:00Z",
}
DAY: dict[str, Any] = WEEK | {"name": "day", "occurrence": 80, "startsAt": "2026-03-22T00:00:00Z"}
NEXT_WEEK = WEEK | {
    "occurrence": 13,
    "startsAt": "2026-03-23T00:00:00Z",
    "endsAt": "2026-03-30T00:00:00Z",
    "nextStartsAt": "2026-03-30T00:00:00Z",
}
LAST_WEEK = {
    "occurrence": 11,
    "state": "final",
    "startsAt": "2026-03-09T00:00:00Z",
    "endsAt": "2026-03-16T00:00:00Z",
}


def standings(first: int, last: int, following: str | None, **more: Any) -> dict[str, Any]:
    """A page of users whose names and scores follow from their ranks."""
    listed = [
        {"userId": f"user{rank}", "score": 1000 - rank, "rank": rank, "percentile": 50.0}
        for rank in range(first, last + 1)
    ]
    return {"standings": listed, "next": following, **more}


async def open_week(new_page: OpenPage, feed: Feed, **options: Any) -> Page:
    page = await new_page(timezone_id="UTC", **options)
    feed.rules = feed.rules or {}
    feed.periods = feed.periods or [WEEK]
    feed.url += "&period=week"
    await feed.open(page)
    feed.send("snapshot", 7, {"ann": 50, "bob": 40}, period="week", occurrence=12)
    return page


async def expect_left(page: Page, text: str) -> None:
    await expect(page.locator("#left")).to_have_text(text)


async def test_a_board_without_periods_has_no_tabs(new_page: OpenPage, feed: Feed) -> None:
    page = await new_page()
    feed.rules = {}
    await feed.open(page)
    feed.send("snapshot", 1, {"ann": 50})
    await expect_shown(page, {"ann": 50})
    await expect(page.get_by_role("navigation", name="Periods")).to_be_hidden()
    await expect(page.locator("#when")).to_have_text("3 players", use_inner_text=True)
    feed.send("update", 2, {"ann": 50, "bob": 40, "cy": 30, "dan": 20})
    await expect(page.locator("#players")).to_have_text("4 players")


async def test_a_tab_shows_the_table_of_its_period_and_has_its_own_address(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    feed.rules, feed.periods = {}, [DAY, WEEK]
    await feed.open(page)
    feed.send("snapshot", 9, {"ann": 500})
    tabs = page.get_by_role("navigation", name="Periods").get_by_role("link")
    await expect(tabs).to_have_text(["All time", "day", "week"])
    await expect(page.get_by_text("All time")).to_have_attribute("aria-current", "page")
    await expect_shown(page, {"ann": 500})
    await page.evaluate("window.sameDocument = true")

    await page.get_by_role("link", name="week").focus()
    await page.keyboard.press("Enter")
    socket = await feed.connected(2)
    assert "period=week" in socket.url
    feed.send("snapshot", 2, {"bob": 30}, period="week", occurrence=12)
    await expect_shown(page, {"bob": 30})
    await expect(page).to_have_url(feed.url + "&period=week")
    await expect(page.get_by_role("link", name="week")).to_have_attribute("aria-current", "page")
    await expect(page.locator("#which")).to_have_text("No. 12")

    await page.go_back()
    socket = await feed.connected(3)
    assert "period" not in socket.url
    feed.send("snapshot", 10, {"ann": 510})
    await expect_shown(page, {"ann": 510})
    await expect(page.locator("#when")).to_have_text("3 players", use_inner_text=True)
    assert await page.evaluate("window.sameDocument")


@pytest.mark.parametrize(("link", "leads_to"), [("week", "period=week"), ("Next", "place=11")])
async def test_a_press_on_a_link_leads_on_though_the_table_changes_meanwhile(
    new_page: OpenPage, feed: Feed, link: str, leads_to: str
) -> None:
    page = await new_page()
    feed.rules, feed.periods, feed.users = {}, [WEEK], 23
    await feed.open(page)
    top: Scores = {f"user{rank}": 1000 - rank for rank in range(1, 11)}
    feed.send("snapshot", 1, top)
    await expect_shown(page, top)  # what is drawn later may move the link
    await page.get_by_role("link", name=link).hover()
    await page.mouse.down()
    feed.send("update", 2, top | {"user1": 1005})
    await expect_shown(page, top | {"user1": 1005})
    await page.mouse.up()
    await expect(page).to_have_url(f"{feed.url}&{leads_to}")


@pytest.mark.parametrize(
    ("starts", "ends", "shown_as"),
    [
        ("18:00:00", "18:02:00", "Mar 16, 6:00 – 6:02 PM"),
        ("18:00:00", "18:00:30", "Mar 16, 6:00:00 PM – 6:00:30 PM"),
        ("00:00:00", "12:00:00", "Mar 16, 12:00 AM – 12:00 PM"),
    ],
)
async def test_the_times_of_an_occurrence_are_as_exact_as_they_need_to_be(
    new_page: OpenPage, feed: Feed, starts: str, ends: str, shown_as: str
) -> None:
    day = "2026-03-16T"
    feed.periods = [WEEK | {"startsAt": f"{day}{starts}Z", "endsAt": f"{day}{ends}Z"}]
    page = await open_week(new_page, feed)
    await expect(page.locator("#dates")).to_have_text(shown_as)


async def test_a_board_that_has_no_table_of_all_time_opens_with_its_first_period(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    await stop_the_clock(page)  # or the page tries again by itself
    feed.rules, feed.periods, feed.refusal = {"allTime": False}, [WEEK, DAY], 4404
    await feed.open(page)
    await feed.connected(2)
    tabs = page.get_by_role("navigation", name="Periods").get_by_role("link")
    await expect(tabs).to_have_text(["week", "day"])
    await expect(page).to_have_url(feed.url + "&period=week")
    feed.refusal = None
    await page.get_by_role("button", name="Try now").click()
    socket = await feed.connected(3)
    assert "period=week" in socket.url
    await page.clock.resume()
    feed.send("snapshot", 1, {"ann": 50}, occurrence=12)
    await expect_shown(page, {"ann": 50})


async def test_the_table_of_a_period_tells_how_many_players_it_has(
    new_page: OpenPage, feed: Feed
) -> None:
    feed.answers = {f"{BOARD}/rank?period=week&score=0": {"users": 41}}
    page = await open_week(new_page, feed)
    await expect(page.locator("#players")).to_have_text("41 players")
    places = page.get_by_role("navigation", name="Places")
    await expect(places).to_contain_text("1–2 of 41")


async def test_an_update_of_an_occurrence_that_is_over_is_passed_over(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await open_week(new_page, feed)
    feed.send("update", 1, {"cy": 5}, period="week", occurrence=13)
    await expect_shown(page, {"cy": 5})
    feed.send("update", 8, {"ann": 90}, period="week", occurrence=12)
    frame = "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
    await page.evaluate(frame)
    assert await shown(page) == {"cy": 5}


async def test_the_time_left_is_counted_by_the_clock_of_the_service(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    await stop_the_clock(page)  # in 1970
    feed.rules, feed.periods = {}, [WEEK]
    feed.date = "Fri, 20 Mar 2026 21:00:00 GMT"
    feed.url += "&period=week"
    await feed.open(page)
    feed.send("snapshot", 7, {"ann": 50}, period="week", occurrence=12)
    await expect_left(page, "ends in 2 d 3 h")
    for minutes, text in (
        (49 * 60, "ends in 2 h 0 min"),
        (90, "ends in 30:00"),
        (29, "ends in 1:00"),
    ):
        await page.clock.fast_forward(minutes * 60_000)
        await expect_left(page, text)
    await expect(page.locator("#left")).to_have_role("timer")


async def test_the_next_occurrence_follows_by_itself(new_page: OpenPage, feed: Feed) -> None:
    page = await open_week(new_page, feed)
    await expect_shown(page, {"ann": 50, "bob": 40})
    await expect(page.locator("#dates")).to_have_text("Mar 16 – 22")

    feed.periods = [NEXT_WEEK]
    feed.send("closed", 7, period="week", occurrence=12)
    feed.send("snapshot", 1, {}, period="week", occurrence=13)
    await expect(page.get_by_role("heading", name="No scores yet")).to_be_visible()
    await expect(page.locator("#announcer")).to_have_text("Number 12 of week is over.")
    await expect(page.locator("#which")).to_have_text("No. 13")
    feed.send("update", 2, {"cy": 5}, period="week", occurrence=13)
    await expect_shown(page, {"cy": 5})
    assert len(feed.sockets) == 1


async def test_an_occurrence_that_began_while_the_page_was_away_is_shown(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await open_week(new_page, feed)
    await expect_shown(page, {"ann": 50, "bob": 40})
    feed.periods = [NEXT_WEEK]
    await page.evaluate("Math.random = () => 0")  # it comes back soon
    await feed.sockets[-1].close(code=1012)
    await feed.connected(2)
    feed.send("snapshot", 1, {"cy": 5}, period="week", occurrence=13)
    await expect_shown(page, {"cy": 5})
    await expect(page.locator("#which")).to_have_text("No. 13")


async def test_a_heartbeat_of_the_next_occurrence_shows_that_its_beginning_was_missed(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    await page.clock.install()
    feed.rules, feed.periods, feed.url = {}, [WEEK], f"{feed.url}&period=week"
    await feed.open(page)
    feed.send("snapshot", 7, {"ann": 50}, period="week", occurrence=12)
    await expect_shown(page, {"ann": 50})
    feed.send("heartbeat", 7, period="week", occurrence=12)
    feed.send("heartbeat", 0, period="week", occurrence=13)
    await page.evaluate("1")  # they have arrived when a later call is answered
    await page.clock.fast_forward(3_000)
    await page.clock.fast_forward(2_000)
    await feed.connected(2)


@pytest.mark.parametrize(
    ("period", "text", "of_nobody"),
    [
        (WEEK | {"state": "closing"}, "over, the next starts in 2 d 3 h", "Nobody played"),
        (WEEK | {"state": "final"}, "over, the next starts in 2 d 3 h", "Nobody played"),
        (NEXT_WEEK | {"occurrence": 1, "state": "upcoming", "nextStartsAt": WEEK["endsAt"]},
         "starts in 2 d 3 h", "No scores yet"),
    ],
)  # fmt: skip
async def test_between_occurrences_the_next_start_is_counted_down_to(
    new_page: OpenPage, feed: Feed, period: dict[str, Any], text: str, of_nobody: str
) -> None:
    feed.periods = [period]
    feed.date = "Fri, 20 Mar 2026 20:59:00 GMT"
    page = await open_week(new_page, feed)
    await expect_left(page, text)
    feed.send("update", 8, {}, period="week", occurrence=12)
    await expect(page.get_by_role("heading", name=of_nobody)).to_be_visible()


async def test_past_occurrences_are_listed_and_shown_page_by_page(
    new_page: OpenPage, feed: Feed
) -> None:
    listed = f"{BOARD}/periods/week/occurrences?limit=20"
    feed.answers = {
        listed: {
            "occurrences": [WEEK | {"users": 2}, LAST_WEEK | {"users": 12}],
            "next": "older",
        },
        f"{listed}&after=older": {
            "occurrences": [
                LAST_WEEK | {"occurrence": 10, "users": 3, "amended": True},
                LAST_WEEK | {"occurrence": 9, "users": 3, "gone": True},
            ],
            "next": None,
        },
        f"{BOARD}/standings?limit=10&period=week&occurrence=11": standings(
            1, 10, "more", period="week", **LAST_WEEK
        ),
        f"{BOARD}/standings?limit=10&rank=11&period=week&occurrence=11": standings(
            11, 12, None, period="week", **LAST_WEEK
        ),
    }
    page = await open_week(new_page, feed)
    await page.get_by_role("button", name="Past").press("Enter")
    dialog = page.get_by_role("dialog", name="Past: week")
    entries = dialog.get_by_role("link")
    await expect(entries.nth(1)).to_have_text("No. 11 · Mar 9 – 15 · 12 players · final")
    await dialog.get_by_role("button", name="Show more").press("Enter")
    await expect(dialog.get_by_role("listitem").nth(2)).to_be_focused()
    await expect(entries.nth(2)).to_have_text("No. 10 · Mar 9 – 15 · 3 players · final · amended")
    await expect(dialog.get_by_role("listitem").nth(3)).to_contain_text("no longer kept")
    await expect(entries).to_have_count(3)
    await expect(dialog.get_by_role("button", name="Show more")).to_be_hidden()

    await entries.nth(1).click()
    await expect(dialog).to_be_hidden()
    await expect_shown(page, {f"user{rank}": 1000 - rank for rank in range(1, 11)})
    await expect(page.locator("#which")).to_have_text("No. 11")
    await expect(page.locator("#dates")).to_have_text("Mar 9 – 15")
    await expect_left(page, "final")
    await expect(page.locator("#state-text")).to_have_text("Final")

    places = page.get_by_role("navigation", name="Places")
    await places.get_by_role("link", name="Next").click()
    await expect_shown(page, {"user11": 989, "user12": 988})
    await expect(page.locator(".place")).to_have_text(["11", "12"])
    await expect(places.get_by_role("link", name="Next")).to_have_count(0)
    await expect(places).to_contain_text("11–12")
    await places.get_by_role("link", name="Before").click()
    await expect(page.locator(".row")).to_have_count(10)

    await page.get_by_role("link", name="week", exact=True).click()
    await feed.connected(2)
    feed.send("snapshot", 8, {"ann": 55}, period="week", occurrence=12)
    await expect_shown(page, {"ann": 55})


async def test_a_list_that_could_not_be_read_can_be_asked_for_again(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await open_week(new_page, feed)
    await page.get_by_role("button", name="Past").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_role("alert")).to_have_text("The list could not be read.")
    listed = {"occurrences": [LAST_WEEK | {"users": 12}], "next": None}
    feed.answers = {f"{BOARD}/periods/week/occurrences?limit=20": listed}
    await dialog.get_by_role("button", name="Show more").click()
    await expect(dialog.get_by_role("link")).to_have_count(1)
    await expect(dialog.get_by_role("alert")).to_be_hidden()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()


async def test_all_places_of_a_table_can_be_paged_through(new_page: OpenPage, feed: Feed) -> None:
    feed.rules, feed.users = {}, 23
    feed.answers = {
        f"{BOARD}/standings?limit=10&rank=11": standings(11, 20, "more"),
        f"{BOARD}/standings?limit=10&rank=21": standings(21, 23, None),
    }
    page = await new_page()
    await feed.open(page)
    top: Scores = {f"user{rank}": 1000 - rank for rank in range(1, 11)}
    feed.send("snapshot", 1, top)
    await expect_shown(page, top)
    places = page.get_by_role("navigation", name="Places")
    await expect(places).to_contain_text("1–10 of 23")
    await places.get_by_role("link", name="Next").focus()
    for places_shown, ranks in (("11–20 of 23", range(11, 21)), ("21–23", range(21, 24))):
        await page.keyboard.press("Enter")
        await expect(places).to_contain_text(places_shown)
        await expect_shown(page, {f"user{rank}": 1000 - rank for rank in ranks})
    await expect(places.get_by_role("link")).to_have_text(["‹ Before"])
    await places.get_by_role("link", name="Before").click()
    await expect(places).to_contain_text("11–20 of 23")
    await places.get_by_role("link", name="Before").click()
    await feed.connected(2)
    feed.send("snapshot", 2, top)
    await expect_shown(page, top)
    await expect(page.locator("#state-text")).to_have_text("Live")


async def test_a_page_of_standings_that_could_not_be_read_is_read_again(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    feed.rules = {}
    await page.route("**/api/**/standings*", lambda route: route.abort())
    await page.goto(f"{feed.url}&place=11")
    await expect(page.locator("#state")).to_have_attribute("data-state", "waiting")
    feed.answers = {f"{BOARD}/standings?limit=10&rank=11": standings(11, 12, None)}
    await page.unroute("**/api/**/standings*")
    await expect_shown(page, {"user11": 989, "user12": 988})


@pytest.mark.parametrize("query", ["&period=moon", "&period=moon&occurrence=3"])
async def test_what_is_not_there_is_said_and_the_tabs_lead_on(
    new_page: OpenPage, feed: Feed, query: str
) -> None:
    page = await new_page()
    feed.rules, feed.periods, feed.refusal = {}, [WEEK], 4404
    feed.url += query
    if "occurrence" in query:
        await page.goto(feed.url)
    else:
        await feed.open(page)
    await expect(page.get_by_role("heading", name="There is no")).to_be_visible()
    await expect(page.get_by_role("link", name="week")).to_be_visible()
    red = "getComputedStyle(document.querySelector('.lamp')).backgroundColor === 'rgb(194, 42, 42)'"
    assert not await page.evaluate(red)


async def expect_ten_rows_and_the_way_on(page: Page) -> None:
    """All of it is seen without scrolling."""
    await expect(page.locator(".row")).to_have_count(10)
    await expect(page.get_by_role("link", name="Next")).to_be_in_viewport(ratio=1)
    for row in await page.locator(".row").all():
        await expect(row).to_be_in_viewport(ratio=1)
    assert await page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
@pytest.mark.parametrize("color_scheme", ["light", "dark"])
async def test_ten_rows_tabs_and_the_way_on_are_seen_without_scrolling(
    new_page: OpenPage, feed: Feed, width: int, height: int, color_scheme: str
) -> None:
    page = await new_page(
        viewport={"width": width, "height": height},
        color_scheme=color_scheme,
        reduced_motion="reduce",
    )
    feed.rules, feed.periods, feed.url = (
        {"title": "The Grand Arena"},
        [DAY, WEEK],
        f"{feed.url}&period=week",
    )
    feed.users = 1234
    await feed.open(page)
    feed.send("snapshot", 1, {f"user{n}": 5000 - n for n in range(10)}, occurrence=12)
    await expect_ten_rows_and_the_way_on(page)

    await page.get_by_role("link", name="All time").press("Enter")
    await feed.connected(2)
    feed.send("snapshot", 1, {f"user{n}": 5000 - n for n in range(10)})
    await expect(page.locator("#players")).to_have_text("1,234 players")
    await expect(page.locator("#players")).to_be_in_viewport(ratio=1)
    await expect_ten_rows_and_the_way_on(page)
