"""A pooler between the service and Postgres: with a session for each client all works, without one
no role starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from scoreboard.pg.ledger import Ledger
from scoreboard.pg.pool import open_pool
from tests.support.command import named, scoreboard
from tests.support.ledger_entries import PARTITION, event
from tests.support.pgbouncer import pgbouncer
from tests.support.waiting import PATIENCE


@pytest.mark.parametrize(
    "further",
    [
        {},
        {"server_round_robin": "1", "min_pool_size": "4"},
        {"server_round_robin": "1", "default_pool_size": "2"},
    ],
)
@pytest.mark.parametrize("mode", ["transaction", "statement"])
async def test_a_pooler_that_shares_sessions_is_refused_by_every_role(
    mode: str, further: dict[str, str], redis_url: str, database_url: str, tmp_path: Path
) -> None:
    commands = [["serve"], ["persist"], ["migrate"], ["verify"]] if not further else [["verify"]]
    with pgbouncer(database_url, tmp_path, pool_mode=mode, **further) as url:
        for command in commands:
            ended = await scoreboard(*command, **named(redis_url, url))
            said = ended.out + ended.err
            assert ended.code != 0, said
            assert "pool_mode=session" in said.splitlines()[-1]
            assert "Traceback" not in said


async def test_a_pooler_with_a_session_for_each_client_is_welcome(
    redis_url: str, database_url: str, tmp_path: Path
) -> None:
    with pgbouncer(database_url, tmp_path, pool_mode="session") as url:
        ended = await scoreboard("migrate", **named(redis_url, url))
        assert ended.code == 0, ended
        pool = await open_pool(url, connections=3, timeout=PATIENCE)
        ledger = Ledger(pool)
        async with ledger.locked(PARTITION) as session:
            await session.write([event("10-0", "ann", "a1", 5)], [])
            async with ledger.locked_if_free(PARTITION) as other:
                assert other is None
        async with ledger.locked_if_free(PARTITION) as free:
            assert free is not None
        await pool.close()


async def test_an_option_that_a_pooler_does_not_take_is_one_clear_line(
    redis_url: str, database_url: str, tmp_path: Path
) -> None:
    with pgbouncer(database_url, tmp_path, pool_mode="session") as url:
        ended = await scoreboard("verify", **named(redis_url, f"{url}?statement_timeout=5000"))
    assert ended.code == 1
    assert "statement_timeout" in ended.err.splitlines()[-1]
    assert "Traceback" not in ended.err
