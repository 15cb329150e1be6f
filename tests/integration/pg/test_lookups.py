"""What is asked often reads a few rows of many."""

from __future__ import annotations

import json
from typing import Any

import asyncpg
import pytest

from scoreboard.pg.sql import statements

ACTIONS = 3_000
OCCURRENCES = 3_000


def rows_read(plan: dict[str, Any], table: str) -> float:
    """How many rows of a table the steps of a plan read, were it only to leave them out."""
    read = sum(rows_read(step, table) for step in plan.get("Plans", ()))
    if plan.get("Relation Name") == table:
        each = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
        read += each * plan["Actual Loops"]
    return float(read)


@pytest.mark.parametrize(
    ("file", "name"),
    [("ledger", "count_accepted"), ("imports", "imported"), ("ledger_audit", "receipts_of")],
)
async def test_a_list_of_actions_is_found_by_its_keys_in_a_ledger_without_statistics(
    database_url: str, file: str, name: str
) -> None:
    connection = await asyncpg.connect(database_url)
    change = connection.transaction()
    await change.start()  # rolled back: other tests may have the statistics
    await connection.execute(
        "TRUNCATE score_action; DELETE FROM pg_statistic WHERE starelid = 'score_action'::regclass"
    )
    await connection.execute("INSERT INTO board (board, partition) VALUES ('arena', 0)")
    await connection.execute(
        "INSERT INTO score_action (board, user_id, action_id, points, score, status, attempt_id,"
        " event_ms, event_seq) SELECT 'arena', 'user' || n % 50, 'a' || n, 1, 1, 'accepted',"
        f" 't' || n, n, 0 FROM generate_series(1, {ACTIONS}) AS n"
    )
    users, actions = zip(*((f"user{n % 50}", f"a{n}") for n in range(1, 101)), strict=True)
    board = ["arena"] * len(users) if file == "imports" else "arena"  # that of each
    explained = await connection.fetchval(
        f"EXPLAIN (ANALYZE, FORMAT JSON) {statements(file)[name]}", board, users, actions
    )
    await change.rollback()
    await connection.close()

    assert rows_read(json.loads(explained)[0]["Plan"], "score_action") <= 2 * len(actions)


async def test_the_next_end_is_found_by_its_index_among_all_that_are_to_come(
    database_url: str,
) -> None:
    connection = await asyncpg.connect(database_url)
    change = connection.transaction()
    await change.start()
    await connection.execute(
        "INSERT INTO board (board, partition)"
        f" SELECT 'board' || n, 0 FROM generate_series(1, {OCCURRENCES}) AS n;"
        "INSERT INTO period_occurrence (board, period, occurrence, starts_at, ends_at, final_at)"
        f" SELECT 'board' || n, 'day', 1, 0, n, n + 10 FROM generate_series(1, {OCCURRENCES}) AS n"
    )
    now = 50  # ten of those that have ended are not final yet
    await connection.execute(
        f"UPDATE period_occurrence SET state = 'final' WHERE final_at < {now};"
        "ANALYZE board, period_occurrence"
    )
    query = statements("waiting_work")["look"]
    found = await connection.fetchrow(query, now)
    assert (found["periods"], found["next_end"]) == (True, now)
    explained = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", now)
    await change.rollback()
    await connection.close()

    assert rows_read(json.loads(explained)[0]["Plan"], "period_occurrence") <= 20
