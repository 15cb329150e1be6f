"""The periods of a board over many partitions are those of one on a single partition."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from scoreboard.assembly.moderation import closer
from scoreboard.assembly.operator import operator
from scoreboard.assembly.recovery import recovery
from scoreboard.domain.audit import Difference
from scoreboard.domain.shards import shard_names, shard_of
from scoreboard.domain.tables import occurrence_table
from scoreboard.redisio.topologies import topology_at
from scoreboard.settings import Settings
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.known_periods import KnownPeriod
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api
from tests.integration.api.test_live_players import INTERVAL, watching
from tests.integration.api.test_live_updates import next_message
from tests.integration.api.test_outages import persisted
from tests.integration.api.test_sharded_boards import (
    BOARDS,
    SHARDS,
    SPREAD,
    WHOLE,
    admin,
    all_standings,
    compare,
    live,
    made,
    post,
    random_actions,
    same,
)
from tests.support.extent import kept
from tests.support.outsiders import listen
from tests.support.waiting import wait_until

YEARS = {"name": "years", "every": "P3000D", "start": "2020-01-01T00:00:00Z"}
EVERY_SHARD = [WHOLE, *shard_names(SPREAD, SHARDS)]


class Season:
    """Both boards, and who ends their occurrences."""

    def __init__(self, api: Api, settings: Settings, redis: Redis, pool: asyncpg.Pool) -> None:
        self.api, self.redis, self.pool = api, redis, pool
        self.settings = settings
        self.durable = recovery(settings, topology_at(settings.redis_url), redis, redis, pool)
        self.closer = closer(pool, self.durable)

    def keys(self, shard: str) -> Any:
        return Keyspace(self.settings.partitions).board(shard)

    async def known(self, shard: str) -> KnownPeriod | None:
        return KnownPeriod.from_text(
            await self.redis.hget(self.keys(shard).meta, "period:years") or b""
        )

    async def now(self) -> int:
        seconds, micros = await self.redis.time()
        return int(seconds * 1000 + micros // 1000)

    async def over(self, *, final_in: int = 0) -> None:
        """Lets the latest occurrence have ended in every shard. Latecomers have ``final_in``
        ms."""
        await persisted(self.api)
        end = await self.now() - 1
        for shard in EVERY_SHARD:
            if (known := await self.known(shard)) is not None:
                one = known.latest
                text = f"{one.number} {one.starts_at} {end} {end + final_in}"
                await self.redis.hset(self.keys(shard).meta, "period:years", text)
                await self.pool.execute(
                    "UPDATE period_occurrence SET ends_at = $1, final_at = $2"
                    " WHERE table_name = $3",
                    *(end, end + final_in, occurrence_table(shard, "years", one.number)),
                )
        for board in BOARDS:  # which is read anew, since what the service knew was to last
            assert (await self.api.get(f"/api/boards/{board}")).status == 200

    async def final(self, number: int) -> None:
        """Returns once the occurrence is final on both boards."""

        async def both() -> bool:
            await persisted(self.api)
            now = await self.now()
            await self.closer.turn_all(now)
            await self.closer.finish_all(now)
            states = await self.pool.fetch(
                "SELECT state FROM period_occurrence WHERE table_name = ANY ($1)",
                [occurrence_table(board, "years", number) for board in BOARDS],
            )
            return [one["state"] for one in states] == ["final", "final"]

        await wait_until(both, description=f"occurrence {number} is final")

    async def events(self) -> dict[str, list[Any]]:
        """What outsiders are told of each board's occurrences that have ended."""
        rows = await self.pool.fetch("SELECT body FROM outside_event ORDER BY id")
        bodies = [json.loads(row["body"]) for row in rows]
        return {board: [one for one in bodies if one["board"] == board] for board in BOARDS}


def of(number: int | str) -> str:
    return f"period=years&occurrence={number}"


@pytest.fixture
async def season(api: Api, settings: Settings, redis: Redis, pool: asyncpg.Pool) -> Season:
    return Season(api, settings, redis, pool)


