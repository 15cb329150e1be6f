"""A board over many partitions takes as many users as its capacity says, on all of them."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from scoreboard.domain.shards import shard_names, shard_of
from scoreboard.domain.tables import occurrence_table
from scoreboard.settings import Settings
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Answer, Api
from tests.integration.api.test_outages import persisted
from tests.integration.api.test_sharded_boards import (
    SHARDS,
    SPREAD,
    admin,
    all_standings,
    compare,
    live,
    made,
    put,
)
from tests.integration.api.test_sharded_periods import YEARS, Season, season, verified
from tests.support.waiting import wait_until

__all__ = ["season"]  # the fixture

FULL = (409, "board_full")


def users(number: int, first: int = 0) -> list[str]:
    return [f"user-{n}" for n in range(first, first + number)]


async def score(api: Api, user: str, turn: str = "a", **action: Any) -> Answer:
    given = {"userId": user, "actionId": turn, "points": 5, **action}
    return await api.post(f"/api/boards/{SPREAD}/score", given)


async def join(api: Api, user: str) -> Answer:
    return await api.post(f"/api/boards/{SPREAD}/join", {"userId": user})


async def all_at_once(asked: Iterable[Any]) -> Counter[tuple[int, str | None]]:
    return Counter(answer.outcome for answer in await asyncio.gather(*asked))


async def amend(api: Api, **rules: Any) -> Answer:
    return await admin(api).call("PATCH", f"/api/admin/boards/{SPREAD}", json=rules)


async def in_redis(season: Season, table: str = SPREAD) -> set[str]:
    """Who is in, by the zsets of all shards."""
    found: set[str] = set()
    for part in shard_names(table, SHARDS):
        names: Any = await season.redis.zrange(season.keys(part).players, 0, -1)
        found |= {name.decode() for name in names}
    return found


@pytest.mark.parametrize("capacity", [1, 7, 50])
async def test_as_many_get_in_as_there_is_room_for_however_many_come_at_once(
    start_api: StartApi, season: Season, capacity: int
) -> None:
    services = [season.api, await start_api()]
    await put(season.api, SPREAD, shards=SHARDS, capacity=capacity)
    crowd = users(120)
    told = await all_at_once(score(services[n % 2], user) for n, user in enumerate(crowd))
    assert told == {(200, None): capacity, FULL: 120 - capacity}
    inside = await in_redis(season)
    assert len(inside) == capacity
    again = await all_at_once(score(services[n % 2], user, "b") for n, user in enumerate(crowd))
    assert again == {(200, None): capacity, FULL: 120 - capacity}
    standings = await all_standings(season.api, SPREAD)
    assert {one["userId"]: one["score"] for one in standings} == dict.fromkeys(inside, 10)


async def test_nobody_is_turned_away_while_there_is_room(season: Season) -> None:
    await put(season.api, SPREAD, shards=SHARDS, capacity=30)
    for user in users(30):  # on whichever shard
        assert (await score(season.api, user)).outcome == (200, None)
    for user in users(8, 30):
        assert (await score(season.api, user)).outcome == FULL
        assert (await join(season.api, user)).outcome == FULL


async def test_a_repeat_is_answered_as_ever_on_a_full_board(season: Season) -> None:
    await put(season.api, SPREAD, shards=SHARDS, capacity=2)
    assert (await score(season.api, "ann")).status == 200
    assert (await score(season.api, "bob")).status == 200
    assert (await score(season.api, "cid")).outcome == FULL
    assert (await score(season.api, "ann")).outcome == (409, "duplicate_action")
    assert (await score(season.api, "ann", points=6)).outcome == (409, "action_conflict")
    assert (await score(season.api, "cid")).outcome == FULL


async def test_a_batch_fills_the_board_and_its_other_users_are_told_so(season: Season) -> None:
    await put(season.api, SPREAD, shards=SHARDS, capacity=20)
    batch = [
        {"userId": user, "actionId": f"a{turn}", "points": 1}
        for turn in range(3)
        for user in users(50)
    ]
    answer = await season.api.post(f"/api/boards/{SPREAD}/scores", {"actions": batch})
    by_user: dict[str, list[int]] = {}
    for action, result in zip(batch, answer.json["results"], strict=True):
        by_user.setdefault(str(action["userId"]), []).append(result["status"])
    assert Counter(map(tuple, by_user.values())) == {(200,) * 3: 20, (409,) * 3: 30}
    assert await in_redis(season) == {user for user, told in by_user.items() if told[0] == 200}


async def test_who_has_joined_takes_room_with_or_without_a_score(season: Season) -> None:
    await put(season.api, SPREAD, shards=SHARDS, capacity=10, join="required", attempts=2)
    told = await all_at_once(join(season.api, user) for user in users(60))
    assert told == {(200, None): 10, FULL: 50}
    inside = await in_redis(season)
    for user in users(60):
        first, second, third = [await score(season.api, user, f"a{n}") for n in range(3)]
        if user in inside:
            assert (first.status, second.status) == (200, 200)
            assert third.outcome == (409, "attempts_exhausted")
            assert (await join(season.api, user)).status == 200
        else:
            assert {one.outcome for one in (first, second, third)} == {(403, "not_joined")}


async def test_what_is_refused_for_other_reasons_takes_no_room(season: Season) -> None:
    await put(season.api, SPREAD, shards=SHARDS, capacity=3, maxPoints=9)
    for user in users(20):
        answer = await score(season.api, user, points=10)
        assert answer.outcome == (422, "points_out_of_bounds")
    told = await all_at_once(score(season.api, user, "b") for user in users(20, 20))
    assert told == {(200, None): 3, FULL: 17}


async def test_another_capacity_holds_once_it_is_set(season: Season) -> None:
    await put(season.api, SPREAD, shards=SHARDS, capacity=40)
    for user in users(10):
        assert (await score(season.api, user)).status == 200
    assert (await amend(season.api, capacity=12)).status == 200
    told = await all_at_once(score(season.api, user) for user in users(40, 10))
    assert told == {(200, None): 2, FULL: 38}
    assert (await amend(season.api, capacity=5)).status == 200
    assert (await score(season.api, "late")).outcome == FULL
    assert (await amend(season.api, capacity=15)).status == 200
    told = await all_at_once(score(season.api, user) for user in users(40, 50))
    assert told == {(200, None): 3, FULL: 37}
    assert (await amend(season.api, capacity=None)).status == 200
    assert (await score(season.api, "late")).status == 200
    assert (await amend(season.api, capacity=17)).status == 200
    told = await all_at_once(score(season.api, user) for user in users(40, 90))
    assert told == {(200, None): 1, FULL: 39}


async def test_a_board_gets_a_capacity_while_users_come(season: Season) -> None:
    api = season.api
    await put(api, SPREAD, shards=SHARDS)
    before = await all_at_once(score(api, user) for user in users(20))
    assert before == {(200, None): 20}
    changed, *answers = await asyncio.gather(
        amend(api, capacity=30), *(score(api, user, "b") for user in users(60))
    )
    assert changed.status == 200
    assert {one.outcome for one in answers} <= {(200, None), FULL, (503, "unavailable")}
    inside = len(await all_standings(api, SPREAD))
    told = await all_at_once(score(api, user, "c") for user in users(80, 100))
    assert told[FULL] == 80 - max(0, 30 - inside)


async def test_who_is_erased_leaves_room_for_one(season: Season) -> None:
    api = season.api
    await put(api, SPREAD, shards=SHARDS, capacity=12)
    for user in users(12):
        assert (await score(api, user)).status == 200
    assert (await score(api, "new-1")).outcome == FULL
    await persisted(api)
    async with api.service.persisting():
        receipt = (await admin(api).call("DELETE", "/api/users/user-7?mode=erase")).json

        async def done() -> bool:
            found = await admin(api).get(f"/api/erasures/{receipt['erasure']}")
            return bool(found.json["state"] == "done")

        await wait_until(done, description="the player is erased")
    told = await all_at_once(score(api, user) for user in users(30, 100))
    assert told == {(200, None): 1, FULL: 29}


async def test_who_was_hidden_or_taken_back_is_in_still(season: Season) -> None:
    api = season.api
    await put(api, SPREAD, shards=SHARDS, capacity=9)
    for user in users(9):
        assert (await score(api, user)).status == 200
    await persisted(api)
    path = f"/api/admin/boards/{SPREAD}/users"
    assert (await admin(api).call("POST", f"{path}/user-1/hide")).status == 200
    mistake = {"actionId": "a", "reason": "a script"}
    assert (await admin(api).post(f"{path}/user-2/revert", mistake)).status == 200
    assert (await score(api, "new")).outcome == FULL
    for user in users(9):
        assert (await score(api, user, "b")).status == 200


@pytest.mark.parametrize("seed", [1, 2])
async def test_what_redis_loses_gives_no_room_twice(
    season: Season, settings: Settings, seed: int
) -> None:
    """Shards forget what they had or gave back, as a failover or a lost key makes them."""
    dice, api = random.Random(seed), season.api
    await put(api, SPREAD, shards=SHARDS, capacity=60)
    inside = 0
    for turn in range(10):
        told = await all_at_once(score(api, user) for user in users(8, 8 * turn))
        inside = min(60, inside + 8)
        assert told[200, None] == max(0, inside - 8 * turn), turn
        await persisted(api)
        some = dice.sample(shard_names(SPREAD, SHARDS), 3)
        for shard in some:
            keys = season.keys(shard)
            match dice.randrange(4):
                case 0:  # back from the ledger, when it is needed
                    await season.redis.hset(keys.meta, "epoch", "another")
                case 1:
                    await season.redis.delete(keys.meta)
                case 2:
                    await season.redis.delete(keys.players)
                case 3:
                    await season.redis.hset(keys.meta, "share", "what nobody wrote")
    told = await all_at_once(score(api, user, "b") for user in users(80))
    assert told == {(200, None): 60, FULL: 20}
    assert len(await in_redis(season)) == 60
    await persisted(api)
    await verified(settings)


async def test_a_board_that_is_back_from_the_ledger_is_as_full_as_before(
    season: Season, redis: Redis
) -> None:
    api = season.api
    await put(api, SPREAD, shards=SHARDS, capacity=25, join="open")
    for user in users(20):
        assert (await score(api, user)).status == 200
    assert (await join(api, "joined")).status == 200
    await persisted(api)
    await redis.flushall()
    await live(api, SPREAD)
    told = await all_at_once(score(api, user) for user in users(30, 50))
    assert told == {(200, None): 4, FULL: 26}
    assert (await score(api, "joined")).status == 200


async def test_a_cleared_board_keeps_who_has_joined_and_takes_others(season: Season) -> None:
    api = season.api
    await put(api, SPREAD, shards=SHARDS, capacity=10, join="open")
    for user in users(6):
        assert (await score(api, user)).status == 200
    for user in ("bea", "cid"):
        assert (await join(api, user)).status == 200
    await persisted(api)
    cleared = await admin(api).call("POST", f"/api/admin/boards/{SPREAD}/clear?confirm={SPREAD}")
    assert cleared.status == 200
    told = await all_at_once(score(api, user) for user in users(30, 50))
    assert told == {(200, None): 8, FULL: 22}


async def test_every_occurrence_has_room_of_its_own(season: Season) -> None:
    api = season.api
    await made(api, periods=[YEARS], capacity=10)
    for user in users(10):
        for board in ("whole", SPREAD):
            assert (await api.score(user, int(user[5:]), board=board)).status == 200
    for board in ("whole", SPREAD):
        assert (await api.score("new", 1, board=board)).outcome == FULL
    await compare(api, 10, "period=years")
    await season.over()
    told = await all_at_once(score(api, user, "b") for user in users(50, 20))
    assert told == {(200, None): 10, FULL: 40}
    assert len(await in_redis(season, occurrence_table(SPREAD, "years", 1))) == 10
    assert len(await in_redis(season, occurrence_table(SPREAD, "years", 2))) == 10
    await persisted(api)
    await season.redis.flushall()
    await live(api, SPREAD)
    assert (await score(api, "later")).outcome == FULL
    await verified(season.settings)


async def test_a_first_shard_that_has_forgotten_an_occurrence_is_told_of_it(
    season: Season,
) -> None:
    api = season.api
    await made(api, periods=[YEARS], capacity=20)
    assert (await score(api, "ann")).status == 200
    await season.over()
    before = await season.known(SPREAD)
    by_shard = {shard_of(SPREAD, user, SHARDS): user for user in reversed(users(80))}
    assert len(by_shard) == SHARDS
    for user in by_shard.values():  # so that each knows that it has begun
        assert (await score(api, user)).status == 200
    elsewhere = [user for user in users(80) if shard_of(SPREAD, user, SHARDS) != SPREAD]
    new = [user for user in elsewhere if user not in by_shard.values()]
    assert before is not None
    await season.redis.hset(season.keys(SPREAD).meta, "period:years", before.to_text())
    await season.redis.delete(season.keys(occurrence_table(SPREAD, "years", 2)).meta)
    told = await all_at_once(score(api, user) for user in new)
    assert told == {(200, None): 20 - SHARDS, FULL: len(new) - 20 + SHARDS}
    known = await season.known(SPREAD)
    assert known is not None
    assert known.latest.number == 2


async def test_latecomers_have_the_room_of_their_occurrence(season: Season) -> None:
    api = season.api
    weeks = {"name": "weeks", "every": "P7D", "start": "2020-01-01T00:00:00Z"}
    await made(api, periods=[YEARS | {"grace": 3600}, weeks], capacity=10)
    for user in users(9):
        assert (await score(api, user)).status == 200
    await season.over(final_in=3_600_000)
    late = {"context": {"occurredAt": "2026-01-01T00:00:00Z"}}
    told = await all_at_once(score(api, user, "l", **late) for user in users(9, 50))
    assert told == {(200, None): 1, FULL: 8}, "the week has room for one"


async def test_joining_lets_into_the_latest_occurrence_while_it_has_room(season: Season) -> None:
    api = season.api
    await made(api, periods=[YEARS], capacity=10, join="required")
    told = await all_at_once(join(api, user) for user in users(40))
    assert told == {(200, None): 10, FULL: 30}
    await season.over()
    told = await all_at_once(join(api, user) for user in users(40))
    assert told == {(200, None): 10, FULL: 30}


async def test_without_the_first_shard_only_those_who_are_in_count(
    season: Season, pool: asyncpg.Pool
) -> None:
    """What a shard has is its own: it needs no other for users who are in."""
    api = season.api
    await put(api, SPREAD, shards=SHARDS, capacity=10)
    elsewhere = [user for user in users(40) if shard_of(SPREAD, user, SHARDS) != SPREAD]
    assert (await score(api, elsewhere[0])).status == 200
    await season.redis.set(season.keys(SPREAD).meta, "what another program wrote")
    assert (await score(api, elsewhere[0], "b")).status == 200
    answer = await score(api, elsewhere[1])
    while answer.status == 200:  # what the shard has left
        elsewhere.pop(1)
        answer = await score(api, elsewhere[1])
    assert answer.outcome == (503, "unavailable")
    assert "Retry-After" in answer.headers
