"""Folded parts of the ledger: everything that follows from it stays what the model says."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scoreboard.domain.boards import BoardSettings
from scoreboard.errors import DetailGone
from scoreboard.pg.histories import Histories
from scoreboard.pg.ledger import Ledger
from scoreboard.pg.ledger_folds import LedgerFolds
from scoreboard.pg.past_tables import PastTables
from tests.support.extent import WHOLE
from tests.support.ledger_entries import PARTITION, START_MS
from tests.support.parted_ledger import fold_before, open_until, parted
from tests.support.past_season import Season

USERS = ("ann", "bob", "cy")
TABLES = ("", "day:1", "week:1")
WHERE: tuple[tuple[str, ...], ...] = ((), ("week:1",), ("day:1", "week:1"))
WIDTH = 3  # ms of a part, in which six events of a season have room
NO_LIMIT = 60.0

rules = st.builds(
    BoardSettings,
    operator=st.sampled_from(["sum", "best", "last"]),
    order=st.sampled_from(["desc", "asc"]),
)
steps = st.lists(
    st.tuples(
        st.sampled_from(["post", "post", "post", "revert", "refuse", "approve", "fold"]),
        st.sampled_from(USERS),
        st.integers(-2, 3),
        st.sampled_from(WHERE),
        st.integers(0, 99),
    ),
    min_size=8,
    max_size=40,
)
_boards = itertools.count()

Step = tuple[str, str, int, tuple[str, ...], int]


@pytest.fixture
async def database_url(bare_url: str) -> str:
    """Of a database whose ledger has parts of WIDTH."""
    await parted(bare_url, START_MS, WIDTH)
    return bare_url


async def play(season: Season, ledger: Ledger, folds: LedgerFolds, wanted: Sequence[Step]) -> int:
    """Writes the season step by step, with folds of all parts that are over in between. Returns
    from when on detail is known."""
    kept_from = 0
    for kind, user, points, where, which in wanted:
        now = season.ms(len(season.after))
        if kind == "fold":
            await fold_before(folds, now)
            kept_from = max(kept_from, now // WIDTH * WIDTH)
            continue
        fit = {"revert": "accepted", "approve": "refused"}.get(kind)
        found = [
            one
            for one in season.actions
            if one.status == fit and season.ms(one.number) >= kept_from
        ]
        if fit and found:
            action = found[which % len(found)]
            written = (season.revert if kind == "revert" else season.approve)(action)
        else:
            written = (season.refuse if kind == "refuse" else season.post)(user, points, where)
        async with ledger.locked(PARTITION) as session:
            await session.write([written], [])
    return kept_from


def table_of(season: Season, name: str) -> str:
    return f"{season.board}:{name}" if name else season.board


REVERTED_LATE: Any = [
    *(("post", "ann", 1, (), 0), ("post", "ann", 1, (), 0), ("post", "ann", 2, (), 0)),
    *(("post", "bob", 1, (), 0),) * 4,
    ("revert", "ann", 0, (), 2),
    *(("post", "bob", 1, (), 0),) * 6,
    ("fold", "ann", 0, (), 0),
    *(("post", "ann", 1, (), 0), ("post", "bob", 0, (), 0), ("fold", "ann", 0, (), 0)),
]


TIED_IN_THE_PAST: Any = [
    *(("post", "ann", 1, (), 0), ("post", "bob", 2, (), 0), ("post", "ann", 1, (), 0)),
    *(("post", "cy", 1, (), 0),) * 3,
    *(("fold", "ann", 0, (), 0), ("post", "cy", 0, (), 0), ("post", "cy", 0, (), 0)),
]
TAKEN_IN_THE_PAST: Any = [
    *(("post", "ann", 1, (), 0), ("post", "bob", 1, (), 0), ("post", "ann", 1, (), 0)),
    *(("post", "ann", 2, (), 0), ("revert", "ann", 0, (), 3), ("post", "cy", 1, (), 0)),
    *(("fold", "ann", 0, (), 0), ("post", "cy", 1, (), 0), ("post", "cy", 1, (), 0)),
]


@given(rules, steps)
@settings(
    max_examples=25 if WHOLE else 8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@example(BoardSettings(operator="sum"), TIED_IN_THE_PAST)
@example(BoardSettings(operator="last"), TAKEN_IN_THE_PAST)
@example(BoardSettings(operator="sum"), REVERTED_LATE)
@example(BoardSettings(operator="best", order="asc"), REVERTED_LATE)
@example(BoardSettings(operator="last"), REVERTED_LATE)
async def test_random_seasons_with_folds_in_between_end_as_the_model_says(
    database: asyncpg.Connection,
    ledger: Ledger,
    pool: asyncpg.Pool,
    rule: BoardSettings,
    wanted: Any,
) -> None:
    await open_until(database, 0)
    start = await database.fetchval("SELECT max(to_ms) FROM ledger_part")
    await open_until(database, start + len(wanted))
    season = Season(f"folded{next(_boards)}", start, rule)
    await database.execute(
        "INSERT INTO board (board, partition, settings) VALUES ($1, $2, $3)",
        *(season.board, PARTITION, rule.to_text()),
    )
    await database.execute(
        "INSERT INTO period_occurrence (board, period, occurrence, starts_at, ends_at, final_at)"
        " VALUES ($1, 'day', 1, 0, $2, $2), ($1, 'week', 1, 0, $2, $2)",
        *(season.board, 2**50),
    )
    await play(season, ledger, LedgerFolds(pool), wanted)
    if not season.after:
        return
    past, histories = PastTables(pool, patience=NO_LIMIT), Histories(pool, patience=NO_LIMIT)
    detail = await histories.detail_from(season.board) or 0
    last = season.ms(len(season.after) - 1)
    for name in TABLES:
        table = table_of(season, name)
        for ms in range(max(detail, season.start_ms), last + 1):
            told = [(one.user_id, one.score) for one in await past.top(table, ms)]
            assert told == season.order(name, ms), (table, ms - start, detail - start)
        if season.start_ms < detail:
            with pytest.raises(DetailGone):
                await past.top(table, detail - 1)
        rows = await database.fetch("SELECT user_id, score, ledger FROM ledger_totals($1)", table)
        expected = {user: place.total for user, place in season.totals_at(name, last).items()}
        assert {r["user_id"]: r["ledger"] for r in rows if r["ledger"] is not None} == expected
        assert all(row["score"] == row["ledger"] for row in rows)
        async with ledger.locked(PARTITION) as session:
            players = {
                player.user_id: player.attempts
                async for chunk in session.source.players(table)
                for player in chunk
            }
        for user in expected:
            counted = [
                one
                for one in season.actions
                if (one.user, one.status) == (user, "accepted") and name in ("", *one.where)
            ]
            assert players[user] == len(counted)
            explained = await histories.explained(table, user, before=None, limit=100)
            assert explained is not None
            assert explained[1].counted == len(counted)
            assert explained[1].by_ledger == expected[user] * rule.sign
            bounds = [max(detail, season.start_ms), last + 1]
            if bounds[0] <= last:
                scores, _ = await histories.scores(table, user, bounds)
                assert all(one.score == expected[user] * rule.sign for one in scores)
