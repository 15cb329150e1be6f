"""The console's boards in a real browser, against the whole service."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs
from playwright.async_api import Page, Request, Route, expect

from scoreboard.domain.boards import BoardSettings
from tests.e2e.conftest import OpenPage
from tests.e2e.console import Console, open_board, open_console, period_field, rule

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASKED = "**/api/admin/calendar"


def changes_of(page: Page) -> list[dict[str, Any]]:
    """The bodies of the changes that the page sends from now on."""
    sent: list[dict[str, Any]] = []

    def note(request: Request) -> None:
        if request.method == "PATCH":
            sent.append(json.loads(request.post_data or ""))

    page.on("request", note)
    return sent


async def save(page: Page) -> None:
    await page.get_by_role("button", name="Save", exact=True).press("Enter")


async def test_the_list_can_be_searched_and_goes_on(console: Console, new_page: OpenPage) -> None:
    for number in range(30):
        await console.api.service.make_board(f"cup-{number:02}", title=f"Cup {number}")
    page = await new_page()
    await open_console(page, console, "boards")
    boards = page.get_by_role("list", name="Boards, by name").get_by_role("listitem")
    await expect(boards).to_have_count(25)
    await page.get_by_role("button", name="More boards").press("Enter")
    await expect(boards).to_have_count(33)
    await expect(boards.nth(25).get_by_role("link")).to_be_focused()
    await expect(page.get_by_role("button", name="More boards")).to_be_hidden()

    search = page.get_by_label("Name begins with")
    await search.fill("la")
    await search.press("Enter")
    await expect(boards).to_have_text(["laps Monza"])
    await search.fill("nowhere")
    await search.press("Enter")
    await expect(boards).to_have_count(0)
    await expect(page.locator("#no-boards")).to_have_text("No board's name begins so.")


async def test_what_a_board_is_called_is_never_markup(console: Console, new_page: OpenPage) -> None:
    title = "<img src=x onerror=alert(1)> \u0633\u0648\u0642"
    await console.api.service.make_board("odd", title=title, description=title)
    page = await new_page()
    await open_console(page, console, "boards")
    odd = page.get_by_role("listitem").filter(has=page.get_by_text("odd", exact=True))
    await expect(odd.locator("bdi")).to_have_text(title)
    await odd.get_by_role("link").click()
    await expect(page.locator("#board-title")).to_have_text(title)
    assert await page.locator("main img").count() == 0


async def test_a_board_is_made_by_its_name_alone(console: Console, new_page: OpenPage) -> None:
    page = await new_page()
    await open_console(page, console, "boards")
    await page.get_by_label("New board").fill("arena")
    await page.get_by_label("New board").press("Enter")
    await expect(page.get_by_role("alert").filter(has_text="is a board arena")).to_be_visible()
    await page.get_by_label("New board").fill("sprint")
    await page.get_by_label("New board").press("Enter")
    await expect(page.get_by_role("heading", name="sprint", exact=True)).to_be_focused()
    assert (await console.rules("sprint"))["operator"] == "sum"


async def test_every_rule_is_there_with_its_explanation_and_its_value(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_board(page, console, "laps")
    told = await console.rules("laps")
    for name in {one.encode_name for one in structs.fields(BoardSettings)} - {"periods"}:
        await expect(rule(page, name).locator(".soft")).not_to_be_empty()
        control = rule(page, name).locator("input, select, textarea, button").first
        if isinstance(value := told.get(name), bool):
            await expect(control).to_be_checked(checked=value)
        elif isinstance(value, (str, int)):
            await expect(control).to_have_value(str(value))
    await expect(page.get_by_role("heading", name="laps", exact=True)).to_be_visible()
    await expect(page.locator("#save-bar")).to_be_hidden()


async def test_only_what_was_changed_is_sent(console: Console, new_page: OpenPage) -> None:
    page = await new_page(timezone_id="Asia/Kolkata")
    await open_board(page, console)
    sent = changes_of(page)
    await page.get_by_label("Title").fill("The Grand Arena")
    await page.get_by_label("Attempts").fill("3")
    await page.get_by_label("Closes").fill("2099-06-06T20:00:00")
    await page.get_by_label("Actions", exact=True).fill("5")
    await page.get_by_label("Seconds", exact=True).fill("0.5")
    await page.get_by_role("button", name="Add an event").press("Enter")
    await page.get_by_label("Event: from").fill("2099-06-01T05:30:00")
    await page.get_by_label("Event: to").fill("2099-06-02T05:30:00")
    await expect(page.locator("#changes")).to_have_text(
        "Changed: Title, Closes, Attempts, Rate, Announced events"
    )
    await save(page)
    await expect(page.locator("#boards-said")).to_have_text(
        "Saved: Title, Closes, Attempts, Rate, Announced events."
    )
    assert sent == [
        {
            "title": "The Grand Arena",
            "closes": "2099-06-06T14:30:00.000Z",
            "attempts": 3,
            "rate": {"actions": 5, "seconds": 0.5},
            "events": [
                {"from": "2099-06-01T00:00:00.000Z", "to": "2099-06-02T00:00:00.000Z", "factor": 2}
            ],
        }
    ]
    rules = await console.rules()
    assert (rules["title"], rules["attempts"]) == ("The Grand Arena", 3)
    await expect(page.get_by_label("Closes")).to_have_value("2099-06-06T20:00")
    await expect(page.locator("#board-title")).to_have_text("The Grand Arena")
    await expect(page.locator("#board-state")).to_contain_text("Takes actions until Jun 6, 2099")

    await page.get_by_label("Attempts").fill("")
    await save(page)
    await expect(page.locator("#boards-said")).to_have_text("Saved: Attempts.")
    assert (await console.rules())["attempts"] is None


@pytest.mark.parametrize(
    ("name", "label", "text", "complaint"),
    [
        ("decimals", "Decimals", "2", "The board has scores, so its decimals can't change"),
        ("topSize", "Size of the top", "ten", "Expected `int`, got `str`"),
        ("zone", "Time zone", "Mars/Olympus", "is not a time zone's name"),
        ("rate", "Seconds", "0", "Expected `float` >= 0.001"),
        ("minPoints", "Least points", "3000000000", "Expected `int` <= 2147483647"),
    ],
)
async def test_what_the_service_objects_to_stands_beside_the_field(
    console: Console, new_page: OpenPage, name: str, label: str, text: str, complaint: str
) -> None:
    page = await new_page()
    await open_board(page, console)
    if name == "rate":
        await page.get_by_label("Actions", exact=True).fill("5")
    await page.get_by_label("Unit").fill("pts")
    await rule(page, name).get_by_label(label, exact=True).fill(text)
    await save(page)
    await expect(rule(page, name).get_by_role("alert")).to_contain_text(complaint)
    control = rule(page, name).locator("input").first
    await expect(control).to_be_focused()
    await expect(control).to_have_attribute("aria-invalid", "true")
    assert (await console.rules())["unit"] == "", "a change is made as a whole, or not at all"

    await page.get_by_role("button", name="Undo").press("Enter")
    await expect(rule(page, name).locator(".error")).to_be_empty()
    await expect(page.get_by_label("Unit")).to_have_value("")
    await expect(page.locator("#save-bar")).to_be_hidden()


async def test_a_period_is_added_after_a_look_at_its_next_resets(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_board(page, console)
    sent = changes_of(page)
    await page.get_by_label("Title").fill("Begun")
    await page.get_by_role("button", name="Add a period").press("Enter")
    await expect(page.get_by_label("Name", exact=True)).to_be_focused()
    await page.keyboard.type("cup")
    await page.get_by_label("Resets", exact=True).select_option("by a cron expression")
    await page.get_by_label("Cron expression").fill("0 18 * * sat")
    async with page.expect_response(ASKED):
        await period_field(page, "zone").get_by_label("Time zone").fill("Europe/Berlin")
    async with page.expect_response(ASKED):
        await page.get_by_label("Open for").fill("PT2H")
    ahead = page.get_by_role("list", name="Open next").last
    await expect(ahead.get_by_role("listitem")).to_have_count(5)
    for line in await ahead.get_by_role("listitem").all():
        await expect(line).to_contain_text("Sat, ")
        await expect(line).to_contain_text("6:00 PM")
        await expect(line).to_contain_text("8:00 PM")
    await page.get_by_role("button", name="Save the period").press("Enter")
    await expect(page.locator("#boards-said")).to_have_text("The period cup is set.")
    cup = {"name": "cup", "cron": "0 18 * * sat", "zone": "Europe/Berlin", "duration": "PT2H"}
    assert sent == [{"periods": [cup]}]
    assert (await console.rules())["periods"] == [cup]
    # What was begun in the form of the rules is still there.
    await expect(page.locator("#changes")).to_have_text("Changed: Title")

    await page.get_by_role("button", name="Change cup").press("Enter")
    await page.get_by_label("Grace").fill("60")
    await page.get_by_role("button", name="Save the period").press("Enter")
    await expect(page.locator(".period")).to_contain_text("grace of 60 s")
    assert (await console.rules())["periods"] == [cup | {"grace": 60}]

    await page.get_by_role("button", name="Remove cup").press("Enter")
    dialog = page.get_by_role("dialog", name="Remove the period cup")
    await expect(dialog).to_contain_text("The occurrence of cup that is open on arena ends now")
    await dialog.get_by_role("button", name="Remove").press("Enter")
    await expect(page.locator(".period")).to_have_count(0)
    assert (await console.rules())["periods"] == []


async def test_a_period_of_even_lengths_shows_its_seconds(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page(timezone_id="UTC")
    await open_board(page, console)
    await page.get_by_role("button", name="Add a period").press("Enter")
    await page.get_by_label("Name", exact=True).fill("blitz")
    await page.get_by_label("Resets", exact=True).select_option("in even lengths")
    await page.get_by_label("Length").fill("PT30S")
    async with page.expect_response(ASKED):
        await page.get_by_label("Counted from").fill("2026-01-01T00:00:00")
    lines = page.get_by_role("list", name="Resets next").last.get_by_role("listitem")
    await expect(lines.filter(has_text=":30 ")).not_to_have_count(0)
    await page.get_by_role("button", name="Save the period").press("Enter")
    await expect(page.locator(".period")).to_contain_text("every PT30S from Jan 1, 2026")
    assert (await console.rules())["periods"] == [
        {"name": "blitz", "every": "PT30S", "start": "2026-01-01T00:00:00Z"}
    ]


async def test_what_is_wrong_with_a_period_stands_beside_its_field(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_board(page, console)
    await page.get_by_role("button", name="Add a period").press("Enter")
    await page.get_by_label("Name", exact=True).fill("never")
    await page.get_by_label("Resets", exact=True).select_option("by a cron expression")
    await page.get_by_label("Cron expression").fill("0 0 30 2 *")
    await expect(page.locator("#period-next")).to_contain_text("bad day-of-month")
    await page.get_by_role("button", name="Save the period").press("Enter")
    await expect(period_field(page, "cron").get_by_role("alert")).to_contain_text(
        "bad day-of-month"
    )
    await expect(page.get_by_label("Cron expression")).to_be_focused()
    await page.get_by_role("button", name="Cancel").last.press("Enter")
    await expect(page.get_by_role("button", name="Add a period")).to_be_focused()
    assert (await console.rules())["periods"] == []


async def test_a_frozen_board_takes_no_action_until_it_is_thawed(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_board(page, console)
    await page.get_by_role("button", name="Freeze").press("Enter")
    dialog = page.get_by_role("dialog", name="Freeze arena")
    await dialog.get_by_role("button", name="Freeze").press("Enter")
    await expect(page.locator("#board-state")).to_contain_text("Takes no actions since")
    refused = await console.api.score("dan", 1, board="arena")
    assert refused.outcome == (409, "board_closed")
    assert len(await console.api.top("arena")) == 3

    await expect(page.get_by_role("button", name="Thaw")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#board-state")).to_have_text("Takes actions")
    assert (await console.api.score("dan", 1, board="arena")).status == 200


async def test_clearing_asks_for_the_boards_name_and_leaves_its_rules(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_board(page, console)
    await expect(page.locator("#board-users")).to_have_text("3 players")
    await page.get_by_role("button", name="Clear…").press("Enter")
    dialog = page.get_by_role("dialog", name="Clear arena")
    await expect(dialog).to_contain_text("of arena (3 players): all its scores")
    for typed in ("", "aren"):
        await dialog.get_by_label("Type arena to go on").fill(typed)
        await dialog.get_by_role("button", name="Clear").press("Enter")
        await expect(dialog).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Clear…")).to_be_focused()
    assert len(await console.api.top("arena")) == 3

    await page.keyboard.press("Enter")
    await dialog.get_by_label("Type arena to go on").fill("arena")
    await page.keyboard.press("Enter")
    await expect(page.locator("#boards-said")).to_have_text("arena is cleared.")
    await expect(page.locator("#board-users")).to_have_text("0 players")
    assert await console.api.top("arena") == {}
    assert (await console.rules())["operator"] == "sum"


async def test_a_question_that_is_asked_again_hears_its_own_answer_only(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_board(page, console)
    await page.get_by_role("button", name="Clear…").press("Enter")
    dialog = page.get_by_role("dialog", name="Clear arena")
    # Chromium tells of a closing with its next frame, when the question may have been asked again.
    await dialog.evaluate("question => question.dispatchEvent(new Event('close'))")
    await dialog.get_by_label("Type arena to go on").fill("arena")
    await page.keyboard.press("Enter")
    await expect(page.locator("#boards-said")).to_have_text("arena is cleared.")


async def test_deleting_asks_for_the_boards_name_and_leaves_nothing(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_board(page, console)
    await page.get_by_role("button", name="Delete…").press("Enter")
    dialog = page.get_by_role("dialog", name="Delete arena")
    await dialog.get_by_label("Type arena to go on").fill("arena")
    await dialog.get_by_role("button", name="Delete").press("Enter")
    await expect(page.locator("#boards-said")).to_have_text("arena is deleted.")
    await expect(page.locator("#boards li")).to_have_text(["global", "laps Monza"])
    gone = await console.admin.get("/api/admin/boards/arena")
    assert gone.outcome == (404, "unknown_board")


async def test_when_no_answer_comes_to_a_clearing_it_is_told_that_it_may_be_done(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_board(page, console)

    async def lose_the_answer(route: Route) -> None:
        await route.fetch()
        await route.abort("connectionreset")

    await page.route("**/api/admin/boards/arena/clear?*", lose_the_answer)
    await page.get_by_role("button", name="Clear…").press("Enter")
    dialog = page.get_by_role("dialog", name="Clear arena")
    await dialog.get_by_label("Type arena to go on").fill("arena")
    await dialog.get_by_role("button", name="Clear").press("Enter")
    told = "The server can't be reached. It may be cleared all the same"
    await expect(page.locator("#board-error")).to_contain_text(told)
    await expect(page.get_by_text("under way")).to_have_count(0)
    assert await console.api.top("arena") == {}


async def test_a_board_that_is_not_there_is_said_to_be_none(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_console(page, console, "boards/nowhere")
    await expect(page.locator("#board-error")).to_contain_text("There is no board 'nowhere'.")
    await expect(page.locator("#board-parts")).to_be_hidden()
    await page.get_by_role("link", name="‹ Boards").press("Enter")
    await expect(page.locator("#boards li")).to_have_count(3)
