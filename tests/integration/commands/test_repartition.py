"""``scoreboard repartition`` as an operator runs it."""

from __future__ import annotations

import asyncpg

from scoreboard.pg.migrations import check_schema
from scoreboard.settings import Settings
from tests.integration.commands.conftest import Run
from tests.support.command import named, scoreboard


async def test_the_number_is_changed_and_processes_start_with_the_new_one_only(
    settings: Settings, run: Run, database: asyncpg.Connection
) -> None:
    assert "there are no data yet" in (await run("repartition", "16", code=1)).err
    await check_schema(database, partitions=settings.partitions)
    await run("boards", "set", "arena", "--mode", "off")

    said = await run("repartition", "16")
    assert "The data has 16 partitions now." in said.out
    assert "SCOREBOARD_PARTITIONS=16" in said.out
    assert "verifying" in said.err
    assert "already" in (await run("repartition", "16")).out
    said = await run("verify", code=1)
    assert "set it to 16, or change the data with `scoreboard repartition 8`" in said.err

    servers = named(settings.redis_url, settings.database_url)
    ended = await scoreboard("verify", **servers, SCOREBOARD_PARTITIONS="16")
    assert (ended.code, ended.out.splitlines()[0]) == (
        0,
        "arena: 0 users, 0 receipts, 0 differences; not live in Redis, compared within Postgres",
    )


async def test_while_redis_is_away_it_says_so_in_a_line(
    settings: Settings, run: Run, database: asyncpg.Connection
) -> None:
    await check_schema(database, partitions=settings.partitions)
    ended = await scoreboard(
        "repartition", "16", **named("redis://127.0.0.1:1", settings.database_url)
    )
    assert (ended.code, "Redis can't be reached." in ended.err) == (1, True)
    assert "Traceback" not in ended.err
    assert "already" not in (await run("repartition", "8")).out  # gives it up
