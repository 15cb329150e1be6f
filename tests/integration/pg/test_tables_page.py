"""The page about the tables is that of the schema."""

from __future__ import annotations

import asyncpg

from scripts.tables_page import MEANINGS, PAGE, PURPOSES, commented, page


async def test_the_page_has_the_tables_and_columns_of_the_schema(
    database: asyncpg.Connection,
) -> None:
    assert PAGE.read_text(encoding="utf-8") == await page(database), (
        "python -m scripts.tables_page writes it"
    )


def test_a_comment_at_a_columns_line_is_what_is_told_of_it() -> None:
    assert commented()["board_removal.doing"] == "null: it is done"


async def test_nothing_is_told_of_what_is_not_there(database: asyncpg.Connection) -> None:
    columns = await database.fetch(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public'"
    )
    there = {row[0] for row in columns}
    names = {row[1] for row in columns} | {f"{row[0]}.{row[1]}" for row in columns}

    assert PURPOSES.keys() - there == set()
    assert MEANINGS.keys() - names == set()
