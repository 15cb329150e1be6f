"""``scoreboard rebuild``, ``verify`` and ``dead`` as an operator runs them."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import asyncpg
import pytest

from scoreboard.settings import Settings
from tests.support.arena import Service
from tests.support.ledger_entries import append_raw, fields, sums, totals

ACTIONS = [(f"user{i % 5}", f"a{i}", i) for i in range(20)]


class Command:
    """Runs ``scoreboard`` with the environment of a deployment."""

    def __init__(self, settings: Settings) -> None:
        self._environment = {
            **{n: v for n, v in os.environ.items() if not n.startswith("SCOREBOARD_")},
            "SCOREBOARD_REDIS_URL": settings.redis_url,
            "SCOREBOARD_DATABASE_URL": settings.database_url,
        }

    async def __call__(self, *arguments: str) -> tuple[int, str]:
        """(exit code, standard output)."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "scoreboard", *arguments),
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert b"Traceback" not in err, err.decode()
        self.errors = err.decode()
        return process.returncode or 0, out.decode()


@pytest.fixture
def scoreboard(settings: Settings) -> Command:
    return Command(settings)


async def bury(arena: Service, **changed: Any) -> None:
    """An accepted event of the script, spoiled in the stream by an unknown format."""
    raw = fields("ann", "bad", 5, **changed)
    raw[b"d"] = raw[b"d"].replace(b'"v":1', b'"v":9')
    await append_raw(arena.redis, "*", raw)
    await arena.persist()


async def test_verify_ends_well_where_all_is_well_and_with_1_where_it_is_not(
    arena: Service, scoreboard: Command, database: asyncpg.Connection
) -> None:
    await arena.submit(*ACTIONS)
    code, said = await scoreboard("verify")
    assert (code, said.splitlines()[0]) == (0, "arena: 5 users, 20 receipts, 0 differences")
    assert "write-behind: 0 events" in said

    await database.execute("UPDATE user_score SET score = 999 WHERE user_id = 'user1'")
    truth = (await sums(database))["user1"]
    code, said = await scoreboard("verify", "--board", "arena")
    assert code == 1
    assert f"arena: user 'user1': user_score has 999, the ledger {truth}" in said

    code, said = await scoreboard("verify", "--repair")
    assert (code, (await totals(database))["user1"]) == (0, truth)
    assert "repairing from the ledger" in said


async def test_rebuild_brings_all_boards_back(arena: Service, scoreboard: Command) -> None:
    await arena.submit(*ACTIONS)
    await arena.persist()
    before = await arena.zset()
    await arena.redis.flushall()
    assert (await scoreboard("rebuild", "--all"))[0] == 0
    assert await arena.zset() == before
    await arena.redis.zadd(arena.keys.board, {"ghost": 1.5})
    assert (await scoreboard("rebuild", "--board", "arena"))[0] == 0
    assert await arena.zset() == before


async def test_commands_say_in_one_line_what_is_wrong(
    scoreboard: Command, settings: Settings, arena: Service
) -> None:
    for arguments, complaint in (
        (("rebuild",), "--board NAME, or --all"),
        (("rebuild", "--board", "nothing"), "There is no board 'nothing'"),
        (("verify", "--board", "nothing"), "There is no board 'nothing'"),
        (("dead", "drop"), "say which dead letters"),
    ):
        code, _ = await scoreboard(*arguments)
        assert code == 1
        assert complaint in scoreboard.errors


async def test_a_dead_letter_is_listed_stays_dead_while_its_cause_lasts_and_can_be_dropped(
    arena: Service, scoreboard: Command, database: asyncpg.Connection
) -> None:
    await arena.submit(*ACTIONS)
    await bury(arena)
    code, said = await scoreboard("dead", "list")
    assert code == 0
    assert "format 9 is not 1" in said
    assert '"u":"ann"' in said
    code, said = await scoreboard("dead", "retry", "--all")
    assert code == 1
    assert "format 9 is not 1" in said
    name = said.split()[0]
    assert (await scoreboard("dead", "drop", name))[0] == 0
    assert await database.fetchval("SELECT count(*) FROM dead_event") == 0


async def test_a_dead_letter_whose_cause_is_gone_counts_again_everywhere(
    arena: Service, scoreboard: Command, database: asyncpg.Connection
) -> None:
    await arena.submit(*ACTIONS)
    await bury(arena)
    # What a newer version of the service would read in it.
    await database.execute(
        "UPDATE dead_event SET field_values[5] ="
        " convert_to(replace(convert_from(field_values[5], 'UTF8'), '\"v\":9', '\"v\":1'), 'UTF8')"
    )
    assert (await scoreboard("dead", "retry", "--all"))[0] == 0
    assert await database.fetchval("SELECT count(*) FROM dead_event") == 0
    assert (await sums(database))["ann"] == 5
    assert (await arena.totals())["ann"] == 5
    assert (await scoreboard("verify"))[0] == 0
