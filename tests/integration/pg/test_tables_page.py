"""The page about the tables is that of the schema."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from scoreboard.pg.migrations import migrate
from scripts.tables_page import MEANINGS, PAGE, PURPOSES, commented, page


@pytest.fixture
async def new_database(bare_url: str) -> AsyncIterator[asyncpg.Connection]:
    """One that was migrated and has nothing that a test has made."""
    connection = await asyncpg.connect(bare_url)
    await migrate(connection)
    yield connection
    await connection.close()


async def test_the_page_has_the_tables_and_columns_of_the_schema(
    new_database: asyncpg.Connection,
) -> None:
    assert PAGE.read_text(encoding="utf-8") == await page(new_database), (
        "python -m scripts.tables_page writes it"
    )


def test_a_comment_at_a_columns_line_is_what_is_told_of_it() -> None:
    assert commented()["board_removal.doing"] == "null: it is done"


async def test_nothing_is_told_of_what_is_not_there(new_database: asyncpg.Connection) -> None:
    columns = await new_database.fetch(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public'"
    )
    there = {row[0] for row in columns}
    names = {row[1] for row in columns} | {f"{row[0]}.{row[1]}" for row in columns}

    assert PURPOSES.keys() - there == set()
    assert MEANINGS.keys() - names == set()
