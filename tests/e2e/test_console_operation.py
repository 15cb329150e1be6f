"""The console's gate, webhooks and audit in a real browser, against the whole service."""

from __future__ import annotations

import re
from typing import Any

import asyncpg
import pytest
from playwright.async_api import Page, expect

from scoreboard.pg.models import Models
from scoreboard.pg.pool import open_pool
from scoreboard.settings import Settings
from tests.e2e.conftest import OpenPage
from tests.e2e.console import Console, open_console
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="module")

WEBHOOKS = "/api/admin/webhooks"


async def execute(settings: Settings, statement: str, *values: Any) -> None:
    database = await asyncpg.connect(settings.database_url)
    await database.execute(statement, *values)
    await database.close()


async def add_models(settings: Settings, *boards: str) -> None:
    """Models that are not in force, numbered from 1 on."""
    pool = await open_pool(settings.database_url, connections=1, timeout=PATIENCE)
    for board in boards:
        quality = {"actions": 12_345, "refused by time": 0.00125}
        await Models(pool).add(
            board,
            b"none judges here",
            first_ms=1_780_000_000_000,
            last_ms=1_782_000_000_000,
            false_alarm_rate=0.001,
            quality=quality,
        )
    await pool.close()


async def add_webhook(console: Console) -> None:
    new = {"url": "https://hooks.example.com/a", "events": ["player.erased"]}
    assert (await console.admin.post(WEBHOOKS, new)).status == 201


async def give_up(settings: Settings, deliveries: int) -> None:
    """So many deliveries of webhook 1 that nobody took."""
    await execute(
        settings,
        "INSERT INTO outside_event (webhook, message, kind, body, state, attempts, failure, ended)"
        " SELECT 1, 'msg_' || lpad(n::text, 32, '0'), 'player.erased', '{}', 'dead', 20,"
        " 'status 500', now() FROM generate_series(1, $1::integer) AS n",
        deliveries,
    )


def lines(page: Page) -> Any:
    return page.get_by_role("list", name="What was done").get_by_role("listitem")


async def test_a_model_is_put_in_force_when_the_reader_knows_what_it_replaces(
    console: Console, new_page: OpenPage, settings: Settings
) -> None:
    await add_models(settings, "arena", "arena", "")
    assert (await console.admin.call("POST", "/api/admin/models/1/activate")).status == 200
    page = await new_page()
    await open_console(page, console, "gate")
    models = page.get_by_role("list", name="Models").get_by_role("listitem")
    await expect(models).to_have_count(3)
    await expect(models.last).to_contain_text("Model 1 · arena in force")
    await expect(models.first).to_contain_text("all boards without their own held back")
    await models.first.get_by_text("What was measured").click()
    await expect(models.first).to_contain_text("actions12,345")
    await expect(models.first).to_contain_text("refused by time0.125%")

    await page.get_by_role("button", name="Put in force… Model 2").press("Enter")
    dialog = page.get_by_role("dialog", name="Put model 2 in force")
    await expect(dialog).to_contain_text("judges arena from now on, in place of model 1")
    await dialog.get_by_role("button", name="Put in force").press("Enter")
    await expect(page.locator("#gate-said")).to_have_text("Model 2 is in force.")
    await expect(models.nth(1)).to_contain_text("Model 2 · arena in force")
    await expect(models.last).to_contain_text("held back")

    await page.get_by_role("button", name="Hold back… Model 2").press("Enter")
    dialog = page.get_by_role("dialog", name="Hold model 2 back")
    await expect(dialog).to_contain_text("Only the rules for moments and journeys judge arena")
    await dialog.get_by_role("button", name="Hold back").press("Enter")
    await expect(page.locator("#gate-said")).to_have_text("Model 2 is held back.")
    await expect(page.get_by_role("heading", name="Gate", exact=True)).to_be_focused()
    await expect(page.get_by_role("button", name="Hold back…")).to_have_count(0)


