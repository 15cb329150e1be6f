"""Export and import in the console, in a real browser against the whole service."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import FilePayload, Page, Route, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.console import Console, open_board
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def choose(page: Page, text: str, name: str = "season.csv") -> None:
    file = FilePayload(name=name, mimeType="text/csv", buffer=text.encode())
    await page.get_by_label("File").set_input_files(file)


async def go_to(page: Page, board: str) -> None:
    """The page of another board."""
    await page.evaluate(f"location.hash = 'boards/{board}'")
    await expect(page.get_by_role("heading", name=board, exact=True)).to_be_focused()


async def take(page: Page) -> None:
    await page.get_by_role("button", name="Import", exact=True).press("Enter")


async def test_an_export_is_saved_as_a_file_and_can_be_imported_elsewhere(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_board(page, console)
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Export", exact=True).press("Enter")
    download = await downloading.value
    assert download.suggested_filename == "arena-standings.csv"
    saved = await asyncio.to_thread(Path(await download.path()).read_text)
    assert [line.split(",")[:3] for line in saved.splitlines()[2:]] == [
        ["1", "ann", "30"],
        ["2", "bob", "20"],
        ["3", "cy", "10"],
    ]
    await expect(page.locator("#export-said")).to_have_text("arena-standings.csv has 3 rows.")
    await expect(page.get_by_role("button", name="Export", exact=True)).to_be_focused()

    await console.api.service.make_board("copy")
    await go_to(page, "copy")
    await choose(page, saved)
    await take(page)
    await expect(page.locator("#import-said")).to_contain_text("copy, done: 3 imported")
    await expect(page.locator("#board-users")).to_have_text("3 players")
    await expect(page.get_by_role("button", name="Import", exact=True)).to_be_focused()
    assert await console.api.top("copy") == {"ann": 30, "bob": 20, "cy": 10}

    # On laps less is better.
    await go_to(page, "laps")
    await choose(page, saved)
    await take(page)
    await expect(page.locator("#import-error")).to_contain_text("worse on this board")
    assert await console.api.top("laps") == {}


async def test_an_occurrence_of_a_period_is_exported_by_its_number(
    console: Console, new_page: OpenPage
) -> None:
    change = {"periods": [{"name": "week", "cron": "0 0 * * 1"}]}
    assert (await console.admin.call("PATCH", "/api/admin/boards/arena", json=change)).status == 200
    assert (await console.api.score("bob", 5, "a2", board="arena")).status == 200
    number = (await console.api.get("/api/boards/arena")).json["periods"][0]["occurrence"]

    async def is_known() -> bool:
        found = await console.admin.get("/api/admin/boards/arena/export?period=week")
        return b"bob" in found.body

    await wait_until(is_known, description="what bob did in the week is in Postgres")
    page = await new_page()
    await open_board(page, console)
    occurrence = page.get_by_label("No.", exact=True)
    await expect(occurrence).to_be_hidden()
    await page.get_by_label("Of", exact=True).select_option("week")
    for typed in ("", str(number)):
        await occurrence.fill(typed)
        async with page.expect_download() as downloading:
            await occurrence.press("Enter")
        download = await downloading.value
        assert download.suggested_filename == f"arena-week-{number}-standings.csv"
        saved = await asyncio.to_thread(Path(await download.path()).read_text)
        assert [line.split(",")[:3] for line in saved.splitlines()[2:]] == [["1", "bob", "5"]]
        await expect(page.get_by_role("button", name="Export", exact=True)).to_be_visible()
    await occurrence.fill(str(number + 7))
    await occurrence.press("Enter")
    await expect(page.locator("#export-error")).to_contain_text("no such occurrence")


async def test_rows_in_quotes_and_with_decimals_are_taken_and_those_left_out_are_told(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_board(page, console, "laps")
    many = "".join(f"driver {number};{number},5\r\n" for number in range(1, 1501))
    odd = '"a;""b""";83,204\r\nbad;x\r\nmore;1;234\r\nlong;1,2345\r\n'
    await choose(page, f"\ufeffuser_id;score\r\n{odd}{many}")
    await page.get_by_label("Digits after the point").fill("3")
    await take(page)
    said = page.locator("#import-said")
    await expect(said).to_have_text("laps, done: 1,501 imported, 0 imported before, 3 left out.")
    refused = page.get_by_role("list", name="Rows that were left out").get_by_role("listitem")
    await expect(refused).to_have_text(
        [
            "Row 2, bad with x: the score is no number",
            "Row 3, more with 1;234: the score is no number",
            "Row 4, long with 1.2345: the score has 4 decimals; at most 3 are taken (--decimals)",
        ]
    )
    top = await console.api.top("laps")
    assert next(iter(top.items())) == ("driver 1", 1_500)
    quoted = await console.api.get("/api/boards/laps/users/a%3B%22b%22")
    assert quoted.json["score"] == 83_204

    await take(page)
    await expect(said).to_have_text("laps, done: 0 imported, 1,501 imported before, 3 left out.")


