"""A removal knows all that the schema keeps of a board."""

from __future__ import annotations

import re

import asyncpg

from scoreboard.pg.sql import statements

SQL = statements("removals")
# What tells of the board when it is gone, and by what a fold of the ledger notices that it is.
OUTLIVES = {"board_removal", "admin_audit", "ledger_changed"}
# Columns that a cleared board gets anew. Remains in Redis that lack an erasure are below the
# removal's version as well, and are swept for that.
FRESH = {"updated", "whole_below"}


async def test_a_cleared_board_gets_back_every_column_of_its_row(
    database: asyncpg.Connection,
) -> None:
    query = """SELECT column_name FROM information_schema.columns
               WHERE table_name = 'board' AND is_generated = 'NEVER'"""
    columns = {row[0] for row in await database.fetch(query)}
    for name in ("begin", "restore"):
        lost = columns - FRESH - set(re.findall(r"\w+", SQL[name]))
        assert not lost, f"{name} does not keep {lost}"


async def test_every_table_with_rows_of_boards_is_swept_and_its_right_asked_for(
    database: asyncpg.Connection,
) -> None:
    query = """SELECT table_name FROM information_schema.columns
               JOIN information_schema.tables USING (table_schema, table_name)
               WHERE column_name = 'board' AND table_type = 'BASE TABLE'
                 AND table_schema = 'public'"""
    go_by_themselves = """SELECT conrelid::regclass::text FROM pg_constraint
                          WHERE confrelid = 'board'::regclass AND confdeltype = 'c'"""
    tables = {row[0] for row in await database.fetch(query)} - OUTLIVES
    tables -= {row[0] for row in await database.fetch(go_by_themselves)}
    swept = {table for sql in SQL.values() for table in re.findall(r"DELETE FROM (\w+)", sql)}
    asked = set(re.findall(r"'(\w+)'", SQL["lacking_rights"].partition("]")[0]))
    assert tables <= swept
    assert swept == asked
