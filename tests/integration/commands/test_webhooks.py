"""``scoreboard webhooks`` as an operator runs it."""

from __future__ import annotations

import asyncpg

from tests.integration.commands.conftest import Run


async def test_a_webhook_is_added_listed_rotated_and_removed(
    run: Run, database: asyncpg.Connection
) -> None:
    url = "https://hooks.example.com/a"
    added = await run(
        *("webhooks", "add", url, "--event", "top.changed", "--event", "player.erased"),
        *("--board", "arena", "--interval", "5", "--description", "ours", "--real-ids"),
    )
    number, secret = added.out.split()[1:]
    row = await database.fetchrow("SELECT id, secret, boards, pace, real_ids FROM webhook")
    assert tuple(row) == (int(number), secret, ["arena"], 5, True)
    listed = await run("webhooks", "list")
    assert f"{number}  {url}  top.changed, player.erased  arena  real ids  ours" in listed.out
    assert "fine; 0 waiting, 0 dead" in listed.out
    assert secret not in listed.out
    assert (await run("webhooks", "deliveries", number)).out == "There is no such delivery.\n"
    rotated = await run("webhooks", "rotate", number)
    assert rotated.out.split()[1:] != [number, secret]
    assert await database.fetchval("SELECT former FROM webhook") == secret
    await run("webhooks", "remove", number)
    assert (await run("webhooks", "list")).out.startswith("There is no webhook yet; ")
    assert "no webhook" in (await run("webhooks", "remove", number, code=1)).err


async def test_dead_deliveries_are_shown_and_sent_again(
    run: Run, database: asyncpg.Connection
) -> None:
    await run("webhooks", "add", "https://hooks.example.com", "--event", "player.erased")
    for _ in range(3):
        await database.execute("SELECT tell_outsiders('player.erased', NULL, '{}')")
    await database.execute("UPDATE outside_event SET state = 'dead', failure = 'answered 500'")
    number = str(await database.fetchval("SELECT id FROM webhook"))
    shown = (await run("webhooks", "deliveries", number, "--state", "dead")).out.splitlines()
    assert len(shown) == 3
    assert all("player.erased  -  dead, attempts 0, answered 500" in line for line in shown)
    one = shown[0].split()[0]
    assert "1 delivery is sent again" in (await run("webhooks", "retry", number, one)).out
    assert "2 deliveries" in (await run("webhooks", "retry", number)).out
    assert "3 waiting, 0 dead" in (await run("webhooks", "list")).out


async def test_what_is_wrong_is_said_in_a_line(run: Run) -> None:
    wrong = await run(
        "webhooks", "add", "https://hooks.example.com", "--event", "top.changed", code=1
    )
    assert "top.changed needs the names of its boards" in wrong.err
    unknown = await run("webhooks", "add", "https://hooks.example.com", "--event", "x", code=2)
    assert "--event: one of occurrence.closed" in unknown.err
    refused = await run("webhooks", "add", "https://10.0.0.1", "--event", "player.erased", code=1)
    assert "not on the Internet" in refused.err