@pytest.mark.parametrize("order", kept(["desc", "asc"], "asc"))
async def test_occurrences_are_those_of_an_unsharded_board_open_and_final(
    season: Season, database: asyncpg.Connection, order: str
) -> None:
    api = season.api
    await listen(database, "occurrence.closed")
    await made(api, order=order, periods=[YEARS])
    await post(api, random_actions(1, 110, 150))
    await compare(api, 110)
    await compare(api, 110, "period=years")
    await season.over()
    await post(api, random_actions(2, 60, 80), turn="b")
    await compare(api, 60, "period=years")
    await compare(api, 110, of("previous"))
    await season.final(1)
    await compare(api, 110, of(1))
    more = [(f"user-{n}", 60 * 17) for n in range(30)]  # after which no two are equal still
    await post(api, more, turn="c")  # in a batch in which nothing is opened
    await compare(api, 60, of(2))
    for call in ("periods/years/occurrences", "periods/years/occurrences?limit=1"):
        assert (await same(api, call))["occurrences"][0]["users"] == 60
    told = await season.events()
    for one in (*told[WHOLE], *told[SPREAD]):
        assert (one["occurrence"], one["users"]) == (1, 110)
        del one["board"], one["standings"]
    assert len(told[WHOLE]) == 1
    assert told[WHOLE] == told[SPREAD]
    for board in BOARDS:
        hidden = await admin(api).call("POST", f"/api/admin/boards/{board}/users/user-7/hide")
        assert hidden.status == 200
    await compare(api, 109, of(1))
    assert (await same(api, "periods/years/occurrences"))["occurrences"][1]["amended"]
    await persisted(api)
    await verified(season.settings)
    await season.redis.flushall()
    for board in BOARDS:
        await live(api, board)
    await compare(api, 59, "period=years")
    await verified(season.settings)


async def verified(settings: Settings) -> None:
    found: list[Difference] = []
    async with operator(settings) as tools:
        for name in await tools.boards(SPREAD):
            report = await tools.verifier.verify(name, found.append, lambda _: None)
            assert report.live
    assert found == []


async def test_an_action_is_told_its_occurrence_and_no_rank(season: Season) -> None:
    await made(season.api, periods=[YEARS])
    answer = await season.api.score("ann", 5, board=SPREAD)
    told = {"occurrence": 1, "score": 5, "rank": None, "changed": True}
    assert answer.json["periods"] == {"years": told}
    batch = [{"userId": f"user-{n}", "actionId": "a1", "points": n} for n in range(20)]
    answer = await season.api.post(f"/api/boards/{SPREAD}/scores", {"actions": batch})
    assert {one["periods"]["years"]["rank"] for one in answer.json["results"]} == {None}


async def test_without_a_table_of_all_time_only_occurrences_are_shown(season: Season) -> None:
    await made(season.api, periods=[YEARS], allTime=False)
    await post(season.api, random_actions(3, 40, 40))
    await compare(season.api, 40, "period=years")
    for call in ("top", "standings"):
        assert (await same(season.api, call))["code"] == "period_required"
    exports = []
    for board in BOARDS:
        path = f"/api/admin/boards/{board}/export?what=standings&format=csv&period=years"
        await persisted(season.api)
        lines = (await admin(season.api).get(path)).body.decode().splitlines()[1:]
        exports.append([line.split(",")[:3] for line in lines])
    assert len(exports[0]) == 41
    assert exports[0] == exports[1]


