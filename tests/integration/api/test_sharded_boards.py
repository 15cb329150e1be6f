"""A board over many partitions answers as one on a single partition does."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
import pytest
from redis.asyncio import Redis

from scoreboard.api.sharded_boards import ShardedBoards
from scoreboard.assembly.moderation import day_keeper
from scoreboard.assembly.operator import operator
from scoreboard.assembly.recovery import recovery
from scoreboard.domain.audit import Difference
from scoreboard.domain.days import day_start
from scoreboard.domain.moments import milliseconds_of_moment
from scoreboard.domain.shards import shard_names, shard_of
from scoreboard.domain.standings import Place
from scoreboard.domain.webhook_signatures import new_secret
from scoreboard.domain.webhooks import NewWebhook
from scoreboard.pg.archived_boards import ArchivedBoards
from scoreboard.pg.archived_shards import ArchivedShards
from scoreboard.pg.daily_ranks import DailyRanks
from scoreboard.pg.outside_events import OutsideEvents
from scoreboard.pg.pool import open_pool
from scoreboard.pg.webhooks import Webhooks
from scoreboard.redisio.topologies import topology_at
from scoreboard.settings import Settings
from scoreboard.webhooks.top_teller import TopTeller
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Answer, Api
from tests.integration.api.test_live_players import INTERVAL, Watching, watching
from tests.integration.api.test_live_updates import next_message, watched_until
from tests.integration.api.test_outages import persisted
from tests.support.extent import kept
from tests.support.waiting import wait_until

SHARDS = 8
WHOLE, SPREAD = "whole", "spread"
BOARDS = (WHOLE, SPREAD)


async def made(api: Api, **rules: Any) -> None:
    """Both boards, which differ in their shards alone."""
    for board, more in ((WHOLE, {}), (SPREAD, {"shards": SHARDS})):
        answer = await put(api, board, **rules, **more)
        assert answer.status == 200, answer


async def put(api: Api, board: str, **rules: Any) -> Answer:
    return await admin(api).call("PUT", f"/api/admin/boards/{board}", json=rules)


def admin(api: Api) -> Api:
    return api.bearing(api.service.token("admin", subject="eve"))


async def post(api: Api, actions: Iterable[tuple[str, int]], turn: str = "a") -> None:
    """Posts actions of users to both boards."""
    numbered = [
        {"userId": user, "actionId": f"{turn}{number}", "points": points}
        for number, (user, points) in enumerate(actions)
    ]
    for start in range(0, len(numbered), 500):
        batch = {"actions": numbered[start : start + 500]}
        for board in BOARDS:
            answer = await api.post(f"/api/boards/{board}/scores", batch)
            assert {one["status"] for one in answer.json["results"]} == {200}, answer


def random_actions(seed: int, users: int, number: int) -> list[tuple[str, int]]:
    """With a first action of each user so that no two totals are equal."""
    dice = random.Random(seed)
    first = [(f"user-{n}", n) for n in range(users)]
    dice.shuffle(first)
    others = [
        (f"user-{dice.randrange(users)}", users * dice.randrange(-9, 10)) for _ in range(number)
    ]
    return first + others


async def same(api: Api, call: str, of: str = "", **named: Any) -> Any:
    """The answer of both boards, which is the same; ``of`` which table, as in ``period=week``."""
    call = with_query(call, of)
    whole, spread = [
        (
            await api.post(f"/api/boards/{board}/{call}", **named)
            if named
            else await api.get(f"/api/boards/{board}/{call}")
        )
        for board in BOARDS
    ]
    assert (whole.status, whole.json) == (spread.status, spread.json), call
    return whole.json


def with_query(call: str, query: str) -> str:
    """The call with this in its query."""
    return f"{call}{'&' if '?' in call else '?'}{query}" if query else call


async def all_standings(api: Api, board: str, limit: int = 97, of: str = "") -> list[Any]:
    """A table page by page."""
    found: list[Any] = []
    after = ""
    while True:
        call = with_query(f"standings?limit={limit}{after}", of)
        answer = await api.get(f"/api/boards/{board}/{call}")
        assert answer.status == 200, answer
        found += answer.json["standings"]
        if answer.json["next"] is None:
            return found
        after = f"&after={answer.json['next']}"


async def compare(api: Api, users: int, of: str = "") -> None:
    """Holds every read of one board against the other's; those of a table that ``of`` names about
    fewer users, as such a test makes several."""
    some = 2 if of else 9
    await same(api, "top", of)
    whole = await all_standings(api, WHOLE, of=of)
    assert whole == await all_standings(api, SPREAD, of=of)
    assert [one["rank"] for one in whole] == [*range(1, users + 1)]
    for rank in (1, 2, users // 3, users - 1, users, users + 5):
        call = with_query(f"standings?rank={rank}&limit=3", of)
        page = await api.get(f"/api/boards/{SPREAD}/{call}")
        assert page.json["standings"] == whole[rank - 1 : rank + 2], rank
    for one in whole[:: max(1, users // some)]:
        user, score = one["userId"], one["score"]
        await same(api, f"users/{user}", of)
        await same(api, f"users/{user}/around?radius=4", of)
        await same(api, f"rank?score={score}", of)
        for query in (f"minScore={score}&limit=2", f"minScore={score - 1}&limit=2"):
            call = with_query(f"standings?{query}", of)
            pages = [
                (await api.get(f"/api/boards/{board}/{call}")).json["standings"] for board in BOARDS
            ]
            assert pages[0] == pages[1]
    listed = [one["userId"] for one in whole[::7]] + ["nobody"]
    for sort in ("", "?sort=rank"):
        await same(api, f"users:lookup{sort}", of, body={"userIds": listed})


@pytest.mark.parametrize("order", kept(["desc", "asc"], "asc"))
async def test_every_read_is_that_of_an_unsharded_board(api: Api, order: str) -> None:
    await made(api, order=order)
    await post(api, random_actions(2026, 600, 1500))
    await compare(api, 600)
    assert (await api.get(f"/api/boards/{SPREAD}")).json["users"] == 600


@pytest.mark.parametrize("order", kept(["desc", "asc"], "desc"))
async def test_equal_totals_share_ranks_over_all_shards(api: Api, order: str) -> None:
    await made(api, rankStyle="standard", order=order)
    dice = random.Random(12)
    await post(api, [(f"user-{n}", dice.randrange(40)) for n in range(300)])
    listed = {"userIds": [f"user-{n}" for n in range(0, 300, 3)]}
    places = [{one["userId"]: one for one in await all_standings(api, board)} for board in BOARDS]
    assert places[0] == places[1]
    lookups = [await api.post(f"/api/boards/{board}/users:lookup", listed) for board in BOARDS]
    assert lookups[0].json == lookups[1].json
    for user in listed["userIds"][::10]:
        shown = (await api.get(f"/api/boards/{SPREAD}/users/{user}")).json
        around = (await api.get(f"/api/boards/{SPREAD}/users/{user}/around?radius=20")).json
        assert shown["rank"] == places[0][user]["rank"]
        assert all(one == places[0][one["userId"]] for one in around["users"])
        await same(api, f"rank?score={shown['score']}")


async def test_a_rank_is_found_where_all_have_one_total(api: Api) -> None:
    await made(api)
    await post(api, [(f"user-{n}", 7) for n in range(1_700)])
    whole = await all_standings(api, SPREAD, limit=1000)
    for rank in (2, 600, 1_100, 1_699):
        page = (await api.get(f"/api/boards/{SPREAD}/standings?rank={rank}&limit=2")).json
        assert page["standings"] == whole[rank - 1 : rank + 1]


async def test_boards_come_back_from_postgres_with_equal_versions_or_higher(
    api: Api, redis: Redis, pool: asyncpg.Pool, settings: Settings
) -> None:
    await made(api)
    await post(api, random_actions(7, 200, 400))
    await persisted(api)
    archived = ShardedBoards(ArchivedBoards(pool), ArchivedShards(pool))
    whole = await all_standings(api, WHOLE)
    before = (await api.get(f"/api/boards/{SPREAD}")).json["version"]
    page = await archived.page(SPREAD, Place("rank", 1), 1000)
    assert msgspec.to_builtins(page.standings) == whole
    for rank in (1, 2, 77, 200):
        user = whole[rank - 1]["userId"]
        assert (await archived.page(SPREAD, Place("rank", rank), 1)).standings[0].user_id == user
        answer = (await api.get(f"/api/boards/{WHOLE}/users/{user}")).json
        assert msgspec.to_builtins(await archived.user(SPREAD, user)) == answer
        around = await archived.around(SPREAD, user, 3)
        wanted = (await api.get(f"/api/boards/{WHOLE}/users/{user}/around?radius=3")).json
        assert msgspec.to_builtins(around) == wanted["users"]
    _, top = await archived.top(SPREAD)
    assert msgspec.json.decode(top) == (await api.get(f"/api/boards/{WHOLE}/top")).json["topScores"]

    await redis.flushall()
    await live(api, SPREAD)
    await live(api, WHOLE)
    await compare(api, 200)
    assert (await api.get(f"/api/boards/{SPREAD}")).json["version"] >= before
    await no_differences(settings, pool, redis)


async def live(api: Api, board: str) -> None:
    """Returns once the board answers from Redis: its top has an ETag then that is a version."""

    async def answers() -> bool:
        tag = (await api.get(f"/api/boards/{board}/top")).headers.get("ETag")
        return tag is not None

    await wait_until(answers, description="the board is live")


async def no_differences(settings: Settings, pool: asyncpg.Pool, redis: Redis) -> None:
    """Verifies both boards, shard by shard."""
    async with operator(settings) as tools:
        names = await tools.boards(SPREAD)
        assert sorted(names) == sorted(shard_names(SPREAD, SHARDS))
        found: list[Difference] = []
        users = 0
        for name in names:
            report = await tools.verifier.verify(name, found.append, lambda _: None)
            assert report.live
            users += report.users
    assert (found, users) == ([], 200)


async def test_clients_see_versions_grow_and_the_top_of_all_shards(api: Api) -> None:
    await made(api, topSize=3)
    await post(api, random_actions(3, 40, 10))
    async with (
        api.http.ws_connect(f"{api.service.url}/ws/boards/{SPREAD}") as ws,
        api.http.ws_connect(f"{api.service.url}/ws/leaderboard?board={SPREAD}") as other,
    ):
        messages = [await next_message(ws)]
        assert messages[0]["type"] == "snapshot"
        for turn in range(12):
            await post(api, [(f"user-{turn}", 40 * (20 + turn))], turn=f"{turn}-")
        last = await api.top(WHOLE)
        messages += await watched_until(ws, last)
        await watched_until(other, last)
    versions = [one["version"] for one in messages]
    assert versions == sorted(set(versions))
    for message in messages:
        assert set(message) == {"type", "board", "version", "topScores", "at"}
        assert message["board"] == SPREAD
        shown = [one["score"] for one in message["topScores"]]
        assert len(shown) == 3
        assert shown == sorted(shown, reverse=True)
    answer = await api.get(f"/api/boards/{SPREAD}/top")
    assert answer.headers["ETag"] == f'"{versions[-1]}"'


@pytest.mark.parametrize("style", ["ordinal", "standard"])
async def test_a_player_is_told_its_place_among_the_users_of_all_shards(
    start_api: StartApi, style: str
) -> None:
    api = await start_api(standing_interval=INTERVAL)
    await made(api, rankStyle=style)
    users = [f"user-{n}" for n in range(20)]
    await post(api, [(user, 10 * n) for n, user in enumerate(users)])
    async with watching(api, "user-9", "user-13", board=SPREAD) as seen:
        dice = random.Random(5)
        for turn in range(30):
            await post(api, [(dice.choice(users), 10)], turn=f"{turn}-")
        await post(api, [("user-9", 1_000)], turn="nine-")
        await seen.rank(1, "user-9")
        await post(api, [("user-13", 2_000)], turn="thirteen-")
        while {("user-9", 2), ("user-13", 1)} - latest(seen):
            await seen.next()
        while ("user-9", "user-13") not in passings(seen):
            await seen.next()
    told = {one["userId"]: one for one in seen.seen if one["type"] == "standing"}
    for user in ("user-9", "user-13"):
        read = (await api.get(f"/api/boards/{WHOLE}/users/{user}")).json
        assert (told[user]["rank"], told[user]["score"]) == (read["rank"], read["score"])
        assert told[user]["percentile"] == read["percentile"]


def latest(seen: Watching) -> set[tuple[str, int | None]]:
    """The watched players with the ranks that were told last."""
    told = {one["userId"]: one["rank"] for one in seen.seen if one["type"] == "standing"}
    return set(told.items())


def passings(seen: Watching) -> set[tuple[str, str]]:
    return {(one["userId"], one["by"]["userId"]) for one in seen.seen if one["type"] == "overtaken"}


async def test_an_action_counts_once_whatever_the_process_believed_of_shards(
    start_api: StartApi,
) -> None:
    api, other = await start_api(), await start_api()
    await made(api)
    action = {"userId": "ann", "actionId": "a1", "points": 5}
    path = f"/api/boards/{SPREAD}/score"
    assert (await api.post(path, action)).json["score"] == 5
    assert (await other.post(path, action)).outcome == (409, "duplicate_action")
    assert (await other.post(path, {**action, "points": 6})).outcome == (409, "action_conflict")
    await remove(api)
    for shards in (3, 1):
        assert (await put(api, SPREAD, shards=shards)).status == 200
        users = [{"userId": f"u{n}", "actionId": "a1", "points": n} for n in range(50)]
        for service in (api, other):
            answer = await service.post(f"/api/boards/{SPREAD}/scores", {"actions": users})
            wanted = 200 if service is api else 409
            assert {one["status"] for one in answer.json["results"]} == {wanted}, answer

        async def read() -> bool:  # the number of shards may be remembered for two seconds
            return len(await all_standings(api, SPREAD)) == 50

        await wait_until(read, description="all users are read")
        await remove(api)
    assert (await api.get(f"/api/boards/{SPREAD}/top")).outcome == (404, "unknown_board")


async def remove(api: Api) -> None:
    removed = await admin(api).call("DELETE", f"/api/admin/boards/{SPREAD}?confirm={SPREAD}")
    assert removed.status == 200


async def test_shards_are_decided_when_the_board_is_made(api: Api) -> None:
    await api.score("ann", 1, board="plain")
    assert (await put(api, "new", shards=SHARDS)).json["shards"] == SHARDS
    change = admin(api)
    for board, shards in (("plain", 2), ("new", 4), ("new", 1)):
        answer = await change.call("PATCH", f"/api/admin/boards/{board}", json={"shards": shards})
        assert answer.outcome == (409, "board_has_scores")
        assert answer.json["path"] == "shards"
    answer = await change.call("PATCH", "/api/admin/boards/new", json={"order": "asc"})
    assert answer.outcome == (409, "board_has_scores")
    for rules, path in (
        ({"shards": 9}, "shards"),
        ({"shards": 65}, "shards"),
        ({"shards": 0}, "shards"),
        ({"shards": 2, "mode": "flag"}, "mode"),
    ):
        answer = await put(api, "other", **rules)
        assert (answer.outcome, answer.json["path"]) == ((400, "invalid_request"), path), rules


async def test_rules_hold_on_every_shard(api: Api) -> None:
    await made(api, join="required", attempts=2)
    path = f"/api/boards/{SPREAD}"
    for n in range(20):
        user = f"u{n}"
        action = {"userId": user, "actionId": "a1", "points": 5}
        assert (await api.post(f"{path}/score", action)).outcome == (403, "not_joined")
        assert (await api.post(f"{path}/join", {"userId": user})).status == 200
        assert (await api.post(f"{path}/score", action)).status == 200
        assert (await api.post(f"{path}/score", {**action, "actionId": "a2"})).status == 200
        answer = await api.post(f"{path}/score", {**action, "actionId": "a3"})
        assert answer.outcome == (409, "attempts_exhausted")
    changed = await admin(api).call("PATCH", f"/api/admin/boards/{SPREAD}", json={"maxPoints": 9})
    assert changed.status == 200
    for n in range(20):
        action = {"userId": f"new{n}", "actionId": "b", "points": 10}
        await api.post(f"{path}/join", {"userId": f"new{n}"})
        answer = await api.post(f"{path}/score", action)
        assert answer.outcome == (422, "points_out_of_bounds")


async def test_the_rank_among_the_users_of_a_shard_is_told_to_nobody(start_api: StartApi) -> None:
    api = await start_api()
    await made(api)
    ours = next(user for n in range(200) if shard_of(SPREAD, user := f"user-{n}", SHARDS) == SPREAD)
    for service in (api, await start_api()):  # neither knows of the shards yet
        for turn in ("a", "b"):
            answer = await service.score(ours, 5, f"{turn}{id(service)}", board=SPREAD)
            assert (answer.status, answer.json["rank"]) == (200, None)


async def test_shards_have_no_names_to_anybody(api: Api) -> None:
    await made(api)
    await post(api, [(f"user-{n}", n) for n in range(30)])
    listed = (await api.get("/api/boards")).json["boards"]
    assert {one["board"] for one in listed} == {"global", *BOARDS}
    assert "shards" not in (await api.get(f"/api/boards/{SPREAD}")).json["rules"]
    for path in ("top", "users/user-3", "users/user-3/history", "standings"):
        answer = await api.get(f"/api/boards/{SPREAD}.3/{path}")
        assert answer.outcome == (404, "unknown_board"), path
    assert (await api.score("user-3", 1, board=f"{SPREAD}.3")).status == 404


async def test_people_decide_about_users_of_any_shard(api: Api) -> None:
    await made(api)
    await post(api, [(f"user-{n}", n) for n in range(30)])
    change = admin(api)
    for board in BOARDS:
        hidden = await change.call("POST", f"/api/admin/boards/{board}/users/user-29/hide")
        assert hidden.status == 200, hidden
        for n in range(5):
            action = {"userId": f"user-{n}", "actionId": f"a{n}", "points": 99}
            assert (await api.post(f"/api/boards/{board}/score", action)).status == 409
    await compare(api, 29)
    await persisted(api)
    queue = (await change.get(f"/api/admin/reviews?board={SPREAD}")).json["reviews"]
    assert {one["userId"] for one in queue} == {f"user-{n}" for n in range(5)}
    assert {one["board"] for one in queue} == {SPREAD}
    some = api.bearing(api.service.token("admin", subject="eve", boards=[SPREAD]))
    assert (await some.get("/api/admin/reviews")).json["reviews"] == queue
    details = (await some.get(f"/api/admin/reviews/{queue[0]['id']}")).json
    assert details["review"] == queue[0]
    for board in BOARDS:
        mistake = {"actionId": "a20", "reason": "a script"}
        reverted = await change.post(f"/api/admin/boards/{board}/users/user-20/revert", mistake)
        assert reverted.outcome == (200, None), reverted
    decided = await some.post(
        f"/api/admin/reviews/{queue[0]['id']}/confirm", {"revertEarlier": True, "hideUser": True}
    )
    assert decided.status == 200, decided
    assert decided.json["review"]["board"] == SPREAD
    gone = queue[0]["userId"]
    assert (await api.get(f"/api/boards/{SPREAD}/users/{gone}")).outcome == (404, "unknown_user")


async def test_the_past_is_that_of_all_shards(api: Api) -> None:
    await made(api)
    await post(api, random_actions(31, 50, 100))
    await persisted(api)
    for board in BOARDS:
        now = f"at={datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        top = (await api.get(f"/api/boards/{board}/top?{now}")).json["topScores"]
        assert top == (await api.get(f"/api/boards/{board}/top")).json["topScores"]
        for user in ("user-3", "user-17"):
            then = (await api.get(f"/api/boards/{board}/users/{user}?{now}")).json
            del then["at"]
            assert then == (await api.get(f"/api/boards/{board}/users/{user}")).json
    for user in ("user-3", "user-17", "user-49"):
        histories = [
            [
                (one["actionId"], one["score"])
                for one in (await api.get(f"/api/boards/{board}/users/{user}/history")).json[
                    "actions"
                ]
            ]
            for board in BOARDS
        ]
        assert histories[0] == histories[1]
        reasons = []
        for board in BOARDS:
            why = (await api.get(f"/api/boards/{board}/users/{user}/explain")).json
            for one in (why, why["above"], why["below"]):
                if one:
                    del one["reachedAt"]
            del why["actions"], why["next"]
            reasons.append(why)
        assert reasons[0] == reasons[1]


@pytest.mark.parametrize("style", ["ordinal", "standard"])
async def test_what_a_day_changed_is_told_of_the_users_of_all_shards(
    api: Api, database: asyncpg.Connection, style: str
) -> None:
    years = {"name": "years", "every": "P3000D", "start": "2020-01-01T00:00:00Z"}
    await made(api, rankStyle=style, periods=[years])
    dice, apart = random.Random(6), int(style == "ordinal")  # no two totals are equal then
    await post(api, [(f"user-{n}", 100 * dice.randrange(20) + apart * n) for n in range(60)])
    await days_kept(api, database, most=100)
    more = [(n, 100 * dice.randrange(20)) for n in range(0, 80, 3)]
    await post(api, [(f"user-{n}", at + apart * n * (n >= 60)) for n, at in more], turn="b")
    told = set()
    for user in [f"user-{n}" for n in range(0, 80, 2)]:
        for of in ("", "period=years"):
            query = with_query("?delta=true", of)
            deltas = [
                (await api.get(f"/api/boards/{board}/users/{user}{query}")).json.get("delta")
                for board in BOARDS
            ]
            for delta in filter(None, deltas):  # None: nobody has posted for the user
                told.add(delta["day"]["was"])
                del delta["day"]["since"]  # when the board was posted to last
            assert deltas[0] == deltas[1], (user, of)
    assert told == {"ranked", "absent"}
    listed = {"userIds": [f"user-{n}" for n in range(0, 80, 7)]}
    for of in ("", "period=years"):
        lookups = [
            await api.post(f"/api/boards/{board}/{with_query('users:lookup?day=true', of)}", listed)
            for board in BOARDS
        ]
        assert lookups[0].json["day"]["ranks"] == lookups[1].json["day"]["ranks"]
        assert len(lookups[0].json["day"]["ranks"]) > 3


async def test_who_stood_below_those_whose_ranks_are_kept_is_told_the_change_of_the_score(
    api: Api, database: asyncpg.Connection, pool: asyncpg.Pool
) -> None:
    await made(api)
    await post(api, [(f"user-{n}", n) for n in range(60)])
    await days_kept(api, database, most=40)
    today = day_start("UTC", milliseconds_of_moment(datetime.now(UTC)))
    for n in (59, 20, 19, 3, 77):
        user = f"user-{n}"
        (whole,) = await DailyRanks(pool, most=40).then(WHOLE, user, [today])
        (spread,) = await DailyRanks(pool, most=40).then(
            SPREAD, user, [today], part=shard_of(SPREAD, user, SHARDS)
        )
        assert whole is not None
        assert spread is not None
        assert whole[1:] == spread[1:]
        assert spread.was == ("absent" if n == 77 else "ranked" if n >= 20 else "unranked")


async def days_kept(api: Api, database: asyncpg.Connection, *, most: int) -> None:
    """Keeps what is there now as that of the day's start, on boards that are older than that; of
    each shard by itself, as earlier versions did, as well."""
    await persisted(api)
    await database.execute("UPDATE board SET created = now() - interval '3 days'")
    await database.execute(
        "UPDATE period_occurrence SET starts_at = starts_at - 86400000 * 3000::bigint"
        " WHERE starts_at > extract(epoch FROM now() - interval '3 days') * 1000"
    )
    today = day_start("UTC", milliseconds_of_moment(datetime.now(UTC)))
    await database.execute(
        "INSERT INTO daily_table (table_name, starts_at, until, moment, users)"
        " SELECT board, $1, $1, $1, 0 FROM board WHERE board LIKE $2",
        *(today, f"{SPREAD}%"),
    )
    pool = await open_pool(api.service.settings.database_url, connections=1, timeout=30)
    days = DailyRanks(pool, most=most)
    for board in BOARDS:
        assert await days.keep(board, today)
        assert not await days.keep(board, today), "it is kept once"
    await pool.close()


async def test_a_day_waits_for_what_any_shard_has_on_its_way(
    api: Api, settings: Settings, redis: Redis, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    await made(api)
    await post(api, [(f"user-{n}", n) for n in range(30)])
    await persisted(api)
    durable = recovery(settings, topology_at(settings.redis_url), redis, redis, pool)
    tomorrow = day_start("UTC", milliseconds_of_moment(datetime.now(UTC)) + 86_400_000)

    async def kept() -> set[str]:
        await day_keeper(pool, durable).keep_all(tomorrow)
        rows = await database.fetch("SELECT table_name FROM daily_table WHERE users > 0")
        return {row["table_name"] for row in rows}

    elsewhere = next(
        user for n in range(30) if "." in shard_of(SPREAD, user := f"user-{n}", SHARDS)
    )
    await api.score(elsewhere, 1, "late", board=SPREAD)
    assert await kept() == {WHOLE}
    await persisted(api)
    assert await kept() == {WHOLE, f"{SPREAD}:*"}


async def test_exports_have_the_rows_of_all_shards(api: Api) -> None:
    await made(api)
    await post(api, random_actions(8, 60, 50))
    await persisted(api)
    for what, columns in (("standings", 3), ("actions", 4)):
        rows = []
        for board in BOARDS:
            path = f"/api/admin/boards/{board}/export?what={what}&format=csv"
            answer = await admin(api).get(path)
            assert answer.status == 200
            lines = [line.split(",") for line in answer.body.decode().splitlines()[1:]]
            first = 0 if what == "standings" else 1  # the moment of an action differs
            rows.append([line[first:columns] for line in lines])
        assert (rows[0] == rows[1]) if what == "standings" else sorted(rows[0]) == sorted(rows[1])


@pytest.mark.parametrize("mode", kept(["erase", "anonymise"], "erase"))
async def test_a_player_is_erased_from_the_shard_that_has_it(
    api: Api, database: asyncpg.Connection, mode: str
) -> None:
    await made(api)
    await post(api, random_actions(9, 40, 0))
    await days_kept(api, database, most=100)
    data = (await admin(api).get("/api/users/user-7/export")).json
    days = [{**one["days"][0], "table": ""} for one in data["boards"]]
    assert days[0] == days[1]
    assert {one["days"][0]["table"] for one in data["boards"]} == set(BOARDS)
    assert [one["board"] for one in data["boards"]] == sorted(BOARDS)
    assert {one["totals"][0]["table"] for one in data["boards"]} == set(BOARDS)
    assert len(data["boards"][0]["actions"]) == 1
    found = (await admin(api).get("/api/admin/players/user-7")).json["boards"]
    assert {one["board"] for one in found} == set(BOARDS)
    async with api.service.persisting():
        receipt = (await admin(api).call("DELETE", f"/api/users/user-7?mode={mode}")).json

        async def done() -> bool:
            found = await admin(api).get(f"/api/erasures/{receipt['erasure']}")
            return bool(found.json["state"] == "done")

        await wait_until(done, description="the player is erased")
    standings = await all_standings(api, SPREAD)
    assert len(standings) == (39 if mode == "erase" else 40)
    assert "user-7" not in {one["userId"] for one in standings}
    named = "SELECT count(*) FROM daily_ranks WHERE 'user-7' = ANY (users)"
    assert await database.fetchval(named) == 0
    if mode == "anonymise":
        await found_by_a_pseudonym(api)


async def found_by_a_pseudonym(api: Api) -> None:
    """Who was made anonymous is found by all calls about one user, though the new id would belong
    to another shard."""
    known = []
    for board in BOARDS:
        (one,) = [
            entry
            for entry in await all_standings(api, board)
            if entry["userId"].startswith("anon-")
        ]
        path = f"/api/boards/{board}/users/{one['userId']}"
        answers = [await api.get(f"{path}{call}") for call in ("", "/history", "/explain")]
        assert {answer.status for answer in answers} == {200}
        shown, history, why = [answer.json for answer in answers]
        below = (await api.get(f"/api/boards/{board}/users/user-8/explain")).json["below"]
        assert below["userId"] == one["userId"]
        known.append(
            (
                *(one["rank"], one["score"], shown["rank"], shown["next"]),
                [(action["points"], action["score"]) for action in history["actions"]],
                [(action["points"], action["score"]) for action in why["actions"]],
                *(why["rank"], why["ledger"], why["above"]["userId"], why["below"]["userId"]),
                *(below["rank"], below["by"]),
            )
        )
        hidden = await admin(api).call("POST", f"/api/admin{path.removeprefix('/api')}/hide")
        assert hidden.status == 200, hidden
        assert (await api.get(path)).outcome == (404, "unknown_user")
    assert known[0] == known[1]


async def test_imported_rows_are_spread_over_the_shards(api: Api) -> None:
    await made(api)
    rows = [{"userId": f"user-{n}", "score": str(37 * n % 101)} for n in range(100)]
    wrong = {"userId": "", "score": "1"}
    for imported, before in ((100, 0), (0, 100)):
        for board in BOARDS:
            answer = await admin(api).post(
                f"/api/admin/boards/{board}/import",
                {"source": "season.csv", "rows": [*rows, wrong], "first": 1},
            )
            assert answer.status == 200, answer
            assert (answer.json["imported"], answer.json["before"]) == (imported, before)
            assert [one["row"] for one in answer.json["leftOut"]] == [101]
            if not imported:
                await persisted(api)
    await compare(api, 100)
    database = await asyncpg.connect(api.service.settings.database_url)
    spread = await database.fetch(
        "SELECT board, count(*) FROM user_score WHERE board <> $1 GROUP BY board", WHOLE
    )
    await database.close()
    assert {row["board"] for row in spread} == set(shard_names(SPREAD, SHARDS))


async def test_webhooks_are_told_of_the_top_of_all_shards(
    api: Api, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    await made(api)
    tops = ShardedBoards(ArchivedBoards(pool), ArchivedShards(pool))
    teller = TopTeller(OutsideEvents(pool), tops)
    await Webhooks(pool).add(
        NewWebhook(
            url="https://example.com", events=["top.changed"], boards=list(BOARDS), interval=1
        ),
        new_secret(),
        by="eve",
    )
    await teller.look()  # of what was never looked at it is only noted that it is there

    async def told() -> dict[str, Any]:
        """The tops that wait to be told, once those were looked at that have changed: the others
        are looked at once a minute."""
        await persisted(api)
        await database.execute("UPDATE webhook_top SET looked = now() - interval '59 s'")
        await teller.look()
        rows = await database.fetch("SELECT body FROM outside_event WHERE kind = 'top.changed'")
        bodies = [msgspec.json.decode(row["body"]) for row in rows]
        return {body["board"]: body["topScores"] for body in bodies}

    await post(api, random_actions(5, 30, 40))
    assert await told() == {
        board: (await api.get(f"/api/boards/{board}/top")).json["topScores"] for board in BOARDS
    }
    elsewhere = next(
        user for n in range(30) if "." in shard_of(SPREAD, user := f"user-{n}", SHARDS)
    )
    await post(api, [(elsewhere, 99_999)], "b")
    after = await told()
    assert after[WHOLE] == after[SPREAD]
    assert after[SPREAD][0]["userId"] == elsewhere


async def test_a_cleared_board_keeps_its_shards(api: Api) -> None:
    await made(api)
    await post(api, random_actions(4, 40, 0))
    before = (await api.get(f"/api/boards/{SPREAD}")).json["version"]
    cleared = await admin(api).call("POST", f"/api/admin/boards/{SPREAD}/clear?confirm={SPREAD}")
    assert cleared.status == 200
    described = (await api.get(f"/api/boards/{SPREAD}")).json
    assert (described["users"], described["version"] > before) == (0, True)
    assert (await admin(api).get(f"/api/admin/boards/{SPREAD}")).json["shards"] == SHARDS
    await api.score("ann", 1, board=SPREAD)
    assert await api.top(SPREAD) == {"ann": 1}
