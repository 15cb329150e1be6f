"""Imports by the ordinary path: totals, order, repetition, and what the board does not take."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from scoreboard.assembly.recovery import verifier_of
from scoreboard.domain.audit import Difference
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.imports import Plan, Refused, Source, SourceRow
from scoreboard.domain.periods import Period
from scoreboard.domain.snapshots import Wanted
from scoreboard.domain.submissions import Result, Submission
from scoreboard.errors import OutcomeUnknown, Unavailable
from scoreboard.formats.standings_files import open_standings
from scoreboard.formats.writers import TEXT_WRITERS, TextFormat
from scoreboard.pg.archived_boards import ArchivedBoards
from scoreboard.pg.cases import LedgerCases
from scoreboard.pg.exports import BoardExports
from scoreboard.pg.imports import ImportRecord
from scoreboard.pg.ledger_audit import LedgerAudit
from scoreboard.settings import Settings
from scoreboard.write_path import importer
from scoreboard.write_path.importer import BEFORE, NEW, OTHER, Importer
from tests.support.arena import Arena, opened_arena
from tests.support.extent import kept
from tests.support.moderated_arena import Moderated

SEED = 20261127
ROWS = [("ann", 30), ("bob", 20), ("cy", 20), ("dan", 20), ("eve", -5)]


class Into:
    """Imports into a board, and what was told of it."""

    def __init__(self, arena: Arena, pool: asyncpg.Pool, submitter: Any = None) -> None:
        self.arena = arena
        self.pool = pool
        self.submitter = submitter or arena.submitter
        self.refused: list[Refused] = []

    async def rows(
        self, rows: Sequence[tuple[str, Any]], *, decimals: int = 0, dry: bool = False
    ) -> dict[str, int]:
        """What became of them, by how many."""
        return await self.source(listed(rows), decimals=decimals, dry=dry)

    async def source(
        self, source: Source, *, decimals: int = 0, dry: bool = False
    ) -> dict[str, int]:
        text = await self.pool.fetchval(
            "SELECT settings FROM board WHERE board = $1", self.arena.board
        )
        made = Importer(
            self.arena.board,
            Plan(BoardSettings.from_text(text), source.name, decimals),
            self.submitter,
            ImportRecord(self.pool),
            on_refused=self.refused.append,
            on_rows=lambda _: None,
        )
        await made.run(source, dry=dry)
        return dict(made.counts)

    async def standings(self) -> list[tuple[str, int]]:
        """As readers see them, best first."""
        rows: Any = await self.arena.redis.zrevrange(self.arena.keys.board, 0, -1)
        return [(user.decode(), (await self.arena.totals())[user.decode()]) for user in rows]

    async def differences(self) -> list[Difference]:
        """What the audit finds."""
        found: list[Difference] = []
        arena = self.arena
        verifier = verifier_of(arena.durable, arena.redis, LedgerAudit(self.pool))
        await verifier.verify(arena.board, found.append, lambda _: None)
        return found


def listed(rows: Sequence[tuple[str, Any]], name: str = "season") -> Source:
    async def chunks() -> AsyncIterator[list[SourceRow]]:
        made = [SourceRow(at, *row) for at, row in enumerate(rows, 1)]
        for at in range(0, len(made), 3):
            yield made[at : at + 3]

    return Source(name, len(rows), chunks())


@pytest.fixture
async def into(court: Moderated, pool: asyncpg.Pool) -> Into:
    await court.configure()
    return Into(court.arena, pool)


async def test_totals_count_and_of_equal_ones_the_order_of_the_source_is_kept(into: Into) -> None:
    assert await into.rows(ROWS) == {NEW: 5}

    assert await into.standings() == ROWS
    assert await into.differences() == []


@pytest.mark.parametrize("persisted", [False, True])
async def test_a_second_run_changes_nothing(into: Into, *, persisted: bool) -> None:
    await into.rows(ROWS)
    if persisted:
        await into.arena.persist()

    assert await into.rows(ROWS) == {BEFORE: 5}

    assert await into.standings() == ROWS
    await into.arena.persist()
    assert await into.differences() == []


async def test_without_receipts_the_ledger_knows_what_was_imported(
    into: Into, redis: Redis, database: asyncpg.Connection
) -> None:
    await into.rows(ROWS)
    await into.arena.persist()
    receipts: Any = await redis.keys("*:action:*")
    await redis.unlink(*receipts)

    assert await into.rows(ROWS) == {BEFORE: 5}

    assert await into.standings() == ROWS
    assert await database.fetchval("SELECT count(*) FROM review") == 0


async def test_a_user_whose_total_has_changed_since_is_left_and_nobody_has_to_decide_it(
    into: Into, database: asyncpg.Connection
) -> None:
    await into.rows(ROWS)
    await into.arena.persist()

    assert await into.rows([("ann", 31), *ROWS[1:], ("fay", 1)]) == {OTHER: 1, BEFORE: 4, NEW: 1}

    assert await into.standings() == [*ROWS[:4], ("fay", 1), ROWS[4]]
    assert [one.row.user_id for one in into.refused] == ["ann"]
    await into.arena.persist()
    assert await database.fetchval("SELECT count(*) FROM review") == 0


async def test_what_the_board_has_and_what_comes_go_together_by_its_operator(
    court: Moderated, into: Into
) -> None:
    for operator, total in (("sum", 130), ("best", 100), ("last", 30)):
        board = Into(court.arena, into.pool)
        await court.configure(operator=operator)
        await court.arena.submit(("ann", f"before-{operator}", 100))
        await board.source(listed(ROWS, operator))
        assert (await board.arena.totals())["ann"] == total
        await court.arena.persist()
        await court.database.execute("DELETE FROM user_score; DELETE FROM score_action")
        await court.arena.redis.flushall()


async def test_totals_beyond_one_action_are_counted_in_several(into: Into) -> None:
    rows = [("ann", 2**40), ("bob", 2**31), ("cy", -(2**33))]

    assert await into.rows(rows) == {NEW: 3}
    assert await into.standings() == rows
    assert await into.rows(rows) == {BEFORE: 3}

    await into.arena.persist()
    assert await into.differences() == []


async def test_what_is_refused_is_told_with_its_reason_and_holds_up_nothing(into: Into) -> None:
    counts = await into.rows([("ann", 1.5), ("bob", Decimal("2.00")), ("x" * 129, 3), ("cy", 1)])

    assert counts[NEW] == 2
    assert [(one.row.place, one.reason[:22]) for one in into.refused] == [
        *((1, "the score has 1 decima"), (3, "no user id: 1 to 128 c")),
    ]
    assert await into.standings() == [("bob", 2), ("cy", 1)]


async def test_the_limits_of_the_board_hold(court: Moderated, into: Into) -> None:
    await court.configure(capacity=2)

    assert await into.rows(ROWS) == {NEW: 2, "the board takes no further user": 3}
    assert await into.standings() == ROWS[:2]
    await into.arena.persist()
    assert await into.differences() == []


async def test_periods_get_what_is_imported_while_they_are_open(
    court: Moderated, into: Into
) -> None:
    await court.configure(periods=(Period("week", cron="0 0 * * 1"),))

    await into.rows(ROWS)
    await into.arena.persist()

    page = await ArchivedBoards(into.pool).standings("arena:week:1", ["ann", "eve"])
    assert [(one.rank, one.score) for one in page if one] == [(1, 30), (5, -5)]
    assert await into.differences() == []


async def test_a_dry_run_says_what_would_happen_and_does_nothing(
    into: Into, database: asyncpg.Connection
) -> None:
    await into.rows(ROWS[:2])
    await into.arena.persist()

    counts = await into.rows([*ROWS[:2], ("cy", 0.5), ("dan", 4)], dry=True)

    assert (counts[BEFORE], counts[NEW], len(into.refused)) == (2, 1, 1)
    assert await into.standings() == ROWS[:2]
    await into.arena.persist()
    assert await database.fetchval("SELECT count(*) FROM score_action") == 2


async def test_the_gate_takes_no_import_for_a_way_to_play(into: Into, pool: asyncpg.Pool) -> None:
    await into.rows(ROWS)
    await into.arena.submit(("ann", "kill-1", 3))
    await into.arena.persist()
    cases = LedgerCases(pool)

    recent = await cases.recent("arena", ["ann", "bob"])
    assert {user: [case.points for case in found] for user, found in recent.items()} == {"ann": [3]}
    assert [case.points async for chunk in cases.training("arena", 0) for case in chunk] == [3]
    assert [case.points for case, _ in await cases.decided("arena", 0)] == [3]


class Failing:
    """Submits, but for every second call: it fails, or loses its answer."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self._calls = 0

    async def submit(
        self, board: str, submissions: Sequence[Submission], *, create: bool
    ) -> tuple[list[Result], Any]:
        self._calls += 1
        if self._calls % 4 == 1:
            raise Unavailable("Redis is away")
        answer = await self._arena.submitter.submit(board, submissions, create=create)
        if self._calls % 4 == 3:
            raise OutcomeUnknown("the answer was lost")
        return answer