async def test_lines_of_json_are_taken_digit_by_digit_and_an_export_of_them_too(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_board(page, console)
    await page.get_by_label("As", exact=True).select_option("ndjson")
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Export", exact=True).press("Enter")
    saved = await asyncio.to_thread(Path(await (await downloading.value).path()).read_text)

    await console.api.service.make_board("copy")
    await go_to(page, "copy")
    await choose(page, saved, "season.ndjson")
    await take(page)
    said = page.locator("#import-said")
    await expect(said).to_contain_text("copy, done: 3 imported")
    assert await console.api.top("copy") == {"ann": 30, "bob": 20, "cy": 10}

    await go_to(page, "laps")
    await choose(page, saved, "season.ndjson")
    await take(page)
    await expect(page.locator("#import-error")).to_contain_text("worse on this board")

    lines = [
        '{"userId":"a, \\"b\\"","score":83.200,"note":{"score":1}}',
        "",
        '{"user_id":"deb","score":1.2340000000000000001}',
        '{"user_id":"eve","score":"5"}',
        *(f'{{"userId":"driver {number}","score":{number}.5}}' for number in range(1, 1501)),
    ]
    await choose(page, "\r\n".join(lines), "laps.jsonl")
    await page.get_by_label("Digits after the point").fill("3")
    await take(page)
    await expect(said).to_have_text("laps, done: 1,501 imported, 0 imported before, 2 left out.")
    refused = page.get_by_role("list", name="Rows that were left out").get_by_role("listitem")
    await expect(refused).to_contain_text(["Row 2, deb", 'Row 3, eve with "5"'])
    quoted = await console.api.get("/api/boards/laps/users/a%2C%20%22b%22")
    assert quoted.json["score"] == 83_200

    await choose(page, '{"userId":"ann","score":1}\nann,2\n', "broken.jsonl")
    await take(page)
    await expect(page.locator("#import-error")).to_contain_text("Line 2 is no object of JSON")
    assert "ann" not in await console.api.top("laps")


async def test_a_board_whose_gate_is_on_is_not_imported_into(
    console: Console, new_page: OpenPage
) -> None:
    change = {"mode": "flag"}
    assert (await console.admin.call("PATCH", "/api/admin/boards/arena", json=change)).status == 200
    page = await new_page()
    await open_board(page, console)
    await choose(page, "user_id,score\nann,1\n")
    await take(page)
    await expect(page.locator("#import-error")).to_contain_text("Set its rule Mode to off first")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "The file is empty."),
        ("\n\n", "The file is empty."),
        ("user_id,score\n", "The file has no rows."),
        ('user_id,score\nann,1\n"bob,2\ncy,3\n', "In the row of line 3 a quote is never closed."),
        (
            '# of us\n\nuser_id,score\n"an\nn",1\n"b"ob,2\n',
            "In the row of line 6 text follows a closed quote.",
        ),
        (
            'user_id,score\n"' + 20_000 * "bob,2 of 3\n\n",
            "In the row of line 2 a value is longer than 131,072 characters.",
        ),
    ],
    ids=["empty", "lines", "names", "open", "behind", "long"],
)
async def test_a_file_that_is_none_is_told_and_nothing_of_it_is_taken(
    console: Console, new_page: OpenPage, text: str, told: str
) -> None:
    page = await new_page()
    await open_board(page, console, "laps")
    await choose(page, text)
    await take(page)
    await expect(page.locator("#import-error")).to_have_text(told)
    await expect(page.locator("#import-said")).to_have_text("")
    assert await console.api.top("laps") == {}


async def test_a_quote_within_a_value_is_a_character_of_it(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_board(page, console)
    await choose(page, '\nuser_id;score\n5" gun;7\nbob "b";8\n')
    await take(page)
    await expect(page.locator("#import-said")).to_contain_text("arena, done: 2 imported")
    top = await console.api.top("arena")
    assert top == {"ann": 30, "bob": 20, "cy": 10, 'bob "b"': 8, '5" gun': 7}


async def test_an_import_that_the_server_leaves_in_the_middle_says_into_which_board_it_goes_on(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await page.clock.install()
    await open_board(page, console, "laps")
    sent = 0

    async def break_off(route: Route) -> None:
        nonlocal sent
        sent += 1
        await (route.continue_() if sent == 1 else route.abort("connectionreset"))

    await page.route("**/api/admin/boards/laps/import", break_off)
    rows = "".join(f"driver {number},{number}\n" for number in range(1, 1501))
    await choose(page, f"user_id,score\n{rows}")
    await take(page)
    await expect(page.locator("#import-said")).to_contain_text("laps, 100%: 1,000 imported")
    await go_to(page, "arena")

    async def is_given_up() -> bool:
        await page.clock.run_for(2_000)
        return "go on" in (await page.locator("#import-error").text_content() or "")

    await wait_until(is_given_up, description="no further attempt is made")
    told = "The server can't be reached. Import again into laps to go on"
    await expect(page.locator("#import-error")).to_contain_text(told)
    await page.unroute("**/api/admin/boards/laps/import")
    await go_to(page, "laps")
    await take(page)
    said = page.locator("#import-said")
    await expect(said).to_have_text("laps, done: 500 imported, 1,000 imported before, 0 left out.")