async def test_processes_that_cross_an_end_together_count_in_one_occurrence(
    season: Season, start_api: StartApi
) -> None:
    services = [season.api, await start_api()]
    await made(season.api, periods=[YEARS])
    users = [f"user-{n}" for n in range(64)]
    for turn in (1, 2, 3):
        answers = await asyncio.gather(
            *(
                service.post(
                    f"/api/boards/{SPREAD}/score",
                    {"userId": user, "actionId": f"a{turn}-{number}", "points": 5},
                )
                for number, service in enumerate(services)
                for user in users
            )
        )
        assert {one.status for one in answers} == {200}
        assert {one.json["periods"]["years"]["occurrence"] for one in answers} == {turn}
        standings = await all_standings(season.api, SPREAD, of="period=years")
        assert {one["score"] for one in standings} == {10}
        assert len(standings) == 64
        await season.over()


async def test_shards_follow_the_first_whatever_any_of_them_missed(season: Season) -> None:
    api = season.api
    await made(api, periods=[YEARS])
    users = [f"user-{n}" for n in range(40)]
    await post(api, [(user, n) for n, user in enumerate(users)])
    await season.over()
    before = [await season.known(shard) for shard in shard_names(SPREAD, SHARDS)]
    await post(api, [(user, n) for n, user in enumerate(users)], turn="b")

    # The first has lost that it had opened the second, and one has slept since the first.
    for shard, known in ((SPREAD, before[0]), (f"{SPREAD}.3", before[3])):
        assert known is not None
        await season.redis.hset(season.keys(shard).meta, "period:years", known.to_text())
    await season.over()
    answers = [await api.score(user, 1, "c", board=SPREAD) for user in users]
    assert {one.json["periods"]["years"]["occurrence"] for one in answers} == {3}
    now = [await season.known(shard) for shard in shard_names(SPREAD, SHARDS)]
    latest = [known.latest for known in now if known is not None]
    assert len(latest) == SHARDS
    assert len(set(latest)) == 1


async def set_periods(api: Api, *periods: dict[str, Any]) -> None:
    for board in BOARDS:
        path = f"/api/admin/boards/{board}"
        answer = await admin(api).call("PATCH", path, json={"periods": periods})
        assert answer.status == 200, answer


@pytest.mark.parametrize("kept", [True, False])
async def test_an_occurrence_becomes_final_though_a_shard_never_opened_it(
    season: Season, kept: bool
) -> None:
    api = season.api
    await made(api, periods=[YEARS])
    asleep = f"{SPREAD}.5"
    awake = [user for n in range(60) if shard_of(SPREAD, user := f"user-{n}", SHARDS) != asleep]
    await post(api, [(user, n) for n, user in enumerate(awake)])
    await persisted(api)
    await season.redis.hdel(season.keys(asleep).meta, "period:years")
    await season.redis.delete(season.keys(occurrence_table(asleep, "years", 1)).meta)
    await season.pool.execute("DELETE FROM period_occurrence WHERE board = $1", asleep)
    await compare(api, len(awake), "period=years")  # nobody is in what it did not open
    await season.over()
    if not kept:
        await set_periods(api)
    await season.final(1)
    if not kept:
        await set_periods(api, YEARS)
    await compare(api, len(awake), of(1))
    if kept:
        assert await season.known(asleep) == await season.known(SPREAD)


async def test_latecomers_count_on_every_shard(season: Season) -> None:
    api = season.api
    await made(api, periods=[YEARS | {"grace": 3600}])
    users = [f"user-{n}" for n in range(24)]
    await post(api, [(user, 3 * n) for n, user in enumerate(users)])
    await season.over(final_in=3_600_000)
    earlier = {"context": {"occurredAt": "2026-01-01T00:00:00Z"}}
    for board in BOARDS:
        late = [{"userId": user, "actionId": "late", "points": 100, **earlier} for user in users]
        answer = await api.post(f"/api/boards/{board}/scores", {"actions": late})
        told = {one["periods"]["years"]["occurrence"] for one in answer.json["results"]}
        assert told == {1}
    await post(api, [(user, 3 * n) for n, user in enumerate(users)], turn="b")
    await compare(api, 24, of("previous"))
    await compare(api, 24, "period=years")