async def test_while_redis_fails_rows_are_submitted_again_and_count_once(
    court: Moderated, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(importer, "BATCH", 2)
    await court.configure()
    into = Into(court.arena, pool, Failing(court.arena))
    rows = [(f"user{at}", 100 - at) for at in range(20)]

    assert await into.rows(rows) == {NEW: 20}
    assert await into.standings() == rows


RULES = [
    {"operator": operator, "order": order, "decimals": decimals, "rank_style": style, "ids": "any"}
    for operator, order, decimals, style in (
        ("sum", "desc", 0, "ordinal"),
        ("sum", "asc", 2, "standard"),
        ("best", "desc", 3, "standard"),
        ("best", "asc", 3, "ordinal"),
        ("last", "desc", 6, "ordinal"),
        ("last", "asc", 0, "standard"),
    )
]


@pytest.mark.parametrize("form", kept(["csv", "ndjson", "parquet"], "parquet"))
@pytest.mark.parametrize("rules", RULES, ids=lambda rules: "-".join(map(str, rules.values())))
async def test_an_export_that_is_imported_elsewhere_gives_the_same_standings(
    settings: Settings,
    redis: Redis,
    pool: asyncpg.Pool,
    court: Moderated,
    tmp_path: Path,
    rules: dict[str, Any],
    form: str,
) -> None:
    draw = random.Random(f"{SEED}{rules}{form}")
    most = 2**33 if rules["operator"] == "sum" else 2**31 - 1
    for board in ("arena", "other"):
        await court.moderator.configure(board, lambda _: BoardSettings(**rules), by="mod")
    names = [f"user{at}" for at in range(40)] + ['a "b", c', "ä\u2028ö", "=1+1", "#"]
    totals = [
        draw.choice((0, 7, -7, draw.randint(-100, 100), draw.randint(-most, most))) for _ in names
    ]
    await Into(court.arena, pool).source(listed(list(zip(names, totals, strict=True))))
    await court.arena.persist()
    file = tmp_path / f"arena.{form}"
    async with BoardExports(pool).open(Wanted("arena", "standings"), by="test") as (head, chunks):
        writer = writer_of(form)(head)
        parts = [writer.head(), *[writer.rows(chunk) async for chunk in chunks], writer.tail()]
        file.write_bytes(b"".join(parts))

    read = open_standings(file, None)
    rows = [(row.user_id, row.score) for row in read.read()]
    async with opened_arena(settings, redis, pool, "other") as other:
        assert await Into(other, pool).source(listed(rows)) == {NEW: len(names)}
        await other.persist()
        assert await Into(other, pool).differences() == []

    async def standings(board: str) -> list[tuple[Any, ...]]:
        async with BoardExports(pool).open(Wanted(board, "standings"), by="test") as (_, chunks):
            return [row[:3] async for chunk in chunks for row in chunk]

    assert sorted(await standings("other")) == sorted(await standings("arena"))
    told_apart = [row for row in await standings("arena") if abs(row[2]) < 2**11]
    assert [row for row in await standings("other") if abs(row[2]) < 2**11] == told_apart
    assert read.head.order == rules["order"]


def writer_of(form: str) -> Callable[[Any], Any]:
    if form == "parquet":
        pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
        from scoreboard.formats.parquet import ParquetWriter

        return ParquetWriter
    kinds: dict[str, TextFormat] = {"csv": "csv", "ndjson": "ndjson"}
    return TEXT_WRITERS[kinds[form]]
