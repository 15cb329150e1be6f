"""Every control of every page is reached with the Tab key, in the order in which it is read, and
shows that it has the focus; what opens over a page gives the focus back."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from scoreboard.settings import Settings
from tests.e2e.conftest import OpenPage
from tests.e2e.console import Console, open_board, open_console
from tests.e2e.review_queue import Queue, case, open_queue
from tests.e2e.screens import (
    SCREENS,
    TOP_NINE,
    Show,
    a_board,
    a_period,
    a_player,
    past_occurrences,
    the_overlay,
)
from tests.e2e.stand_in import Feed, expect_shown, hold_the_clock
from tests.e2e.test_player_page import STANDING
from tests.e2e.test_widget import site
from tests.support.extent import further, kept
from tests.support.whole_service import service

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIZES = pytest.mark.parametrize(
    "size", kept([(1280, 800), (390, 844)], (390, 844)), ids=["1280x800", "390x844"]
)

STOPS = 8  # at most, within one control: a date with a time has its parts and its calendar

# All that takes the focus and is seen, in the order of the document; of an open dialog, where there
# is one, since nothing else can be used meanwhile. ``focused`` is the one that has it, or -1.
CONTROLS = """
const within = (root) => [...root.querySelectorAll("*")].flatMap((one) => [
    ...(one.matches(
        "a[href], button, input, select, textarea, summary, [tabindex='0']"
    ) ? [one] : []),
    ...(one.shadowRoot ? within(one.shadowRoot) : []),
]);
const controls = within(document.querySelector("dialog[open]") ?? document).filter((one) =>
    one.checkVisibility({ visibilityProperty: true }) && !one.disabled
);
const deepest = (one) => one?.shadowRoot?.activeElement ?? one;
const focused = controls.indexOf(deepest(document.activeElement));
"""
NAMES = f"""() => {{ {CONTROLS}
    return controls.map((one) => one.textContent.trim() || one.id);
}}"""
# A row shows the focus of its link as a whole, by what lies over it.
FOCUSED = f"""() => {{ {CONTROLS}
    const outlined = (part) => {{
        const style = getComputedStyle(controls[focused], part);
        return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0
            && style.outlineColor !== "rgba(0, 0, 0, 0)";
    }};
    if (focused < 0) return null;
    const box = controls[focused].getBoundingClientRect();
    const seen = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    return [focused, seen && [null, "::after"].some(outlined)];
}}"""


async def expect_all_reached(page: Page) -> None:
    """Tab leads through all controls, from whichever it begins with, and maybe by way of the
    browser's own."""
    names = await page.evaluate(NAMES)
    assert names
    reached: dict[int, bool] = {}
    last = None
    for _ in range(len(names) * STOPS + 1):
        await page.keyboard.press("Tab")
        index, shown = await page.evaluate(FOCUSED) or (-1, True)
        if index != last and index in reached:
            break
        reached.setdefault(index, shown)
        last = index
    order = [index for index in reached if index >= 0]
    first = order.index(0)
    assert order[first:] + order[:first] == list(range(len(names))), names
    assert [names[index] for index, shown in reached.items() if not shown] == []


