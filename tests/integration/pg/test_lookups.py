"""Lists of actions are looked up one by one, however little Postgres knows of the ledger yet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from scoreboard.pg.sql import statements

ACTIONS = 3_000


def scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The steps of a plan that read the ledger."""
    if plan.get("Relation Name") == "score_action":
        yield plan
    for step in plan.get("Plans", ()):
        yield from scans(step)


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

    read = list(scans(json.loads(explained)[0]["Plan"]))
    assert sum(step["Actual Rows"] * step["Actual Loops"] for step in read) <= 2 * len(actions)
