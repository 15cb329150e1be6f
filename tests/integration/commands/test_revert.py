"""``scoreboard revert``."""

from __future__ import annotations

from pathlib import Path

import asyncpg

from tests.integration.commands.conftest import Run


async def test_an_action_is_taken_back_once_with_a_reason_that_the_audit_keeps(
    run: Run, database: asyncpg.Connection, tmp_path: Path
) -> None:
    file = tmp_path / "season.csv"
    file.write_text("user_id,score\nann,7\nbob,5\n", encoding="utf-8")
    await run("boards", "set", "duel", "--mode", "off")
    await run("import", "--board", "duel", str(file))
    await run("verify", "--board", "duel")  # carries it to Postgres
    action = await database.fetchval("SELECT action_id FROM score_action WHERE user_id = 'ann'")
    revert = ("revert", "--board", "duel", "ann", action)

    for refused, why in (
        ((*revert,), "--reason"),
        ((*revert, "--reason", ""), "--reason"),
        ((*revert, "--reason", "x" * 501), "--reason"),
        ((*revert, "--reason", "\x1b[2J"), "--reason"),
    ):
        assert why in (await run(*refused, code=2)).err
    unknown = await run("revert", "--board", "duel", "ann", "none", "--reason", "a script", code=1)
    assert "no such action that counted" in unknown.err
    nowhere = await run("revert", "--board", "none", "ann", "a", "--reason", "a script", code=1)
    assert nowhere.err == "scoreboard: There is no board 'none'.\n"

    done = await run(*revert, "--reason", "a script")
    assert done.out == f"duel  ann  {action}  taken back\n"
    again = await run(*revert, "--reason", "a script", code=1)
    assert again.err.strip() == "scoreboard: The action was taken back already."
    scores = "SELECT user_id, score FROM user_score WHERE board = 'duel' ORDER BY user_id"
    assert [tuple(row) for row in await database.fetch(scores)] == [("ann", 0), ("bob", 5)]
    audited = await database.fetch(
        "SELECT actor, reason FROM admin_audit WHERE decision = 'action_reverted'"
    )
    assert [tuple(row) for row in audited] == [("command line", "a script")]
    verified = await run("verify", "--board", "duel")
    assert "0 differences" in verified.out + verified.err