@SIZES
@pytest.mark.parametrize("show", SCREENS, ids=lambda show: show.__name__)
async def test_tab_reaches_all_of_a_board_and_of_a_player(
    new_page: OpenPage, feed: Feed, show: Show, size: tuple[int, int]
) -> None:
    page = await new_page(viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce")
    await page.clock.install()
    await show(page, feed)
    # From here on a page that is cut off does not try again by itself, for which it hides a button.
    await hold_the_clock(page)
    await expect(page.locator("#state[data-state=connecting]:visible")).to_have_count(0)
    if show is the_overlay:
        assert await page.evaluate(NAMES) == [], "it is only looked at"
    else:
        await expect_all_reached(page)


@SIZES
async def test_a_moderator_signs_in_and_reaches_all_of_the_queue(
    new_page: OpenPage, queue: Queue, size: tuple[int, int]
) -> None:
    page = await new_page(viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce")
    await page.goto(queue.url)
    await expect_all_reached(page)
    await page.get_by_label("Access token").focus()
    await page.keyboard.type(queue.token())
    await page.keyboard.press("Enter")
    await expect(page.locator(".case")).to_have_count(4)
    await expect_all_reached(page)


async def test_a_dialog_of_the_queue_gives_the_focus_back_to_what_opened_it(
    new_page: OpenPage, queue: Queue
) -> None:
    page = await new_page()
    await open_queue(page, queue)
    more = case(page, "ann").get_by_role("button", name="More")
    for opener, name, leave in (
        (more, "Confirm and take back", "Cancel"),
        (page.get_by_role("button", name="Keys"), "Keys", "Close"),
    ):
        dialog = page.get_by_role("dialog", name=name)
        await opener.press("Enter")
        await expect(dialog).to_be_visible()
        await expect_all_reached(page)
        await page.keyboard.press("Escape")
        await expect(opener).to_be_focused()

        await page.keyboard.press("Enter")
        await dialog.get_by_role("button", name=leave).press("Enter")
        await expect(dialog).to_be_hidden()
        await expect(opener).to_be_focused()
    await case(page, "bob").focus()
    await page.keyboard.press("?")
    await page.keyboard.press("Escape")
    await expect(case(page, "bob")).to_be_focused()


@further
@SIZES
async def test_a_moderator_reaches_all_of_the_boards(
    new_page: OpenPage, console: Console, size: tuple[int, int]
) -> None:
    page = await new_page(viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce")
    await open_console(page, console, "boards")
    await expect(page.locator("#boards li")).to_have_count(3)
    await expect_all_reached(page)
    await page.get_by_role("link", name="arena").press("Enter")
    await expect(page.locator("#board-users")).to_have_text("3 players")
    await page.get_by_label("Unit").fill("pts")
    await page.get_by_role("button", name="Add a period").press("Enter")
    await expect_all_reached(page)


@further
@SIZES
async def test_a_moderator_reaches_all_of_a_player(
    new_page: OpenPage, console: Console, size: tuple[int, int]
) -> None:
    page = await new_page(viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce")
    await open_console(page, console, "players")
    await expect_all_reached(page)
    await page.goto(f"{console.url}#players/ann")
    await expect(page.locator("#player-boards > li")).to_have_count(1)
    await expect_all_reached(page)
    opener = page.get_by_role("button", name="Erase…")
    await opener.press("Enter")
    await page.get_by_role("button", name="Cancel").press("Enter")
    await expect(opener).to_be_focused()


@further
async def test_a_moderator_reaches_all_of_the_health(new_page: OpenPage, console: Console) -> None:
    page = await new_page(reduced_motion="reduce")
    await open_console(page, console, "health")
    await expect(page.get_by_role("rowheader", name="Postgres")).to_be_visible()
    await expect_all_reached(page)


async def test_a_dialog_about_a_board_gives_the_focus_back_to_what_opened_it(
    new_page: OpenPage, console: Console
) -> None:
    page = await new_page()
    await open_board(page, console)
    for name in ("Freeze", "Clear…", "Delete…"):
        opener = page.get_by_role("button", name=name)
        await opener.press("Enter")
        await expect(page.get_by_role("dialog")).to_be_visible()
        await expect_all_reached(page)
        await page.get_by_role("dialog").get_by_role("button", name="Cancel").press("Enter")
        await expect(page.get_by_role("dialog")).to_be_hidden()
        await expect(opener).to_be_focused()


@pytest.mark.parametrize("leave", ["Escape", "Close"])
async def test_the_list_of_what_is_over_gives_the_focus_back(
    new_page: OpenPage, feed: Feed, leave: str
) -> None:
    page = await new_page()
    await past_occurrences(page, feed)
    if leave == "Close":
        await page.get_by_role("button", name="Close").press("Enter")
    else:
        await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await expect(page.get_by_role("button", name="Past")).to_be_focused()


async def test_a_tab_keeps_the_focus_when_its_table_is_shown(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    await a_period(page, feed)
    day = page.get_by_role("navigation", name="Periods").get_by_role("link", name="day")
    await day.press("Enter")
    await expect(day).to_have_attribute("aria-current", "page")
    await expect(day).to_be_focused()

    await feed.connected(2)
    feed.send("snapshot", 1, TOP_NINE, period="day", occurrence=80)
    await page.get_by_role("link", name="user3").focus()
    await page.go_back()
    await expect(page.get_by_role("link", name="week")).to_have_attribute("aria-current", "page")
    await expect(page.get_by_role("heading", level=1)).to_be_focused()


async def test_a_player_keeps_the_focus_when_the_row_moves(new_page: OpenPage, feed: Feed) -> None:
    page = await new_page()
    await a_board(page, feed)
    link = page.get_by_role("link", name="user5")
    await link.focus()
    for version, score in ((3, 9000), (4, 4996)):
        moved = TOP_NINE | {"user5": score, "zoe": 6000}
        by_score = dict(sorted(moved.items(), key=lambda one: -one[1]))
        feed.send("update", version, by_score)
        await expect_shown(page, by_score)
        await expect(link).to_be_focused()


async def test_a_player_who_leaves_the_top_passes_the_focus_to_the_one_in_its_place(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    await a_board(page, feed)
    await page.get_by_role("link", name="user3").focus()
    left = {"zoe": 6000} | {user: score for user, score in TOP_NINE.items() if user != "user3"}
    feed.send("update", 3, left)
    await expect(page.get_by_role("link", name="user4")).to_be_focused()
    feed.send("update", 4, {"zoe": 6000})
    await expect(page.get_by_role("link", name="zoe")).to_be_focused()
    feed.send("update", 5, {})
    await expect(page.get_by_role("heading", level=1)).to_be_focused()


async def test_a_link_among_a_players_figures_keeps_the_focus_when_they_change(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    await a_player(page, feed)
    bob = page.locator("#figures").get_by_role("link", name="bob")
    await bob.focus()
    feed.tell_of_ada("standing", **STANDING | {"above": {"userId": "bob", "rank": 1, "gap": 7}})
    await expect(page.locator("#figures")).to_contain_text("7 behind")
    await expect(bob).to_be_focused()


async def test_tab_reaches_the_widget_from_the_page_around_it(
    new_page: OpenPage, settings: Settings
) -> None:
    async with site(settings, "board=arena") as game:
        await game.score("ann", 10)
        page = await new_page()
        await page.goto(game.url)
        await expect(page.locator(".row")).to_have_count(1)
        await expect_all_reached(page)


async def test_tab_reaches_the_ways_on_from_the_description_and_from_an_unknown_address(
    new_page: OpenPage, settings: Settings
) -> None:
    page = await new_page()
    async with service(settings, takes_tokens=False) as running:
        await page.goto(f"{running.url}/no/such/page")
        await expect_all_reached(page)
        await page.goto(f"{running.url}/docs")
        await expect(page.get_by_role("table").first).to_be_visible()
        for name in ("Calls", "Live messages", "Leaderboard"):
            await page.keyboard.press("Tab")
            await expect(page.get_by_role("link", name=name, exact=True)).to_be_focused()
            assert (await page.evaluate(FOCUSED))[1]
