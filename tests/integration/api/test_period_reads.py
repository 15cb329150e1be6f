"""Reads of periods, as docs/boards.md tells of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from scoreboard.local.embedded_servers import Valkey
from scoreboard.settings import Settings
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api
from tests.integration.api.test_outages import TIMEOUT, persisted
from tests.integration.api.test_periods import WEEK, YEARS, ended, make, score
from tests.support.command import named, started
from tests.support.waiting import wait_until

BOARD = "/api/boards/arena"
FIELDS = ("period", "occurrence", "state", "startsAt", "endsAt", "nextStartsAt")


def told(answer: Any) -> dict[str, Any]:
    """What an answer says of its occurrence."""
    return {name: answer.json[name] for name in FIELDS}


def rest(answer: Any) -> dict[str, Any]:
    """What it says apart from that."""
    return {name: value for name, value in answer.json.items() if name not in FIELDS}


async def test_every_read_of_a_period_is_of_its_current_occurrence(api: Api, redis: Redis) -> None:
    await make(api, WEEK, YEARS)
    await score(api, "ann", "a1", 100)
    await ended(redis, "week", final_in=0)
    for user, points in (("bob", 7), ("cy", 9), ("dan", 2)):
        await score(api, user, "a1", points)

    top = await api.get(f"{BOARD}/top?period=week")
    assert [entry["userId"] for entry in top.json["topScores"]] == ["cy", "bob", "dan"]
    page = await api.get(f"{BOARD}/standings?period=week&limit=2")
    assert [(one["userId"], one["rank"]) for one in page.json["standings"]] == [
        *(("cy", 1), ("bob", 2)),
    ]
    behind = await api.get(f"{BOARD}/standings?period=week&after={page.json['next']}")
    assert [(one["userId"], one["rank"]) for one in behind.json["standings"]] == [("dan", 3)]
    bob = await api.get(f"{BOARD}/users/bob?period=week")
    assert (bob.json["rank"], bob.json["next"]["userId"]) == (2, "cy")
    around = await api.get(f"{BOARD}/users/dan/around?period=week")
    assert [one["userId"] for one in around.json["users"]] == ["cy", "bob", "dan"]
    lookup = await api.post(f"{BOARD}/users:lookup?period=week", {"userIds": ["ann", "cy"]})
    assert ([one["rank"] for one in lookup.json["users"]], lookup.json["missing"]) == ([1], ["ann"])
    rank = await api.get(f"{BOARD}/rank?period=week&score=8")
    assert (rank.json["rank"], rank.json["users"]) == (2, 3)

    for answer in (top, page, behind, bob, around, lookup, rank):
        assert told(answer) == told(top)
    assert (top.json["period"], top.json["occurrence"], top.json["state"]) == ("week", 2, "open")
    assert top.json["endsAt"] == top.json["nextStartsAt"]
    years = await api.get(f"{BOARD}/top?period=years")
    assert [entry["userId"] for entry in years.json["topScores"]] == ["ann", "cy", "bob", "dan"]


async def test_a_read_of_all_time_says_nothing_of_periods(api: Api) -> None:
    await make(api, WEEK)
    await score(api, "ann", "a1")
    answer = await api.get(f"{BOARD}/top")
    assert answer.body == b'{"topScores":[{"userId":"ann","score":5}]}'
    user = await api.get(f"{BOARD}/users/ann")
    assert user.body == (
        b'{"userId":"ann","score":5,"rank":1,"percentile":100.0,"next":null,'
        b'"top10":{"score":null,"gap":0}}'
    )


async def test_before_anybody_has_played_the_current_occurrence_is_empty(api: Api) -> None:
    await make(api, YEARS)
    answer = await api.get(f"{BOARD}/top?period=years")
    assert rest(answer) == {"topScores": []}
    start = datetime.fromisoformat(answer.json["startsAt"])
    assert start < datetime.now(UTC) < start + timedelta(days=3000)
    assert (answer.json["occurrence"], answer.json["state"]) == (1, "open")
    assert (await api.get(f"{BOARD}/standings?period=years")).json["standings"] == []
    missing = await api.get(f"{BOARD}/users/ann?period=years")
    assert missing.outcome == (404, "unknown_user")
    nowhere = "'ann' is not in occurrence 1 of the period years of the board arena."
    assert missing.json["detail"] == nowhere


async def test_a_tournament_that_never_was_is_upcoming(api: Api) -> None:
    start = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    cup = {"name": "cup", "every": "P7D", "start": start.isoformat(), "duration": "PT2H"}
    await make(api, cup)
    answer = await api.get(f"{BOARD}/top?period=cup")

    assert (answer.json["occurrence"], answer.json["state"]) == (1, "upcoming")
    moments = [datetime.fromisoformat(answer.json[name]) for name in FIELDS[3:]]
    assert moments == [start, start + timedelta(hours=2), start]
    assert (await api.get(f"{BOARD}/periods/cup/occurrences")).json["occurrences"] == []


async def test_between_two_tournaments_the_last_one_is_the_current(api: Api, redis: Redis) -> None:
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
    cup = {"name": "cup", "every": "P1D", "start": start.isoformat(), "duration": "PT11M"}
    await make(api, cup)
    await score(api, "ann", "a1")
    await ended(redis, "cup", final_in=0)
    await make_shorter(api, cup)

    for _ in range(2):  # the second time, an action has opened the one to come
        answer = await api.get(f"{BOARD}/top?period=cup")
        assert [entry["userId"] for entry in answer.json["topScores"]] == ["ann"]
        assert (answer.json["occurrence"], answer.json["state"]) == (1, "closing")
        following = datetime.fromisoformat(answer.json["nextStartsAt"])
        assert following == start + timedelta(days=1)
        assert (await score(api, "ann", "a2")).json.get("periods") is None


async def make_shorter(api: Api, cup: dict[str, Any]) -> None:
    admin = api.bearing(api.service.token("admin"))
    changed = {"periods": [cup | {"duration": "PT1M"}]}
    assert (await admin.call("PATCH", "/api/admin/boards/arena", json=changed)).status == 200


async def test_what_has_ended_is_read_by_its_number_or_as_the_previous_one(
    api: Api, redis: Redis
) -> None:
    await make(api, WEEK)
    await score(api, "ann", "a1")
    await ended(redis, "week", final_in=3_600_000)

    # Nobody has opened the next one yet; it is current and empty all the same.
    answer = await api.get(f"{BOARD}/top?period=week")
    assert (rest(answer), answer.json["occurrence"]) == ({"topScores": []}, 2)
    await score(api, "bob", "a1")

    for query in ("occurrence=previous", "occurrence=1"):
        answer = await api.get(f"{BOARD}/standings?period=week&{query}")
        assert [one["userId"] for one in answer.json["standings"]] == ["ann"]
        assert (answer.json["occurrence"], answer.json["state"]) == (1, "closing")
    current = await api.get(f"{BOARD}/standings?period=week&occurrence=2")
    assert [one["userId"] for one in current.json["standings"]] == ["bob"]


async def test_an_occurrence_that_postgres_does_not_have_yet_is_asked_for_again_later(
    api: Api, redis: Redis
) -> None:
    await make(api, WEEK)
    for name in ("a1", "a2", "a3"):
        await score(api, "ann", name)
        await ended(redis, "week", final_in=0)
    answers = [await api.get(f"{BOARD}/top?period=week&occurrence={n}") for n in (1, 5)]
    assert [answer.outcome for answer in answers] == [
        (503, "unavailable"),
        (404, "unknown_occurrence"),
    ]


async def test_the_top_of_a_period_is_not_sent_again_to_who_has_it(api: Api) -> None:
    await make(api, WEEK)
    await score(api, "ann", "a1")
    tag = (await api.get(f"{BOARD}/top?period=week")).headers["ETag"]
    again = await api.get(f"{BOARD}/top?period=week", If_None_Match=tag)
    assert again.status == 304
    await score(api, "ann", "a2")
    changed = await api.get(f"{BOARD}/top?period=week", If_None_Match=tag)
    assert changed.json["topScores"] == [{"userId": "ann", "score": 10}]


NOT_THERE = (
    ("top?period=day", (404, "unknown_period")),
    ("top?period=a:b", (404, "unknown_period")),
    ("periods/day/occurrences", (404, "unknown_period")),
    ("top?period=week&occurrence=2", (404, "unknown_occurrence")),
    ("top?period=week&occurrence=previous", (404, "unknown_occurrence")),
    ("top?period=week&occurrence=0", (400, "invalid_request")),
    ("top?period=week&occurrence=next", (400, "invalid_request")),
    ("top?occurrence=1", (400, "invalid_request")),
    ("periods/week/occurrences?after=x", (400, "invalid_request")),
)


async def test_what_there_is_not_is_refused(api: Api) -> None:
    await make(api, WEEK)
    for path, outcome in NOT_THERE:
        assert (await api.get(f"{BOARD}/{path}")).outcome == outcome, path


async def test_once_a_board_has_lost_its_table_of_all_time_nobody_is_shown_it(api: Api) -> None:
    await make(api, WEEK)
    assert (await api.get(f"{BOARD}/top")).status == 200, "the process has read the settings"
    admin = api.bearing(api.service.token("admin"))
    changed = await admin.call("PATCH", "/api/admin/boards/arena", json={"allTime": False})
    assert changed.outcome == (200, None), changed
    await score(api, "ann", "a1")
    for path in ("top", "standings", "users/ann"):
        assert (await api.get(f"{BOARD}/{path}")).outcome == (404, "period_required"), path


async def test_a_board_without_a_table_of_all_time_names_its_periods(api: Api) -> None:
    await make(api, WEEK, YEARS, allTime=False)
    await score(api, "ann", "a1")
    for path in ("top", "standings", "rank?score=1", "users/ann", "users/ann/around"):
        answer = await api.get(f"{BOARD}/{path}")
        assert (*answer.outcome, answer.json["periods"]) == (
            *(404, "period_required"),
            ["week", "years"],
        )
    assert (await api.get(f"{BOARD}/users/ann?period=years")).json["rank"] == 1


async def test_a_board_is_described_with_its_periods(api: Api) -> None:
    await make(api, WEEK, YEARS)
    await score(api, "ann", "a1")
    described = (await api.get(BOARD)).json
    assert described["rules"]["periods"] == [WEEK, YEARS]
    for told_of in described["periods"]:
        answer = await api.get(f"{BOARD}/top?period={told_of['name']}")
        assert told(answer) == {"period": told_of.pop("name"), **told_of}


async def test_a_period_that_is_added_is_found_at_once(api: Api) -> None:
    await make(api, WEEK)
    assert (await api.get(f"{BOARD}/top?period=years")).outcome == (404, "unknown_period")
    admin = api.bearing(api.service.token("admin"))
    changed = {"periods": [WEEK, YEARS]}
    assert (await admin.call("PATCH", "/api/admin/boards/arena", json=changed)).status == 200
    assert (await api.get(f"{BOARD}/top?period=years")).json["state"] == "open"


async def test_occurrences_are_listed_newest_first_page_by_page(
    start_api: StartApi, redis: Redis
) -> None:
    api = await start_api()
    await make(api, WEEK)
    async with api.service.persisting():
        for number in range(1, 4):
            for user in range(number):
                await score(api, f"u{user}", f"a{number}")
            if number < 3:
                await ended(redis, "week", final_in=3_600_000)

        async def all_three() -> Any:
            answer = await api.get(f"{BOARD}/periods/week/occurrences")
            found = [(one["occurrence"], one["users"]) for one in answer.json["occurrences"]]
            return found == [(3, 3), (2, 2), (1, 1)] and answer.json

        listed = await wait_until(all_three, description="they are persisted")
    assert listed["next"] is None
    assert listed["occurrences"][0]["state"] == "open"
    first = (await api.get(f"{BOARD}/periods/week/occurrences?limit=2")).json
    assert first["occurrences"] == listed["occurrences"][:2]
    path = f"{BOARD}/periods/week/occurrences?limit=2&after={first['next']}"
    assert (await api.get(path)).json == {"occurrences": listed["occurrences"][2:], "next": None}


async def test_without_redis_periods_are_read_from_postgres(
    api: Api, start_api: StartApi, valkey: Valkey
) -> None:
    impatient = await start_api(redis_timeout=TIMEOUT)
    await make(api, WEEK, YEARS)
    async with api.service.persisting():
        for user, points in (("ann", 5), ("bob", 7), ("cy", 9)):
            await score(api, user, "a1", points)
        await persisted(api)
    reads = [
        *(BOARD, f"{BOARD}/top?period=week", f"{BOARD}/standings?period=years&limit=2"),
        *(f"{BOARD}/users/ann?period=week", f"{BOARD}/rank?period=week&score=6"),
        *(f"{BOARD}/users/ann/around?period=week", f"{BOARD}/periods/week/occurrences"),
    ]
    live = [(await api.get(path)).json for path in reads]
    valkey.stop()

    assert [(await impatient.get(path)).json for path in reads] == live
    assert (await impatient.get(f"{BOARD}/top?period=day")).outcome == (404, "unknown_period")
    answer = await impatient.get(f"{BOARD}/top?period=week&occurrence=previous")
    assert answer.outcome == (404, "unknown_occurrence")


class Finals:
    """A board whose occurrences end when a test says so."""

    def __init__(self, api: Api, redis: Redis, database: asyncpg.Connection) -> None:
        self.api, self._redis, self._database = api, redis, database

    async def end(self, number: int) -> None:
        """Ends the latest occurrence, and returns when it is final."""
        await persisted(self.api)
        end = await ended(self._redis, "week", final_in=0)
        await self._database.execute(
            "UPDATE period_occurrence SET ends_at = $1, final_at = $1"
            " WHERE (board, period, occurrence) = ('arena', 'week', $2)",
            *(end, number),
        )

        async def final() -> bool:
            answer = await self.api.get(f"{BOARD}/periods/week/occurrences")
            found = {one["occurrence"]: one["state"] for one in answer.json["occurrences"]}
            return found.get(number) == "final"

        await wait_until(final, description="the ranks are stored")


@pytest.fixture
async def finals(start_api: StartApi, redis: Redis, database: asyncpg.Connection) -> Finals:
    return Finals(await start_api(), redis, database)


async def test_what_is_final_is_read_by_its_stored_ranks(
    finals: Finals, settings: Settings
) -> None:
    api = finals.api
    await make(api, WEEK, rankStyle="standard")
    async with started("persist", **named(settings.redis_url, settings.database_url)):
        for user, points in (("ann", 9), ("bob", 7), ("cy", 7), ("dan", 5)):
            await score(api, user, "a1", points)
        await finals.end(1)
    of_it = "period=week&occurrence=previous"
    top = await api.get(f"{BOARD}/top?{of_it}")
    assert (told(top)["occurrence"], told(top)["state"]) == (1, "final")
    assert [one["userId"] for one in top.json["topScores"]] == ["ann", "bob", "cy", "dan"]
    first = await api.get(f"{BOARD}/standings?{of_it}&limit=2")
    rest_of_it = await api.get(f"{BOARD}/standings?{of_it}&after={first.json['next']}")
    pages = first.json["standings"] + rest_of_it.json["standings"]
    assert [(one["userId"], one["rank"]) for one in pages] == [
        *(("ann", 1), ("bob", 2), ("cy", 2), ("dan", 4)),
    ]
    assert (await api.get(f"{BOARD}/users/dan?{of_it}")).json["rank"] == 4
    lookup = await api.post(f"{BOARD}/users:lookup?{of_it}", {"userIds": ["cy", "eve"]})
    assert ([one["rank"] for one in lookup.json["users"]], lookup.json["missing"]) == ([2], ["eve"])
    again = await api.get(f"{BOARD}/top?{of_it}", If_None_Match=top.headers["ETag"])
    assert again.status == 304


async def test_the_state_is_final_as_soon_as_the_ranks_are_stored(
    api: Api, redis: Redis, database: asyncpg.Connection
) -> None:
    await make(api, WEEK)
    async with api.service.persisting():
        await score(api, "ann", "a1")
        await ended(redis, "week", final_in=0)
        await score(api, "ann", "a2")
        await persisted(api)
    previous = f"{BOARD}/top?period=week&occurrence=previous"
    assert (await api.get(previous)).json["state"] == "closing"
    await database.execute("UPDATE period_occurrence SET state = 'final' WHERE occurrence = 1")
    assert (await api.get(previous)).json["state"] == "final"


async def test_an_occurrence_that_is_no_longer_kept_is_gone(
    finals: Finals, settings: Settings
) -> None:
    api = finals.api
    await make(api, WEEK | {"keep": 1})
    async with started("persist", **named(settings.redis_url, settings.database_url)):
        for number in (1, 2):
            await score(api, "ann", f"a{number}")
            await finals.end(number)

        async def gone() -> bool:
            answer = await api.get(f"{BOARD}/top?period=week&occurrence=1")
            return answer.status == 404 and answer.outcome == (404, "occurrence_gone")

        await wait_until(gone, description="its users are deleted")
    assert (await api.get(f"{BOARD}/top?period=week&occurrence=2")).json["state"] == "final"
    listed = (await api.get(f"{BOARD}/periods/week/occurrences")).json["occurrences"]
    assert [one.get("gone", False) for one in listed if one["state"] == "final"] == [False, True]
