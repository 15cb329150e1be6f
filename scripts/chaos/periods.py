"""Boards with periods in a run: what the ledger has to say of them in the end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import asyncpg

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.periods import Period
from scoreboard.wire.keys import Keyspace
from scripts.chaos.service import PARTITIONS, Service

_START = datetime(2026, 1, 1, tzinfo=UTC)
SEASON, BLITZ = "board1", 5.0  # a board, and the seconds of its period `blitz`
# Of the run's boards, two: one with a short and a long period, one that keeps only the last
# occurrences.
BOARDS = {
    SEASON: BoardSettings(
        periods=(
            Period("blitz", every=f"PT{BLITZ:.0f}S", start=_START),
            Period("day", cron="0 0 * * *", grace=60),
        )
    ),
    "board2": BoardSettings(
        periods=(Period("blitz", every="PT3S", start=_START, grace=1, keep=2),)
    ),
}
SETTLE = 60.0  # seconds until what is over has to be final


async def make_boards(stack: Service) -> None:
    """Makes the boards before anybody scores on them."""
    connection = await asyncpg.connect(stack.postgres.url)
    try:
        for board, settings in BOARDS.items():
            await connection.execute(
                "INSERT INTO board (board, partition, settings, version) VALUES ($1, $2, $3, 1)",
                *(board, Keyspace(PARTITIONS).partition_of(board), settings.to_text()),
            )
        # Somebody to be told, where nothing may be sent to: so all that is told stays.
        await connection.execute(
            "INSERT INTO webhook (url, events, pace, description, secret) VALUES"
            " ('https://127.0.0.1', '{occurrence.closed}', 60, '', 'whsec_AAAA')"
        )
    finally:
        await connection.close()


async def audit_periods(stack: Service) -> tuple[int, list[str]]:
    """How many occurrences became final, and what contradicts a promise: every action of these
    boards counts in exactly one occurrence of each of its periods, the one that held its time; what
    is over is final, and told once."""
    connection = await asyncpg.connect(stack.postgres.url)
    try:
        wrong = await _wrong_actions(connection)
        overdue = await _overdue(connection)
        deadline = asyncio.get_running_loop().time() + SETTLE
        while overdue and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.2)
            overdue = await _overdue(connection)
        wrong += [f"{row['table_name']} is over and not final" for row in overdue]
        final, told, twice = await connection.fetchrow(
            """
            SELECT (SELECT count(*) FROM period_occurrence WHERE state = 'final'),
                   count(*), count(*) - count(DISTINCT (board, body ->> 'period',
                                                        body ->> 'occurrence'))
            FROM outside_event WHERE kind = 'occurrence.closed'
            """
        )
        if final != told or twice:
            wrong.append(f"{final} occurrences are final, {told} were told, {twice} of them again")
        return final, wrong
    finally:
        await connection.close()


async def boundaries_crossed(stack: Service) -> int:
    """How many occurrences of SEASON's short period ended in which somebody was."""
    connection = await asyncpg.connect(stack.postgres.url)
    try:
        count: int = await connection.fetchval(
            "SELECT count(*) FROM period_occurrence"
            " WHERE board = $1 AND period = 'blitz' AND state = 'final' AND users > 0",
            SEASON,
        )
        return count
    finally:
        await connection.close()


async def _wrong_actions(connection: Any) -> list[str]:
    rows = await connection.fetch(
        """
        SELECT action.board, user_id, action_id, event_ms, tables, period.name
        FROM score_action AS action
        JOIN unnest($1::text[], $2::text[]) AS period (board, name) USING (board)
        WHERE status = 'accepted' AND (
            SELECT count(*) FROM unnest(tables) AS move
            JOIN period_occurrence AS held
              ON held.board = action.board AND split_part(move, ' ', 1)
                 = held.period || ':' || held.occurrence
            WHERE held.period = period.name
              AND action.event_ms >= held.starts_at AND action.event_ms < held.ends_at
        ) <> 1
        LIMIT 20
        """,
        [board for board, rules in BOARDS.items() for _ in rules.periods],
        [period.name for rules in BOARDS.values() for period in rules.periods],
    )
    return [f"{tuple(row)}: not in the one occurrence that held it" for row in rows]


async def _overdue(connection: Any) -> list[Any]:
    rows: list[Any] = await connection.fetch(
        """
        SELECT table_name FROM period_occurrence
        WHERE state <> 'final' AND final_at < extract(epoch FROM now()) * 1000 - 1000
        """
    )
    return rows
