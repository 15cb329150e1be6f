"""What a day and a period have changed of a player's place, as docs/players.md tells of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from unittest.mock import AsyncMock

import asyncpg
import pytest

from scoreboard.domain.days import day_start
from scoreboard.domain.moments import milliseconds_of_moment
from scoreboard.errors import Unavailable
from scoreboard.pg.daily_ranks import DailyRanks
from scoreboard.pg.pool import open_pool
from tests.integration.api.described_api import Api
from tests.integration.api.test_outages import persisted
from tests.integration.api.test_periods import YEARS, make, score

BOARD = "/api/boards/arena"


async def kept_today(api: Api) -> None:
    """Keeps what is there now as that of the day's start, on a board that is older than that."""
    await persisted(api)
    database = await asyncpg.connect(api.service.settings.database_url)
    await database.execute("UPDATE board SET created = now() - interval '3 days'")
    await database.close()
    pool = await open_pool(api.service.settings.database_url, connections=1, timeout=30)
    today = day_start("UTC", milliseconds_of_moment(datetime.now(UTC)))
    assert await DailyRanks(pool, most=2).keep("arena", today)
    await pool.close()


async def test_a_day_has_changed_ranks_and_scores(api: Api) -> None:
    for user, points in (("ann", 9), ("bob", 5)):
        await score(api, user, "a1", points)
    await kept_today(api)
    await score(api, "bob", "a2", 7)
    await score(api, "cy", "a1", 10)

    for user, rank, gained, was in (
        ("bob", 1, 7, "ranked"),
        ("ann", -2, 0, "ranked"),
        ("cy", None, 10, "absent"),
    ):
        day = (await api.get(f"{BOARD}/users/{user}?delta=true")).json["delta"]["day"]
        assert (day["rank"], day["score"], day["was"]) == (rank, gained, was), user


async def test_listed_users_have_the_ranks_that_they_had_when_the_day_began(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def day_of(*users: str, query: str = "day=true") -> Any:
        answer = await api.post(f"{BOARD}/users:lookup?{query}", {"userIds": list(users)})
        assert answer.status == 200, answer
        return answer.json.get("day", "not told")

    await score(api, "ann", "a1", 9)
    await score(api, "bob", "a1", 5)
    await kept_today(api)
    await score(api, "bob", "a2", 7)
    await score(api, "cy", "a1", 10)
    assert (await day_of("bob"))["ranks"] == {"bob": 2}
    monkeypatch.setattr(DailyRanks, "ranks", read := AsyncMock(side_effect=Unavailable("away")))
    assert (await day_of("bob"))["ranks"] == {"bob": 2}, "it is remembered for a while"
    read.assert_not_called()
    monkeypatch.undo()
    told = await day_of("ann", "bob", "cy", "nobody")
    assert told["ranks"] == {"ann": 1, "bob": 2}
    assert told["since"] <= datetime.now(UTC).isoformat()
    assert (await day_of("ann", query="day=false")) == "not told"
    assert (await day_of("nobody")) is None


async def test_an_answer_without_changes_is_as_it_was(api: Api) -> None:
    await score(api, "ann", "a1", 9)
    plain = await api.get(f"{BOARD}/users/ann")
    assert (await api.get(f"{BOARD}/users/ann?delta=false")).body == plain.body
    assert b"delta" not in plain.body


async def test_of_a_new_board_the_whole_score_was_made_today(api: Api) -> None:
    await make(api, YEARS)
    await score(api, "ann", "a1", 9)
    await persisted(api)
    told = (await api.get(f"{BOARD}/users/ann?delta=true")).json["delta"]
    assert (told["day"]["rank"], told["day"]["score"], told["day"]["was"]) == (None, 9, "absent")
    assert set(told["periods"]) == {"years"}
    for query in ("day=true", "day=true&period=years"):
        listed = await api.post(f"{BOARD}/users:lookup?{query}", {"userIds": ["ann"]})
        assert listed.json["day"]["ranks"] == {}, "nobody was on the board before it was made"
    period = (await api.get(f"{BOARD}/users/ann?delta=true&period=years")).json["delta"]
    assert set(period) == {"day"}


async def test_where_nothing_is_kept_nothing_is_told(api: Api) -> None:
    await score(api, "ann", "a1", 9)
    await persisted(api)
    database = await asyncpg.connect(api.service.settings.database_url)
    await database.execute("UPDATE board SET created = now() - interval '3 days'")
    await database.close()
    told = (await api.get(f"{BOARD}/users/ann?delta=true")).json["delta"]
    assert told == {"day": None, "periods": {}}
    listed = await api.post(f"{BOARD}/users:lookup?day=true", {"userIds": ["ann"]})
    assert (listed.json["day"], listed.json["missing"]) == (None, [])


@pytest.mark.parametrize("query", ["delta=yes", "delta=true&at=2026-01-01T00:00:00Z"])
async def test_a_wrong_question_for_changes_is_named(api: Api, query: str) -> None:
    await score(api, "ann", "a1", 9)
    answer = await api.get(f"{BOARD}/users/ann?{query}")
    assert (*answer.outcome, answer.json["path"]) == (400, "invalid_request", "delta")
