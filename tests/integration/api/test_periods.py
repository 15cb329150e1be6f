"""Boards with periods, as docs/boards.md tells of them: what an action is answered."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.asyncio import Redis

from scoreboard.wire.keys import Keyspace
from scoreboard.wire.known_periods import KnownPeriod
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Answer, Api
from tests.support.waiting import wait_until

WEEK = {"name": "week", "cron": "0 0 * * 1", "zone": "Europe/Berlin"}
YEARS = {"name": "years", "every": "P3000D", "start": "2020-01-01T00:00:00Z"}


async def make(api: Api, *periods: dict[str, Any], **rules: Any) -> Answer:
    admin = api.bearing(api.service.token("admin"))
    return await admin.call(
        "PUT", "/api/admin/boards/arena", json={"periods": list(periods), **rules}
    )


async def score(api: Api, user: str, action: str, points: int = 5, **context: str) -> Answer:
    body = {"userId": user, "actionId": action, "points": points}
    return await api.post(
        "/api/boards/arena/score", body | ({"context": context} if context else {})
    )


async def test_the_answer_names_each_occurrence_in_which_the_action_counts(api: Api) -> None:
    assert (await make(api, WEEK, YEARS)).status == 200
    assert (await score(api, "ann", "a1")).status == 200
    answer = await score(api, "bob", "b1", 7)

    told = {"occurrence": 1, "score": 7, "rank": 1, "changed": True}
    assert answer.json == {
        "userId": "bob", "score": 7, "rank": 1, "actionId": "b1",
        "periods": {"week": told, "years": told},
    }  # fmt: skip


async def test_a_board_without_a_table_of_all_time_tells_of_its_periods_only(api: Api) -> None:
    assert (await make(api, WEEK, allTime=False)).status == 200
    answer = await score(api, "ann", "a1")

    assert answer.json == {
        "userId": "ann",
        "actionId": "a1",
        "periods": {"week": {"occurrence": 1, "score": 5, "rank": 1, "changed": True}},
    }


async def test_before_the_first_tournament_nothing_counts_and_its_beginning_is_told(
    api: Api,
) -> None:
    start = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    cup = {"name": "cup", "every": "P7D", "start": start.isoformat(), "duration": "PT2H"}
    assert (await make(api, cup, allTime=False)).status == 200
    answer = await score(api, "ann", "a1")

    assert answer.outcome == (409, "board_closed")
    assert datetime.fromisoformat(answer.json["opensAt"]) == start


async def test_what_somebody_has_made_of_a_period_by_hand_is_set_right_by_the_next_post(
    api: Api, redis: Redis
) -> None:
    assert (await make(api, YEARS)).status == 200
    assert (await score(api, "ann", "a1")).status == 200
    meta: Any = Keyspace(api.service.settings.partitions).board("arena").meta
    truth = await redis.hget(meta, "period:years")
    for number, text in enumerate(("1", "1 2 3 x", "1 2 3 4 5", "1  2 3 4"), start=2):
        await redis.hset(meta, "period:years", text)
        for read in ("", "/top?period=years"):  # from Postgres, if that knows the occurrence yet
            assert (await api.get(f"/api/boards/arena{read}")).status != 500
        assert (await api.get("/api/boards/arena/top")).status == 200
        answer = await score(api, "ann", f"a{number}")
        assert answer.status == 200
        assert answer.json["periods"]["years"]["score"] == answer.json["score"]
        assert await redis.hget(meta, "period:years") == truth


NO_PERIODS: tuple[tuple[list[dict[str, Any]], str], ...] = (
    ([{"name": "week"}], "periods[0]"),
    ([WEEK, {"name": "day", "cron": "nonsense"}], "periods[1].cron"),
    ([WEEK | {"zone": "Mars/Olympus"}], "periods[0].zone"),
    ([YEARS | {"every": "PT0S"}], "periods[0].every"),
    ([WEEK, WEEK], "periods[1].name"),
    ([WEEK | {"grace": 604_800}], "periods[0].grace"),
    ([WEEK | {"name": "a:b"}], "periods[0].name"),
    ([WEEK] * 9, "periods"),
)


async def test_a_period_that_can_not_be_is_refused_with_the_path_of_its_fault(api: Api) -> None:
    for periods, path in NO_PERIODS:
        answer = await make(api, *periods)
        assert answer.outcome == (400, "invalid_request"), periods
        assert answer.json["path"] == path, periods


async def test_a_board_has_a_table_of_all_time_or_a_period(api: Api) -> None:
    answer = await make(api, allTime=False)
    assert (*answer.outcome, answer.json["path"]) == (400, "invalid_request", "allTime")


async def test_two_processes_that_cross_a_boundary_together_agree(
    start_api: StartApi, redis: Redis
) -> None:
    first, second = await start_api(), await start_api()
    blitz = {"name": "blitz", "every": "PT1S", "start": "2026-01-01T00:00:00Z"}
    assert (await make(first, blitz)).status == 200
    seen: set[int] = set()
    total: dict[int, int] = {}
    count = 0

    async def until_five_have_begun() -> bool:
        nonlocal count
        names = [f"a{count + n}" for n in range(4)]
        count += 4
        answers = await asyncio.gather(
            *(score(api, f"u{n % 3}", name, 1)
              for n, (api, name) in enumerate(zip((first, second) * 2, names, strict=True)))
        )  # fmt: skip
        for answer in answers:
            assert answer.status == 200, answer
            number = answer.json["periods"]["blitz"]["occurrence"]
            seen.add(number)
            total[number] = total.get(number, 0) + 1
        return len(seen) >= 5

    await wait_until(until_five_have_begun, description="five occurrences have begun")
    assert seen == set(range(min(seen), max(seen) + 1)), "numbers have no holes"
    for number in seen:
        table = f"sb:{{{await partition(redis)}}}:board:arena:blitz:{number}"
        stamped: Any = await redis.zrange(table, 0, -1, withscores=True)
        assert sum(int(value // 1) for _, value in stamped) == total[number]


async def ended(redis: Redis, period: str, *, final_in: int) -> int:
    """Lets the board's latest occurrence of the period have ended; its end, Unix ms. Latecomers
    have ``final_in`` ms."""
    meta, field = f"sb:{{{await partition(redis)}}}:meta:arena", f"period:{period}"
    known = KnownPeriod.from_text(await redis.hget(meta, field) or b"")
    assert known is not None
    seconds, micros = await redis.time()
    end = seconds * 1000 + micros // 1000 - 1
    latest = known.latest
    await redis.hset(meta, field, f"{latest.number} {latest.starts_at} {end} {end + final_in}")
    return end


async def partition(redis: Redis) -> str:
    keys: list[Any] = await redis.keys("sb:*:meta:arena")
    return str(keys[0].decode().split("{")[1].split("}")[0])


async def test_what_happened_before_the_end_counts_there_during_the_grace(
    api: Api, redis: Redis
) -> None:
    assert (await make(api, YEARS | {"grace": 3600})).status == 200
    assert (await score(api, "ann", "a1")).status == 200
    end = await ended(redis, "years", final_in=3_600_000)
    before = datetime.fromtimestamp(end / 1000 - 1, UTC).isoformat()
    late = await score(api, "ann", "a2", occurredAt=before)
    now = await score(api, "ann", "a3")
    own = await api.bearing(api.service.token("score:submit", subject="ann")).post(
        "/api/boards/arena/score",
        {"userId": "ann", "actionId": "a4", "points": 5, "context": {"occurredAt": before}},
    )

    assert [a.json["periods"]["years"]["occurrence"] for a in (late, now, own)] == [1, 2, 2]


async def test_the_first_occurrence_is_open_as_soon_as_the_period_is_set(
    api: Api, redis: Redis
) -> None:
    assert (await make(api, WEEK)).status == 200
    meta = f"sb:{{{await partition(redis)}}}:meta:arena"
    first = KnownPeriod.from_text(await redis.hget(meta, "period:week") or b"")
    assert first is not None
    assert first.latest.number == 1

    admin = api.bearing(api.service.token("admin"))
    again = await admin.call("PATCH", "/api/admin/boards/arena", json={"periods": [WEEK, YEARS]})
    assert again.status == 200
    kept, new = [
        KnownPeriod.from_text(await redis.hget(meta, f"period:{name}") or b"")
        for name in ("week", "years")
    ]
    assert kept == first
    assert new is not None