async def test_clients_are_told_once_of_an_end_and_see_versions_grow(season: Season) -> None:
    api = season.api
    await made(api, periods=[YEARS], topSize=3)
    await post(api, random_actions(3, 40, 10))
    seen: list[Any] = []
    async with api.http.ws_connect(f"{api.service.url}/ws/boards/{SPREAD}?period=years") as ws:
        for turn in range(3):
            if turn:
                await season.over()
            for step in range(4):
                points = 1000 * (1 + turn) + step
                await post(api, [(f"user-{step}", points)], turn=f"{turn}-{step}-")
            top = (await api.get(f"/api/boards/{WHOLE}/top?period=years")).json["topScores"]
            while not seen or seen[-1].get("topScores") != top:
                seen.append(await next_message(ws))
    closed = [one["occurrence"] for one in seen if one["type"] == "closed"]
    assert closed == [1, 2]
    assert {one["board"] for one in seen} == {SPREAD}
    tops = [one for one in seen if one["type"] != "closed"]
    versions = [one["version"] for one in tops]
    assert versions == sorted(set(versions))
    assert [one["occurrence"] for one in tops] == sorted(one["occurrence"] for one in tops)


async def test_what_is_told_of_a_player_in_an_occurrence_is_that_of_all_shards(
    season: Season,
) -> None:
    api = season.api
    await made(api, periods=[YEARS])
    await post(api, random_actions(31, 50, 100))
    await persisted(api)
    for number in ("1", "previous"):
        for user in ("user-3", "user-17"):
            path = f"users/{user}"
            histories, reasons = [], []
            for board in BOARDS:
                base = f"/api/boards/{board}/{path}"
                history = (await api.get(f"{base}/history?{of(number)}")).json["actions"]
                histories.append([(one["actionId"], one["score"]) for one in history])
                why = (await api.get(f"{base}/explain?{of(number)}")).json
                for one in (why, why["above"], why["below"]):
                    if one:
                        del one["reachedAt"]
                del why["actions"], why["next"]
                reasons.append(why)
                delta = await api.get(f"{base}?delta=true&{of(number)}")
                assert delta.status == 200
            assert len(histories[0]) > 0
            assert histories[0] == histories[1]
            assert reasons[0] == reasons[1]
        if number == "1":
            await season.over()
            await post(api, random_actions(32, 50, 0), turn="b")
            await season.final(1)


async def test_who_is_erased_leaves_every_occurrence(season: Season) -> None:
    api = season.api
    await made(api, periods=[YEARS])
    await post(api, random_actions(9, 40, 0))
    await season.over()
    await post(api, random_actions(10, 40, 0), turn="b")
    await season.final(1)
    exported = (await admin(api).get("/api/users/user-7/export")).json["boards"]
    tables = [{one["table"] for one in board["totals"]} for board in exported]
    assert sorted(tables, key=sorted) == [
        {board, f"{board}:years:1", f"{board}:years:2"} for board in sorted(BOARDS)
    ]
    async with api.service.persisting():
        receipt = (await admin(api).call("DELETE", "/api/users/user-7?mode=erase")).json

        async def done() -> bool:
            found = await admin(api).get(f"/api/erasures/{receipt['erasure']}")
            return bool(found.json["state"] == "done")

        await wait_until(done, description="the player is erased")
    for number in (1, 2):
        await compare(api, 39, of(number))


async def test_a_watched_player_is_told_its_place_in_the_occurrence(start_api: StartApi) -> None:
    api = await start_api(standing_interval=INTERVAL)
    await made(api, periods=[YEARS])
    users = [f"user-{n}" for n in range(6)]  # on six shards
    await post(api, [(user, 10 * n) for n, user in enumerate(users)])
    async with watching(api, "user-1", board=SPREAD, query="&period=years") as seen:
        assert (await seen.rank(5))["score"] == 10
        await post(api, [("user-1", 1_000)], turn="b")
        assert (await seen.rank(1))["score"] == 1_010
        await post(api, [("user-2", 2_000)], turn="c")
        await seen.rank(2)
