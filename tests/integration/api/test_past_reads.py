"""What is asked about the past of boards and players, as docs/players.md tells of it."""

from __future__ import annotations

from itertools import product
from typing import Any

import asyncpg
from redis.asyncio import Redis

from scoreboard.domain.moments import moment_of
from scoreboard.settings import Settings
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Answer, Api
from tests.integration.api.test_outages import persisted
from tests.integration.api.test_periods import WEEK, YEARS, ended, make, score
from tests.support.waiting import wait_until

BOARD = "/api/boards/arena"


async def now_ms(redis: Redis) -> int:
    seconds, micros = await redis.time()
    return int(seconds) * 1000 + int(micros) // 1000


async def moment(redis: Redis) -> str:
    """Now by Redis's clock, when nothing happens any more in this millisecond."""
    now = await now_ms(redis)

    async def over() -> bool:
        return await now_ms(redis) > now

    await wait_until(over, description="the millisecond is over", interval=0.001)
    return moment_of(now).isoformat().replace("+00:00", "Z")


def names(answer: Answer) -> list[tuple[str, int]]:
    return [(one["userId"], one["score"]) for one in answer.json["topScores"]]


async def test_the_top_is_read_as_it_was(api: Api, redis: Redis) -> None:
    moments: list[str] = []
    tops: list[Any] = []
    for user, points in (("ann", 3), ("bob", 5), ("cy", 4), ("ann", 2)):
        await score(api, user, f"a{len(tops)}", points)
        moments.append(await moment(redis))
        tops.append(names(await api.get(f"{BOARD}/top")))
    await persisted(api)
    for at, top in zip(moments, tops, strict=True):
        answer = await api.get(f"{BOARD}/top?at={at}")
        assert (names(answer), answer.json["at"]) == (top, at)
        again = await api.get(f"{BOARD}/top?at={at}", If_None_Match=answer.headers["ETag"])
        assert again.status == 304
    ann = await api.get(f"{BOARD}/users/ann?at={moments[2]}")
    assert (ann.json["rank"], ann.json["score"], ann.json["next"]["userId"]) == (3, 3, "cy")
    nobody = await api.get(f"{BOARD}/users/cy?at={moments[1]}")
    assert nobody.outcome == (404, "unknown_user")
    for before in ("2020-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z"):
        assert names(await api.get(f"{BOARD}/top?at={before}")) == []


async def test_a_period_is_read_by_the_occurrence_of_that_moment(api: Api, redis: Redis) -> None:
    await make(api, WEEK, YEARS)
    await score(api, "ann", "a1", 7)
    await persisted(api)
    first = await moment(redis)
    await moment(redis)  # the end is set a millisecond back, and has to be behind `first`
    await ended(redis, "week", final_in=0)
    await score(api, "bob", "a1", 5)
    await persisted(api)
    then = await api.get(f"{BOARD}/top?period=week&at={first}")
    assert (names(then), then.json["occurrence"]) == ([("ann", 7)], 1)
    before = await api.get(f"{BOARD}/top?period=week&occurrence=previous&at={first}")
    assert before.outcome == (404, "unknown_occurrence")
    named = await api.get(f"{BOARD}/top?period=week&occurrence=2&at={first}")
    assert (names(named), named.json["occurrence"]) == ([], 2)


NO_MOMENTS = ("", "yesterday", "2026-02-30T00:00:00Z", "0000-01-01T00:00:00Z")


async def test_a_moment_that_is_none_is_named(api: Api) -> None:
    await score(api, "ann", "a1", 7)
    for case in product(("top", "users/ann"), NO_MOMENTS):
        call, at = case
        answer = await api.get(f"{BOARD}/{call}?at={at}")
        assert answer.outcome == (400, "invalid_request"), case
        assert answer.json["path"] == "at", case


async def test_what_is_no_periods_name_had_no_occurrence_at_a_moment(api: Api) -> None:
    await score(api, "ann", "a1", 7)
    for case in product(("top", "users/ann"), ("%00", "%ed%a0%80", "a" * 5000, ":")):
        call, name = case
        answer = await api.get(f"{BOARD}/{call}?at=2026-01-01T00:00:00Z&period={name}")
        assert answer.outcome == (404, "unknown_period"), case


async def test_a_history_comes_in_pages_newest_first(api: Api) -> None:
    for number in range(5):
        await score(api, "ann", f"a{number}", 2)
    await persisted(api)
    found: list[Any] = []
    after = ""
    while True:
        page = (await api.get(f"{BOARD}/users/ann/history?limit=2{after}")).json
        found += page["actions"]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert [(one["actionId"], one["score"], one["status"]) for one in found] == [
        (f"a{number}", 2 * number + 2, "accepted") for number in reversed(range(5))
    ]
    middle = found[2]["at"]
    early = await api.get(f"{BOARD}/users/ann/history?to={middle}")
    late = await api.get(f"{BOARD}/users/ann/history?from={middle}")
    assert len(early.json["actions"]) + len(late.json["actions"]) == 5

    chart = await api.get(f"{BOARD}/users/ann/history?resolution=day")
    assert (chart.json["zone"], chart.json["resolution"]) == ("UTC", "day")
    assert chart.json["scores"][0]["score"] == 10
    assert chart.json["next"] is None
    assert (await api.get(f"{BOARD}/users/nobody/history")).json["actions"] == []


