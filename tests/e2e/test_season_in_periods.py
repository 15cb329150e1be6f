"""A season of real score actions on a board whose period turns over again and again meanwhile: the
whole one in CI, else its first month."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from scoreboard.domain.periods import Period
from scoreboard.settings import Settings
from scoreboard.wire.keys import Keyspace
from tests.support.command import scoreboard
from tests.support.extent import WHOLE
from tests.support.waiting import wait_until
from tests.support.whole_service import Service, service

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
SEASON = DATA / "nba_2016_17.csv.gz"
BOARD = "nba-2016"
MONTH = 25_000  # actions
SPEED = "2000000" if WHOLE else "300000"  # in seven seconds, or longer
SECOND = Period("second", every="PT1S", start=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
async def running(settings: Settings) -> AsyncIterator[Service]:
    if not SEASON.exists():
        pytest.skip(f"the season's actions are not at {SEASON}")
    async with service(settings) as started, started.persisting():
        yield started


@pytest.fixture
def replayed(tmp_path: Path) -> Path:
    """What is replayed: the season, or its first month."""
    if WHOLE:
        return SEASON
    month = tmp_path / "month.csv"
    with gzip.open(SEASON, "rt", encoding="utf-8") as lines:
        month.write_text("".join(islice(lines, 1 + MONTH)), encoding="utf-8")
    return month


def totals_of(replayed: Path) -> dict[str, int]:
    """The official table of the season; of its first month, the sums."""
    if replayed == SEASON:
        return official()
    sums = Counter[str]()
    with replayed.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            sums[row["user_id"]] += int(row["points"])
    return dict(sums)


def official() -> dict[str, int]:
    with SEASON.with_name("nba_2016_17.official.csv").open(encoding="utf-8", newline="") as file:
        points = {row["user_id"]: int(row["replayed_points"]) for row in csv.DictReader(file)}
    return {user: total for user, total in points.items() if total}


async def test_the_occurrences_of_a_period_add_up_to_the_season(
    running: Service, replayed: Path, redis: Redis
) -> None:
    await running.make_board(BOARD, periods=(SECOND,))
    ended = await scoreboard(
        *("replay", str(replayed), "--board", BOARD, "--batch", "1000", "--speed", SPEED),
        SCOREBOARD_URL=running.url,
        SCOREBOARD_TOKEN=running.token(),
    )
    actions = "139,944" if WHOLE else f"{MONTH:,}"
    assert (ended.code, ended.out.split()) == (0, [actions, "accepted"]), ended
    expected = totals_of(replayed)
    events = Keyspace(running.settings.partitions).board(BOARD).events

    async def persisted() -> bool:
        return not await redis.xlen(events)

    await wait_until(persisted, description="everything is in Postgres")
    connection = await asyncpg.connect(running.settings.database_url)
    try:
        occurrences = await connection.fetch(
            "SELECT occurrence, starts_at, ends_at FROM period_occurrence WHERE board = $1 "
            "ORDER BY occurrence",
            BOARD,
        )
        assert len(occurrences) >= 5
        assert [number for number, _, _ in occurrences] == list(range(1, len(occurrences) + 1))
        together: Counter[str] = Counter()
        for number, starts_at, ends_at in occurrences:
            table = dict(
                await connection.fetch(
                    "SELECT user_id, score FROM user_score WHERE board = $1",
                    f"{BOARD}:second:{number}",
                )
            )
            by_time = dict(
                await connection.fetch(
                    "SELECT user_id, sum(points)::bigint FROM score_action "
                    "WHERE board = $1 AND event_ms >= $2 AND event_ms < $3 GROUP BY 1",
                    *(BOARD, starts_at, ends_at),
                )
            )
            assert table == by_time, f"occurrence {number}"
            together.update(table)
        assert {user: total for user, total in together.items() if total} == expected
        totals = await connection.fetch(
            "SELECT user_id, score FROM user_score WHERE board = $1", BOARD
        )
        assert dict(totals) == expected
    finally:
        await connection.close()

    verified = await scoreboard(
        *("verify", "--board", BOARD),
        SCOREBOARD_REDIS_URL=running.settings.redis_url,
        SCOREBOARD_DATABASE_URL=running.settings.database_url,
    )
    assert verified.code == 0, verified
