"""``scoreboard ledger``: the ledger is cut into parts, and old ones are folded."""

from __future__ import annotations

import time
from pathlib import Path

import asyncpg
import pytest

from scoreboard.domain.boards import BoardSettings
from scoreboard.pg.migrations import migrate
from scoreboard.settings import Settings
from tests.integration.commands.conftest import Run
from tests.support.command import Ended, named, scoreboard
from tests.support.parted_ledger import parted

RETENTION = "SCOREBOARD_LEDGER_RETENTION"
YEAR = 365 * 86_400


@pytest.fixture
async def database_url(bare_url: str) -> str:
    """Of a database that no other test has cut."""
    connection = await asyncpg.connect(bare_url)
    await migrate(connection)
    await connection.close()
    return bare_url


async def test_the_ledger_is_cut_by_a_command_and_again_nothing_happens(
    run: Run, settings: Settings
) -> None:
    assert "in parts now" in (await run("ledger", "partition")).out
    assert "already" in (await run("ledger", "partition")).out


async def test_without_a_retention_nothing_is_folded(run: Run, settings: Settings) -> None:
    assert RETENTION in (await run("ledger", "fold", code=1)).err


async def test_parts_older_than_the_retention_are_told_then_archived_and_folded(
    settings: Settings,
    bare_url: str,
    tmp_path: Path,
) -> None:
    database = await asyncpg.connect(bare_url)
    old = round(time.time() * 1000) - 2 * YEAR * 1000
    await parted(bare_url, old, YEAR * 1000)
    await database.execute(
        "INSERT INTO board (board, partition, settings) VALUES ('arena', 0, $1)",
        BoardSettings().to_text(),
    )
    await database.execute(
        "INSERT INTO score_action (board, user_id, action_id, points, score, event_ms, event_seq,"
        " status, attempt_id) VALUES ('arena', 'ann', 'a', 5, 5, $1, 0, 'accepted', 't')",
        old - 1,
    )
    await database.execute(
        "INSERT INTO user_score (board, user_id, score, reached_at, last_event_ms, last_event_seq)"
        " VALUES ('arena', 'ann', 5, to_timestamp(0), $1, 0)",
        old - 1,
    )
    variables = named(settings.redis_url, bare_url) | {RETENTION: str(YEAR)}

    async def run(*arguments: str) -> Ended:
        ended = await scoreboard(*arguments, **variables)
        assert ended.code == 0, ended
        return ended

    told = await run("ledger", "fold", "--dry-run")
    assert "score_action_first: from the beginning until 2" in told.out
    folded = await run("ledger", "fold", "--archive", str(tmp_path))
    assert "folded" in folded.out
    assert (tmp_path / "score_action_first.parquet").is_file()
    assert "Nothing is due" in (await run("ledger", "fold", "--dry-run")).out
    assert "are folded" in (await run("verify")).out
    assert await database.fetchval("SELECT total FROM ledger_checkpoint") == 5
    await database.close()
