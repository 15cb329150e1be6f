"""How the live page shows a board by its rules."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.stand_in import Feed, Scores, rows_rest, stop_the_clock
from tests.support.extent import kept

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAPS: dict[str, Any] = {
    "operator": "best",
    "order": "asc",
    "decimals": 3,
    "rankStyle": "standard",
    "topSize": 10,
    "title": "Monza",
    "unit": "s",
    "description": "The best lap of each driver.",
}

LONG_TITLE = "The fastest laps of the whole season at Monza"


async def texts(page: Page, part: str) -> list[str]:
    return await page.locator(f".row:not(.leaving) {part}").all_text_contents()


async def expect_texts(page: Page, part: str, *expected: str) -> None:
    await expect(page.locator(f".row:not(.leaving) {part}")).to_have_text(list(expected))


async def test_lap_times_have_their_decimals_their_unit_and_their_way_up(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    feed.rules = LAPS
    await feed.open(page)
    feed.send("snapshot", 1, {"ada": 83204, "bob": 83911, "cy": 84000})

    await expect(page.get_by_role("heading", name="Monza")).to_be_visible()
    await expect(page).to_have_title("Monza · Leaderboard")
    await expect(page.get_by_text("The best lap of each driver.")).to_be_visible()
    await expect_texts(page, ".score", "83.204", "83.911", "84.000")
    await expect_texts(page, ".distance", "leads by 0.707", "0.707 behind", "0.089 behind")
    await expect(page.get_by_role("list", name="Monza")).to_match_aria_snapshot("""
        - list "Monza":
          - listitem:
            - text: Rank 1
            - link "ada"
            - text: leads by 0.707 83.204 s
          - listitem:
            - text: Rank 2
            - link "bob"
            - text: 0.707 behind 83.911 s
          - listitem:
            - text: Rank 3
            - link "cy"
            - text: 0.089 behind 84.000 s
    """)

    feed.send("update", 2, {"cy": 82000, "ada": 83204, "bob": 83911})
    cy = page.locator("[data-user=cy]")
    await expect(cy.locator(".gain")).to_have_text("-2.000")
    await expect(cy.locator(".gain.loss")).to_have_count(0)
    await expect(page.locator("#announcer")).to_have_text("cy takes the lead with 82.000 s.")


@pytest.mark.parametrize(
    ("style", "ranks", "words"),
    [
        (
            "standard",
            ["1", "1", "3", "4", "4", "6"],
            ["shares the lead", "shares the lead", "10 behind", "tied, 5 behind", "tied, 5 behind",
             "1 behind"],
        ),
        (
            "ordinal",
            ["1", "2", "3", "4", "5", "6"],
            ["leads, but level", "level", "10 behind", "5 behind",
             "level", "1 behind"],
        ),
    ],
)  # fmt: skip
async def test_ties_read_as_ties(
    new_page: OpenPage, feed: Feed, style: str, ranks: list[str], words: list[str]
) -> None:
    page = await new_page()
    feed.rules = {"rankStyle": style}
    await feed.open(page)
    feed.send("snapshot", 1, {"a": 50, "b": 50, "c": 40, "d": 35, "e": 35, "f": 34})
    await expect_texts(page, ".place", *ranks)
    await expect_texts(page, ".distance", *words)


@pytest.mark.parametrize("size", [3, 25])
async def test_a_board_has_as_many_places_as_its_top(
    new_page: OpenPage, feed: Feed, size: int
) -> None:
    page = await new_page()
    feed.rules = {"topSize": size}
    await feed.open(page)
    feed.send("snapshot", 1, {f"user{n}": 100 - n for n in range(size)})
    await expect(page.locator(".row")).to_have_count(size)
    await expect(page.locator(".slots i")).to_have_count(min(size, 10))
    overlaps = """[...document.querySelectorAll(".row")].some((row) => row.nextElementSibling
        && row.getBoundingClientRect().bottom > row.nextElementSibling.getBoundingClientRect().top)
        || document.querySelector(".row:last-child").getBoundingClientRect().bottom
            > document.querySelector("footer").getBoundingClientRect().top"""
    await rows_rest(page)
    assert not await page.evaluate(overlaps)


async def test_no_number_is_shown_before_it_is_known_how_it_is_written(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    feed.rules = LAPS
    feed.tell.clear()
    await feed.open(page)
    feed.send("snapshot", 1, {"ada": 83204})
    await expect(page.locator("#state-text")).to_have_text("Live")
    assert await texts(page, ".score") == []
    feed.tell.set()
    await expect_texts(page, ".score", "83.204")


async def test_rules_that_could_not_be_read_are_asked_for_again(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    await page.clock.install()
    feed.rules = 503
    async with page.expect_response("**/api/boards/arena"):
        await feed.open(page)
        feed.send("snapshot", 1, {"ada": 83204})
    await expect(page.locator("#state-text")).to_have_text("Live")
    feed.rules = LAPS
    await page.clock.fast_forward(5_000)
    await expect_texts(page, ".score", "83.204")


@pytest.mark.parametrize("order", kept(["desc", "asc"], "asc"))
@pytest.mark.parametrize("style", kept(["ordinal", "standard"], "standard"))
async def test_numbers_that_count_never_contradict_the_ranks_beside_them(
    new_page: OpenPage, feed: Feed, order: str, style: str
) -> None:
    page = await new_page()
    await stop_the_clock(page)
    feed.rules = {"order": order, "rankStyle": style}
    async with page.expect_response("**/api/boards/arena"):
        await feed.open(page)
        feed.send("snapshot", 1, {})
    drawn = random.Random(7)
    totals = {f"user{n}": drawn.randrange(30) for n in range(8)}
    await page.evaluate(WATCH)
    for version in range(2, 30):
        for user in drawn.sample(sorted(totals), 3):
            totals[user] = drawn.choice((drawn.randrange(30), drawn.randrange(10_000)))
        feed.send("update", version, ordered(totals, order))
        await page.clock.run_for(drawn.choice((50, 200, 700)))  # some before they have counted

    sign = -1 if order == "asc" else 1
    seen = await page.evaluate("watched")
    assert len({tuple(map(tuple, rows)) for rows in seen}) > 100, "few numbers between totals"
    for rows in seen:
        for (rank, total), (next_rank, next_total) in pairwise(rows):
            lead = sign * (total - next_total)
            assert lead >= 0, rows
            assert style == "ordinal" or (lead == 0) is (rank == next_rank), rows


def ordered(totals: Scores, order: str) -> Scores:
    return dict(sorted(totals.items(), key=lambda item: item[1], reverse=order == "desc"))


# After each change of the rows: the rank and the number of each, from the top.
WATCH = """() => {
    window.watched = [];
    new MutationObserver(() => watched.push(
        [...document.querySelectorAll(".row:not(.leaving)")].map((row) => [".place", ".score"].map(
            (part) => Number(row.querySelector(part).textContent.replaceAll(",", ""))
        ))
    )).observe(document.getElementById("rows"), {
        childList: true, characterData: true, subtree: true
    });
}"""


async def test_a_name_that_runs_to_the_left_stands_below_the_others(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    await feed.open(page)
    feed.send("snapshot", 1, {"ada": 9, "سمير": 8, "נועה": 7})
    await expect(page.locator(".row")).to_have_count(3)
    left = """[...document.querySelectorAll(".user")].map((user) => {
        const range = document.createRange();
        range.selectNodeContents(user);
        return Math.round(range.getBoundingClientRect().left);
    })"""
    assert len(set(await page.evaluate(left))) == 1


@pytest.mark.parametrize("title", kept(["Monza", LONG_TITLE], LONG_TITLE))
@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
async def test_ten_rows_are_seen_without_scrolling(
    new_page: OpenPage, feed: Feed, width: int, height: int, title: str
) -> None:
    page = await new_page(viewport={"width": width, "height": height})
    feed.rules = LAPS | {"title": title}
    await feed.open(page)
    feed.send("snapshot", 1, {f"user{n}": 83204 + n for n in range(10)})
    await expect(page.locator(".row")).to_have_count(10)
    await rows_rest(page)
    boxes = [await row.bounding_box() for row in await page.locator(".row").all()]
    assert boxes[9]
    assert boxes[9]["y"] + boxes[9]["height"] <= height
    assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_a_board_that_is_not_there_is_no_failure(new_page: OpenPage, feed: Feed) -> None:
    page = await new_page()
    feed.refusal = 4404
    await feed.open(page)
    await expect(page.get_by_role("heading", name="There is no board “arena” yet")).to_be_visible()
    await expect(page.locator("#state")).to_have_attribute("data-state", "absent")
    alarm = """["absent", "waiting"].map((state) => {
        document.getElementById("state").dataset.state = state;
        return getComputedStyle(document.querySelector(".lamp")).backgroundColor;
    })"""
    absent, waiting = await page.evaluate(alarm)
    assert absent != waiting


async def test_a_name_that_no_board_can_have_is_told_so_and_not_asked_for(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    await page.goto(feed.url.replace("arena", "Arena!"))
    await expect(page.get_by_role("heading", name="There can be no board “Arena!”")).to_be_visible()
    await expect(page.locator("#state-text")).to_have_text("No board")
    assert feed.sockets == []
