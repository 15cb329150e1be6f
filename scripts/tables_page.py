"""Writes docs/tables.md: every table and view of Postgres, as the migrations make them.

    .venv/bin/python -m scripts.tables_page

Columns, types and keys are those of a database that was just migrated, in an embedded Postgres.
What a column means is told by the comment at its line in the migration that makes it, or here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import asyncpg

from scoreboard import files
from scoreboard.local.embedded_servers import Postgres
from scoreboard.pg.migrations import migrate
from scripts.load.servers import temporary_folder

PAGE = Path(__file__).resolve().parents[1] / "docs" / "tables.md"

HEAD = """# Tables of Postgres

What the migrations make; `python -m scripts.tables_page` writes this page, and a test compares it.
How it fits together is told in [design.md](design.md#4-postgres-fixed-tables-and-meaning). Only
read them: what is written past the service is a [difference](runbook.md#scoreboarddifferences). A
release may add tables and columns.

An event is named by its entry in Redis's stream: `event_ms`, Unix ms by Redis's clock, and
`event_seq`. A *table* of a ranking is a board, or an occurrence of one of its periods, by names
such as `arena` and `arena:week:12`."""

PURPOSES = {
    "admin_audit": "What people decided: boards, cases, models, players, imports, exports.",
    "anomaly_model": "Trained models of the gate, and which one is in force.",
    "board": "The boards: settings, version, and the newest event that is persisted.",
    "board_join": "Who joined a board that has to be joined.",
    "board_removal": "Boards that were deleted or cleared, and those that are being removed.",
    "daily_ranks": "The ranks of a table when a day began, in pieces, sorted by user.",
    "daily_table": "Of which tables and days there are ranks.",
    "dead_event": "Entries of the stream that could not be written (`scoreboard dead`).",
    "erased_player": "Digests of the ids of erased players.",
    "erasure": "Receipts of erasures.",
    "folded_total": "A view: the sums of folded actions that count.",
    "installation_secret": "Random texts that this installation made once.",
    "judged_week": "How far users' weeks that have ended are judged by the gate.",
    "kept_action": "A view: each action with what became of it, from which receipts are restored.",
    "ledger_changed": "Who changed while a part of the ledger was summed up.",
    "ledger_checkpoint": "What folded parts of the ledger came to, for each user and table.",
    "ledger_detail": "Boards whose actions are kept one by one from a later moment on.",
    "ledger_folded": "Up to when actions are folded; one row.",
    "ledger_part": "The parts of time in which the ledger is.",
    "outside_event": "What receivers of webhooks are to be told, a row for each.",
    "partition_progress": "The highest event that was committed of each partition's stream.",
    "period_occurrence": "The occurrences of boards' periods.",
    "profile": "What players say of themselves.",
    "profile_change": "Boards that are still to follow a changed profile.",
    "profile_recheck": "Changed profiles that boards which were being written may have missed.",
    "review": "Cases that a person decides.",
    "revoked_token": "Tokens that are refused before they expire.",
    "schema_migration": "The migrations that were applied.",
    "score_action": "The ledger: one row for each action.",
    "setup": "What holds for all boards and processes; one row.",
    "user_score": "Each user's total in each table.",
    "webhook": "Who outside is told of what.",
    "webhook_top": "What each webhook was told last of a table's top.",
}

# What columns mean whose line has no comment: of one table, or of all that have it. Where the name
# says it, nothing is told.
MEANINGS = {
    "action_id": "as the game named it",
    "actor": "the subject of the token, or of the command",
    "admin_audit.review_id": "the case",
    "anomaly_model.active": "it is in force for its board",
    "anomaly_model.board": "empty: of all that have no model of their own",
    "anomaly_model.content": "the model",
    "board.clock": "the time zone, from its settings",
    "board.mode": "of the gate, from its settings",
    "board.operator": "from its settings",
    "board.sign": "-1 where less is better, from its settings",
    "board.version": "of the top, as clients see it; a load raises it",
    "board.whole_below": "a Redis with a lower version has lost an erasure: it is loaded whole",
    "board_removal.touched": "when somebody worked on it last",
    "context": "what the game told of the action: address, place, device, type",
    "daily_ranks.first_user": "the first in this piece",
    "daily_ranks.starts_at": "when the day began, Unix ms",
    "dead_event.event_id": "of the entry",
    "ends_at": "when it ends",
    "event_ms": "the event: its time, Unix ms",
    "event_seq": "and its number in that millisecond",
    "findings": "what the agents said",
    "folded_total.part": "0: parts that are gone",
    "kept_action.agents": "those that spoke against a refused action",
    "kept_action.kept": "A: counts, R: refused, V: taken back",
    "kept_action.latest_ms": "the event that decided what became of it",
    "kept_action.score": "as in score_action",
    "last_event_ms": "the event that changed it last: its time, Unix ms",
    "last_event_seq": "and its number",
    "ledger_checkpoint.actions": "how many count",
    "ledger_checkpoint.event_ms": "the last of them, or the one that made the total",
    "ledger_checkpoint.part": "0: parts that are gone",
    "ledger_checkpoint.reached_ms": "the event by which the total counts as reached",
    "ledger_checkpoint.taken_ms": "the last event that took one back, where the operator is last",
    "ledger_checkpoint.total": "by the board's operator",
    "ledger_folded.until_ms": "detail begins here, Unix ms; 0: nothing is folded",
    "ledger_part.done_board": "with the next: the last user who was summed up",
    "ledger_part.relation": "the table of Postgres",
    "occurred_at": "the action's own time",
    "outside_event.due": "when it is delivered next",
    "outside_event.ended": "when it was delivered, or given up",
    "outside_event.failure": "what the last attempt got",
    "outside_event.message": "the id that receivers see",
    "outside_event.since": "since when it is in this state",
    "previous": "the user's total before it",
    "reverted_event_ms": "the event that took it back: its time, Unix ms",
    "reverted_event_seq": "and its number",
    "review.further": "further conflicts of the user that have no case of their own",
    "review.episode": "refusals of one user that are decided together",
    "review.week": "of a weekly case: the Monday of its week",
    "review.tables": "of a late duplicate: what it did in occurrences",
    "revoked_token.issued_before": "those that were issued before are refused",
    "revoked_token.until": "when it may be forgotten",
    "schema_migration.needs": "the lowest number that a version has to know to work with it",
    "score_action.amends": "occurrences that were final when a moderator let it count in them",
    "score_action.tables": "what it did in occurrences",
    "table_name": "of the ranking",
    "user_id": "as the game names the player",
    "period_occurrence.unranked": "decisions since it was ranked last; null: none",
    "user_score.board": "the name of the table",
    "user_score.hidden": "not in the ranking: moderated, or unlisted",
    "user_score.moderated": "hidden by a moderator",
    "user_score.place": "of a final table: the place in its order, which nobody shares",
    "user_score.rank": "of a final table: the place, which equal totals may share",
    "user_score.score": "negated where less is better; null where no action is left",
    "user_score.unlisted": "hidden by the profile",
    "webhook.real_ids": "anonymous players stand in its messages by their ids",
    "webhook.secret": "with which messages are signed",
    "webhook_top.board": "the name of the table",
    "webhook_top.top": "what was told of it",
}

_CATALOGUE = """
SELECT c.relname AS relation, a.attname AS name, a.attnotnull AS filled,
       format_type(a.atttypid, a.atttypmod) AS type,
       coalesce(a.attnum = ANY (k.conkey), false) AS key,
       (SELECT string_agg(pg_get_constraintdef(o.oid), ' ') FROM pg_constraint o
        WHERE o.conrelid = c.oid AND o.contype = 'c' AND o.conkey = ARRAY[a.attnum]) AS checks,
       (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
        FROM pg_enum e WHERE e.enumtypid = a.atttypid) AS labels
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')
ORDER BY c.relname, a.attnum
"""
_TABLE = re.compile(r"^CREATE TABLE (\w+) \($(.*?)^\)", re.MULTILINE | re.DOTALL)
_COLUMN = re.compile(r"^ +(\w+) +\S.*?-- (.+)$", re.MULTILINE)


def commented() -> dict[str, str]:
    """The comments of the migrations' lines, by ``table.column``."""
    return {
        f"{table}.{column}": comment
        for text in files.texts("pg", "migrations", suffix=".sql").values()
        for table, lines in _TABLE.findall(text)
        for column, comment in _COLUMN.findall(lines)
    }


async def page(connection: asyncpg.Connection) -> str:
    """The page of the database behind the connection. Ends the program for a table or view of
    which nothing is told here."""
    rows = await connection.fetch(_CATALOGUE)
    told = commented()
    parts = [HEAD]
    for relation, columns in groupby(rows, key=lambda row: str(row["relation"])):
        if relation not in PURPOSES:
            raise SystemExit(f"Say what {relation} is for, in PURPOSES of {__file__}.")
        parts += [f"## {relation}", PURPOSES[relation], _table(relation, columns, told)]
    return "\n\n".join(parts) + "\n"


def _table(relation: str, columns: Iterable[asyncpg.Record], told: dict[str, str]) -> str:
    lines = ["| column | type | |", "|---|---|---|"]
    for column in columns:
        name = column["name"]
        full = f"{relation}.{name}"
        meaning = told.get(full) or MEANINGS.get(full) or MEANINGS.get(name, "")
        meaning = "; ".join(text for text in (_values(column), meaning) if text)
        kind = f"`{column['type']}`" + ("" if column["filled"] else ", or null")
        lines.append(f"| `{name}`{' (key)' if column['key'] else ''} | {kind} | {meaning} |")
    return "\n".join(lines)


def _values(column: asyncpg.Record) -> str:
    """Those that the column may have, where they are few."""
    listed = re.findall(r"= ANY \(ARRAY\[(.*?)\]\)", column["checks"] or "")
    values = re.findall(r"'([^']+)'", column["labels"] or " ".join(listed))
    return ", ".join(f"`{value}`" for value in values)


async def _migrated(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        await migrate(connection)
        return await page(connection)
    finally:
        await connection.close()


if __name__ == "__main__":
    with temporary_folder() as folder:
        postgres = Postgres(folder / "postgres")
        try:
            postgres.start()
            PAGE.write_text(asyncio.run(_migrated(postgres.url)), encoding="utf-8")
        finally:
            postgres.stop()
