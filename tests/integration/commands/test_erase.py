"""``scoreboard erase``, and imports that name players who were erased."""

from __future__ import annotations

from pathlib import Path

import asyncpg
from redis.asyncio import Redis

from tests.integration.commands.conftest import Run
from tests.support.traces import traces

ADA = "Quixote-47"


async def test_a_player_is_erased_and_no_import_brings_the_player_back(
    run: Run, redis: Redis, database: asyncpg.Connection, tmp_path: Path
) -> None:
    file = tmp_path / "season.csv"
    file.write_text(f"user_id,score\n{ADA},7\nbob,5\n", encoding="utf-8")
    await run("boards", "set", "duel", "--mode", "off")
    await run("import", "--board", "duel", str(file))

    refused = await run("erase", ADA, "--confirm", "bob", code=1)
    assert "--confirm names another player" in refused.err
    assert await traces(ADA, redis, database) != []
    erased = await run("erase", ADA, "--confirm", ADA)
    assert "erase, done: actions 1, redis 2, totals 1" in erased.out
    assert await traces(ADA, redis, database) == []

    again = await run("import", "--board", "duel", "--source", "again", str(file), code=1)
    assert f"row 1, '{ADA}' with 7: the player was erased" in again.err
    gone = await run("erase", "bob", "--confirm", "bob", "--anonymise")
    assert "anonymise, done: actions 2" in gone.out
    verified = await run("verify", "--board", "duel")
    assert "0 differences" in verified.out + verified.err
    assert await traces(ADA, redis, database) == []
