"""``scoreboard rebuild``, ``verify`` and ``dead`` as an operator runs them."""

from __future__ import annotations

from typing import Any

import asyncpg

from tests.integration.commands.conftest import Run
from tests.support.arena import Arena
from tests.support.ledger_entries import append_raw, fields, sums, totals

ACTIONS = [(f"user{i % 5}", f"a{i}", i) for i in range(20)]


async def bury(arena: Arena, **changed: Any) -> None:
    """An accepted event of the script, spoiled in the stream by an unknown format."""
    raw = fields("ann", "bad", 5, **changed)
    raw[b"d"] = raw[b"d"].replace(b'"v":1', b'"v":0')
    await append_raw(arena.redis, "*", raw)
    await arena.persist()


async def test_verify_ends_well_where_all_is_well_and_with_1_where_it_is_not(
    arena: Arena, run: Run, database: asyncpg.Connection
) -> None:
    assert (await run("verify")).out.startswith("There are no boards yet.\n")
    await arena.submit(*ACTIONS)
    said = (await run("verify")).out
    assert said.splitlines()[0] == "arena: 5 users, 20 receipts, 0 differences"
    assert "write-behind: 0 events" in said

    await database.execute("UPDATE user_score SET score = 999 WHERE user_id = 'user1'")
    truth = (await sums(database))["user1"]
    said = (await run("verify", "--board", "arena", code=1)).out
    assert f"arena: user 'user1': user_score has 999, the ledger {truth}" in said

    assert "repairing from the ledger" in (await run("verify", "--repair")).out
    assert (await totals(database))["user1"] == truth


async def test_rebuild_brings_all_boards_back(arena: Arena, run: Run) -> None:
    await arena.submit(*ACTIONS)
    await arena.persist()
    before = await arena.zset()
    await arena.redis.flushall()
    await run("rebuild", "--all")
    assert await arena.zset() == before
    await arena.redis.zadd(arena.keys.board, {"ghost": 1.5})
    await run("rebuild", "--board", "arena")
    assert await arena.zset() == before


async def test_what_is_wrong_in_an_occurrence_is_named_and_repaired_like_the_rest(
    arena: Arena, run: Run
) -> None:
    await run("boards", "set", "arena", "--period", "week cron=0 0 * * 1")
    await arena.submit(*ACTIONS)
    said = (await run("verify")).out
    assert said.splitlines()[0] == "arena: 5 users, 1 occurrence, 20 receipts, 0 differences"
    table = f"sb:{{{arena.keys.partition}}}:board:arena:week:1"
    before = await arena.zset(table)
    await arena.redis.zadd(table, {"ghost": 1.5})
    said = (await run("verify", code=1)).out
    assert "arena:week:1: user 'ghost': redis has 1, the ledger nothing" in said
    await run("verify", "--repair")
    assert await arena.zset(table) == before


async def test_commands_say_in_one_line_what_is_wrong(run: Run, arena: Arena) -> None:
    for arguments, complaint in (
        (("rebuild",), "--board NAME, or --all"),
        (("rebuild", "--board", "nothing"), "There is no board 'nothing'"),
        (("verify", "--board", "nothing"), "There is no board 'nothing'"),
        (("dead", "drop"), "say which dead letters"),
    ):
        assert complaint in (await run(*arguments, code=1)).err


async def test_a_dead_letter_is_listed_stays_dead_while_its_cause_lasts_and_can_be_dropped(
    arena: Arena, run: Run, database: asyncpg.Connection
) -> None:
    await arena.submit(*ACTIONS)
    await bury(arena)
    said = (await run("dead", "list")).out
    assert "format 0 is not between 1 and 4" in said
    assert '"u":"ann"' in said
    said = (await run("dead", "retry", "--all", code=1)).out
    assert "format 0 is not between 1 and 4" in said
    name = said.split()[0]
    await run("dead", "drop", name)
    assert await database.fetchval("SELECT count(*) FROM dead_event") == 0


async def test_a_name_that_no_dead_letter_has_is_an_error_before_anything_is_done(
    arena: Arena, run: Run, database: asyncpg.Connection
) -> None:
    await bury(arena)
    name = (await run("dead", "list")).out.split()[0]
    for verb in ("retry", "drop"):
        said = (await run("dead", verb, name, "0:1-1", code=1)).err
        assert "there is no dead letter 0:1-1; nothing was done" in said
    assert await database.fetchval("SELECT count(*) FROM dead_event") == 1

    # More than are read at once.
    await database.execute(
        "INSERT INTO dead_event SELECT partition, event_id || n, field_names, field_values, error,"
        " created FROM dead_event, generate_series(1, 1000) AS n"
    )
    await run("dead", "drop", "--all")
    for verb in ("retry", "drop"):
        assert (await run("dead", verb, "--all")).err == "0 dead letters\n"


async def test_a_dead_letter_whose_cause_is_gone_counts_again_everywhere(
    arena: Arena, run: Run, database: asyncpg.Connection
) -> None:
    await arena.submit(*ACTIONS)
    await bury(arena)
    # What a newer version of the service would read in it.
    await database.execute(
        "UPDATE dead_event SET field_values[5] ="
        " convert_to(replace(convert_from(field_values[5], 'UTF8'), '\"v\":0', '\"v\":1'), 'UTF8')"
    )
    await run("dead", "retry", "--all")
    assert await database.fetchval("SELECT count(*) FROM dead_event") == 0
    assert (await sums(database))["ann"] == 5
    assert (await arena.totals())["ann"] == 5
    await run("verify")
