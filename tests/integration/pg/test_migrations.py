"""The schema: applied once, by one process at a time, and checked at every start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from scoreboard import files
from scoreboard.errors import ConfigurationError
from scoreboard.pg.migrations import check_schema, migrate


@pytest.fixture
async def bare_url(cluster: str, worker_id: str) -> AsyncIterator[str]:
    """A database without a schema."""
    name = f"bare_{worker_id}"
    connection = await asyncpg.connect(f"{cluster}postgres")
    await connection.execute(f'CREATE DATABASE "{name}"')
    yield f"{cluster}{name}"
    await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await connection.close()


async def test_processes_that_migrate_at_the_same_time_take_turns(bare_url: str) -> None:
    async def run() -> list[str]:
        connection = await asyncpg.connect(bare_url)
        try:
            return await migrate(connection)
        finally:
            await connection.close()

    applied = await asyncio.gather(*(run() for _ in range(4)))
    done = [names for names in applied if names]
    assert len(done) == 1
    assert done[0] == sorted(done[0])
    assert done[0][0] == "0001_ledger"


def test_the_files_are_numbered_from_one_without_gaps() -> None:
    texts = files.texts("pg", "migrations", suffix=".sql")

    assert [name[:5] for name in texts] == [f"{n:04}_" for n in range(1, len(texts) + 1)]


async def test_a_database_without_the_schema_is_refused_with_the_command_to_run(
    bare_url: str,
) -> None:
    connection = await asyncpg.connect(bare_url)
    with pytest.raises(ConfigurationError, match="scoreboard migrate"):
        await check_schema(connection, partitions=8)
    await connection.close()


async def test_another_number_of_partitions_than_the_datas_is_refused(
    database: asyncpg.Connection,
) -> None:
    await check_schema(database, partitions=8)
    await check_schema(database, partitions=8)
    with pytest.raises(ConfigurationError, match="set it to 8"):
        await check_schema(database, partitions=16)


async def test_a_schema_from_the_future_is_refused(database: asyncpg.Connection) -> None:
    await database.execute("INSERT INTO schema_migration VALUES (9999, '9999_future')")
    try:
        with pytest.raises(ConfigurationError, match="newer version"):
            await check_schema(database, partitions=8)
    finally:
        await database.execute("DELETE FROM schema_migration WHERE number = 9999")