NO_QUESTIONS = (
    *(("limit=0", "limit"), ("limit=1001", "limit"), ("after=x", "after")),
    *(("resolution=week", "resolution"), ("resolution=day&after=1-2", "after")),
    *(("from=now", "from"), ("from=2026-01-02T00:00Z&to=2026-01-01T00:00Z", "from")),
    ("occurrence=1", "occurrence"),
    ("resolution=day&from=2026-01-01T00:00Z&after=1", "after"),
)


async def test_what_is_wrong_with_a_question_is_named(api: Api) -> None:
    await score(api, "ann", "a1", 7)
    for query, path in NO_QUESTIONS:
        answer = await api.get(f"{BOARD}/users/ann/history?{query}")
        assert answer.outcome == (400, "invalid_request"), query
        assert answer.json["path"] == path, query


async def test_a_history_of_the_earliest_and_latest_years_is_empty(api: Api) -> None:
    await score(api, "ann", "a1", 7)
    for query in (
        "to=0001-01-01T00:00:01Z",
        "from=9999-12-31T23:59:59Z",
        "resolution=day&to=0001-01-02T00:00:00Z&limit=1000",
        "resolution=hour&from=9999-12-31T23:59:59Z&limit=1",
    ):
        answer = await api.get(f"{BOARD}/users/ann/history?{query}")
        assert answer.status in (200, 400), (query, answer)


async def with_a_refused_action(settings: Settings) -> None:
    database = await asyncpg.connect(settings.database_url)
    await database.execute(
        "INSERT INTO score_action (board, user_id, action_id, points, event_ms, event_seq, status,"
        " attempt_id) VALUES ('arena', 'ann', 'a2', 900, 1800000000000, 0, 'refused', 't2')"
    )
    await database.close()


async def test_only_the_player_and_who_looks_after_all_see_refused_actions(
    start_api: StartApi, settings: Settings
) -> None:
    api = await start_api()
    token = api.service.token
    await score(api, "ann", "a1", 7)
    await persisted(api)
    await with_a_refused_action(settings)
    stranger, ann = api.bearing(None), api.bearing(token("score:submit", subject="ann"))
    bob, admin = api.bearing(token("score:submit", subject="bob")), api.bearing(token("admin"))
    for who, seen in ((stranger, 1), (bob, 1), (ann, 2), (admin, 2), (api, 2)):
        history = await who.get(f"{BOARD}/users/ann/history")
        assert len(history.json["actions"]) == seen
    for who, outcome in (
        *((stranger, (401, "unauthorized")), (bob, (403, "forbidden"))),
        *((ann, (200, None)), (admin, (200, None)), (api, (200, None))),
    ):
        assert (await who.get(f"{BOARD}/users/ann/explain")).outcome == outcome

    closed = await start_api(public_reads=False)
    reader = closed.bearing(token("board:read", subject="someone"))
    for who, outcome in (
        *((closed.bearing(None), (401, "unauthorized")), (reader, (200, None))),
        (closed.bearing(token("score:submit", subject="bob")), (403, "forbidden")),
        (closed.bearing(token("score:submit", subject="ann")), (200, None)),
    ):
        assert (await who.get(f"{BOARD}/users/ann/history")).outcome == outcome


async def test_an_explanation_tells_the_tie_rule(api: Api) -> None:
    for user, points in (("top", 9), ("ann", 4), ("bob", 4), ("low", 1)):
        await score(api, user, "a1", points)
    await persisted(api)
    bob = (await api.get(f"{BOARD}/users/bob/explain")).json
    assert (bob["score"], bob["rank"], bob["operator"]) == (4, 3, "sum")
    assert bob["ledger"] == {"actions": 1, "score": 4}
    assert (bob["above"]["userId"], bob["above"]["by"]) == ("ann", "time")
    assert bob["above"]["reachedAt"] < bob["reachedAt"]
    assert (bob["below"]["userId"], bob["below"]["by"]) == ("low", "score")
    assert [one["actionId"] for one in bob["actions"]] == ["a1"]
    assert "decisive" not in bob
    unknown = await api.get(f"{BOARD}/users/nobody/explain")
    assert unknown.outcome == (404, "unknown_user")


async def test_an_anonymous_player_is_anonymous_in_the_past_too(api: Api, redis: Redis) -> None:
    for user, points in (("ann", 9), ("bob", 5), ("cy", 1)):
        await score(api, user, "a1", points)
    await persisted(api)
    at = await moment(redis)
    hiding = {"visibility": "anonymous"}
    assert (await api.call("PUT", "/api/users/bob", json=hiding)).status == 200
    stranger = api.bearing(None)
    cy = api.bearing(api.service.token("score:submit", subject="cy"))

    async def shown() -> str:
        top = await stranger.get(f"{BOARD}/top?at={at}")
        return str(top.json["topScores"][1]["userId"])

    async def told() -> bool:
        return (await shown()).startswith("anonymous-")

    await wait_until(told, description="the new profile is known")
    pseudonym = await shown()
    assert (await stranger.get(f"{BOARD}/users/bob?at={at}")).outcome == (404, "unknown_user")
    why = await cy.get(f"{BOARD}/users/cy/explain")
    assert why.json["above"]["userId"] == pseudonym
    for query in ("", "?resolution=day"):
        told_of = await stranger.get(f"{BOARD}/users/bob/history{query}")
        unknown = await stranger.get(f"{BOARD}/users/nobody/history{query}")
        assert told_of.body == unknown.body.replace(b"nobody", b"bob")
    own = api.bearing(api.service.token("score:submit", subject="bob"))
    assert len((await own.get(f"{BOARD}/users/bob/history")).json["actions"]) == 1
    for answer in (why, await stranger.get(f"{BOARD}/users/cy?at={at}")):
        assert b"bob" not in answer.body