async def test_a_webhook_is_added_shows_its_secret_once_and_goes_when_its_host_is_typed(
    console: Console, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_console(page, console, "webhooks")
    await expect(page.get_by_text("Nobody is told of anything.")).to_be_visible()
    await page.get_by_role("button", name="Add a webhook").press("Enter")
    await expect(page.get_by_label("Address")).to_be_focused()
    await page.get_by_role("button", name="Cancel").press("Enter")
    await expect(page.get_by_role("button", name="Add a webhook")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.type("https://127.0.0.1/")
    await page.get_by_label("top.changed").check()
    await page.get_by_role("textbox", name="Boards").fill("arena, laps")
    await page.get_by_label("Real ids").check()
    await page.get_by_role("button", name="Add", exact=True).press("Enter")
    wrong = page.locator("#webhook-fields [data-rule=url]").get_by_role("alert")
    await expect(wrong).not_to_be_empty()
    await expect(page.get_by_label("Address")).to_be_focused()

    await page.get_by_label("Address").fill("https://hooks.example.com/a")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Webhook 1")).to_be_focused()
    await expect(page.get_by_label("Secret")).to_have_value(re.compile("^whsec_"))
    await expect(page.locator("#webhook-facts")).to_contain_text("Boardsarena, laps")
    (webhook,) = (await console.admin.get(WEBHOOKS)).json["webhooks"]
    assert (webhook["events"], webhook["boards"]) == (["top.changed"], ["arena", "laps"])
    assert webhook["realIds"] is True

    await page.get_by_role("link", name="‹ Webhooks").click()
    await page.get_by_role("link", name="https://hooks.example.com/a").click()
    await expect(page.locator("#webhook-facts")).to_be_visible()
    await expect(page.get_by_label("Secret")).to_be_hidden()

    await page.get_by_role("button", name="Remove…").press("Enter")
    dialog = page.get_by_role("dialog", name="Remove webhook 1")
    await expect(dialog).to_contain_text("This destroys what it was not told yet")
    await dialog.get_by_label("Type hooks.example.com to go on").fill("hooks")
    await page.keyboard.press("Enter")
    await expect(dialog).to_be_visible()
    await dialog.get_by_label("Type hooks.example.com to go on").fill("hooks.example.com")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Nobody is told of anything.")).to_be_visible()
    assert (await console.admin.get(WEBHOOKS)).json == {"webhooks": []}


async def test_deliveries_that_were_given_up_are_read_page_by_page_and_sent_again(
    console: Console, new_page: OpenPage, settings: Settings
) -> None:
    await add_webhook(console)
    await give_up(settings, 30)
    page = await new_page()
    await open_console(page, console, "webhooks/1")
    deliveries = page.get_by_role("list", name="Deliveries").get_by_role("listitem")
    await expect(deliveries).to_have_count(25)
    await expect(deliveries.first).to_contain_text("given up")
    await expect(deliveries.first).to_contain_text("status 500")
    await page.get_by_role("button", name="Older deliveries").press("Enter")
    await expect(deliveries).to_have_count(30)
    await expect(deliveries.nth(25)).to_be_focused()

    await page.get_by_role("button", name=f"Send again: msg_{30:032}").press("Enter")
    await expect(page.locator("#webhook-said")).to_have_text("Sent again: 1.")
    await page.locator("#delivery-state").select_option("those that wait")
    await expect(deliveries).to_have_count(1)
    await page.get_by_role("button", name="Send all that were given up").press("Enter")
    await expect(page.locator("#webhook-said")).to_have_text("Sent again: 29.")
    await expect(deliveries).to_have_count(25)
    dead = await console.admin.get(f"{WEBHOOKS}/1/deliveries?state=dead")
    assert dead.json["deliveries"] == []


async def test_the_audit_is_filtered_and_read_page_by_page(
    console: Console, new_page: OpenPage, settings: Settings
) -> None:
    await execute(
        settings,
        "INSERT INTO admin_audit (actor, decision, board, user_id, reason, details)"
        " SELECT 'mallory <b>', 'user_hidden', 'laps', 'ann', 'No. ' || n, '{\"a\": 1}'"
        " FROM generate_series(1, 60) AS n",
    )
    change = {"title": "Spa"}
    assert (await console.admin.call("PATCH", "/api/admin/boards/laps", json=change)).status == 200
    page = await new_page()
    await open_console(page, console, "audit")
    await expect(lines(page)).to_have_count(50)
    await page.get_by_label("By whom").fill("mallory <b>")
    await page.keyboard.press("Enter")
    await expect(lines(page).first).to_contain_text("mallory <b> hid a player · laps · ann“No. 60”")
    await page.get_by_role("button", name="Older lines").press("Enter")
    await expect(lines(page)).to_have_count(60)
    await expect(lines(page).nth(50)).to_be_focused()

    await page.locator("#audit-decision").select_option("set a board's rules")
    await expect(page.get_by_text("Nothing that fits was recorded.")).to_be_visible()
    await page.get_by_label("By whom").fill("")
    await page.keyboard.press("Enter")
    await expect(lines(page).first).to_contain_text("eve set a board's rules · laps")
    await page.get_by_label("Until").fill("2026-01-01T00:00")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Nothing that fits was recorded.")).to_be_visible()
    await page.get_by_label("Until").fill("")
    await page.get_by_label("From", exact=True).fill("2026-01-01T00:00")
    await page.keyboard.press("Enter")
    await lines(page).first.get_by_text("Details").click()
    await expect(lines(page).first.locator("pre")).to_contain_text("Spa")
    await lines(page).first.get_by_role("link", name="laps").click()
    await expect(page.get_by_role("heading", name="laps", exact=True)).to_be_focused()
