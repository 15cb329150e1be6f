"""Each test begins with servers that run and are empty, on which the others rely."""

from __future__ import annotations

import subprocess
import sys

import asyncpg
import pytest
from redis.asyncio import Redis

from scoreboard.local.embedded_servers import Postgres, Valkey, free_port
from scoreboard.settings import Settings
from tests.support.servers import GIVEN_PORTS, redis_client


@pytest.mark.parametrize("run", [1, 2])
async def test_what_a_test_writes_is_gone_in_the_next(settings: Settings, run: int) -> None:
    async with redis_client(settings.redis_url) as client:
        assert await client.dbsize() == 0
        await client.set("left over", run)
    connection = await asyncpg.connect(settings.database_url)
    assert await connection.fetchval("SELECT count(*) FROM setup") == 0
    assert await connection.fetchval("SELECT count(*) FROM schema_migration") > 0
    await connection.execute("INSERT INTO setup (partitions) VALUES (8)")
    await connection.close()


def test_a_port_that_a_test_was_given_is_given_to_no_other_process() -> None:
    lock = f"os.open({GIVEN_PORTS!r}, os.O_WRONLY), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, {free_port()}"
    code = f"import fcntl, os; fcntl.lockf({lock})"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert b"BlockingIOError" in ended.stderr


@pytest.mark.parametrize("run", [1, 2])
async def test_servers_that_a_test_has_killed_run_again_in_the_next(
    valkey: Valkey, redis_url: str, postgres: Postgres, postgres_url: str, run: int
) -> None:
    async with Redis.from_url(redis_url) as client:
        assert await client.ping()
    connection = await asyncpg.connect(postgres_url)
    assert await connection.fetchval("SHOW fsync") == "on"
    await connection.close()
    valkey.kill()
    postgres.kill()
