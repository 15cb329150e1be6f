"""The WebSocket of watched players on the whole service: where they stand, and who passed them."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType
from redis.asyncio import Redis
from yarl import URL

from scoreboard.local.embedded_servers import Valkey
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api
from tests.integration.api.players.test_presentation import ADA, PSEUDONYM, own, put
from tests.integration.api.test_live_updates import Message, next_message
from tests.integration.api.test_periods import WEEK, ended, make
from tests.support.waiting import PATIENCE, wait_until

INTERVAL = 0.05


class Watching:
    """A client that reads what it is told of players."""

    def __init__(self, ws: ClientWebSocketResponse) -> None:
        self.ws = ws
        self.seen: list[Message] = []

    async def next(self) -> Message:
        """The next message about a player, whatever heartbeats come before."""
        async with asyncio.timeout(PATIENCE):
            while (message := await next_message(self.ws))["type"] not in ("standing", "overtaken"):
                pass
        self.seen.append(message)
        return message

    async def standing(self, wanted: Callable[[Message], bool] = lambda _: True) -> Message:
        """The next standing that is wanted."""
        while (message := await self.next())["type"] != "standing" or not wanted(message):
            pass
        return message

    async def rank(self, rank: int | None, user: str | None = None) -> Message:
        """The next standing with this rank, of this user if one is named."""
        return await self.standing(
            lambda one: one["rank"] == rank and user in (None, one["userId"])
        )

    async def overtaken(self) -> Message:
        """The next message about a passing."""
        while (message := await self.next())["type"] != "overtaken":
            pass
        return message

    def passings(self) -> list[tuple[str, str, int, int]]:
        """Who was passed by whom, and by how many others, to which rank, of all that was told."""
        return [
            (one["userId"], one["by"]["userId"], one["others"], one["rank"])
            for one in self.seen
            if one["type"] == "overtaken"
        ]


@asynccontextmanager
async def watching(
    api: Api, *users: str, board: str = "global", query: str = "", token: str | None = None
) -> AsyncIterator[Watching]:
    path = f"{api.service.url}/ws/boards/{board}?" + "&".join(f"user={user}" for user in users)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with api.http.ws_connect(path + query, headers=headers) as ws:
        yield Watching(ws)


_actions = itertools.count()


async def post(api: Api, board: str = "global", /, **points: int) -> None:
    """One action of each of these users, one after the other."""
    for user, number in points.items():
        answer = await api.score(user, number, f"a{next(_actions)}", board=board)
        assert answer.status == 200, answer


UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}
NOBODY = dict.fromkeys(("score", "rank", "percentile", "above", "below"))


def place(message: Message) -> dict[str, Any]:
    """Where a standing says that the player stands."""
    return {name: message[name] for name in NOBODY}


async def test_a_player_sees_its_own_place_and_its_neighbours_move(start_api: StartApi) -> None:
    api = await start_api(standing_interval=INTERVAL)
    await post(api, cy=10, bob=20, ada=30)
    async with watching(api, "bob") as client:
        first = await client.next()
        await post(api, bob=25)
        moved = await client.standing()
        await post(api, cy=25)
        below = await client.standing()

    assert first == {
        "type": "standing",
        "board": "global",
        "userId": "bob",
        "score": 20,
        "rank": 2,
        "percentile": 66.67,
        "above": {"userId": "ada", "rank": 1, "gap": 10},
        "below": {"userId": "cy", "rank": 3, "gap": 10},
        "at": first["at"],
    }
    assert (moved["score"], moved["rank"], moved["above"]) == (45, 1, None)
    assert moved["below"] == {"userId": "ada", "rank": 2, "gap": 15}

    assert (below["rank"], below["below"]) == (1, {"userId": "cy", "rank": 2, "gap": 10})


async def test_who_passes_a_player_is_told_and_nobody_else(start_api: StartApi) -> None:
    api = await start_api(standing_interval=INTERVAL)
    await post(api, top=1000, eve=30, dan=20, ada=100, bob=50)
    async with watching(api, "ada") as client:
        await client.rank(2)
        await post(api, bob=100)  # passes
        assert (await client.overtaken())["by"] == {"userId": "bob", "gap": 50}
        await post(api, top=1000, bob=5)  # who stood above all along
        await post(api, ada=200)  # back again
        await client.rank(2)
        await post(api, ada=-250)  # falls below bob and not below the others
        await client.rank(3)
        await post(api, new=70)  # newcomers pass as well
        await client.rank(4)
        await post(api, zed=1)  # below
        assert (await client.standing())["percentile"] == 57.14
        await post(api, ada=10)
        await client.standing()

    assert client.passings() == [("ada", "bob", 0, 3), ("ada", "new", 0, 4)]


async def test_of_several_who_pass_between_two_messages_the_nearest_is_named(
    start_api: StartApi,
) -> None:
    api = await start_api(standing_interval=INTERVAL)
    await post(api, ada=10, bob=5, cy=4, dan=3)
    async with watching(api, "ada", "bob") as client:
        await client.rank(2, "bob")
        actions = [
            {"userId": user, "actionId": f"up-{user}-{i}", "points": points}
            for i, (user, points) in enumerate({"cy": 40, "dan": 20, "bob": 1}.items())
        ]
        assert (await api.post("/api/scores", {"actions": actions})).status == 200
        await client.rank(3, "ada")
        while len(client.passings()) < 2:
            await client.next()

    assert sorted(client.passings()) == [("ada", "dan", 1, 3), ("bob", "dan", 1, 4)]


async def test_who_is_not_on_the_board_is_told_once_that_has_changed(start_api: StartApi) -> None:
    api = await start_api(standing_interval=INTERVAL)
    await post(api, zoe=1)
    async with watching(api, "ada", "a%2Fb%20%C3%A9") as client:
        first = [await client.next(), await client.next()]
        await post(api, **{"a/b é": 3, "ada": 5})
        assert place(await client.rank(1, "ada")) == {
            "score": 5,
            "rank": 1,
            "percentile": 100.0,
            "above": None,
            "below": {"userId": "a/b é", "rank": 2, "gap": 2},
        }
        await client.rank(2, "a/b é")

    assert [(one["userId"], place(one)) for one in first] == [("ada", NOBODY), ("a/b é", NOBODY)]
    assert client.passings() == [], "who comes onto the board is passed by nobody"


async def test_what_cannot_be_watched_is_refused_before_the_upgrade(api: Api) -> None:
    for query, status, code, path in (
        ("user=", 400, "invalid_request", "user"),
        (f"user={'x' * 129}", 400, "invalid_request", "user"),
        ("user=ada&user=%00", 400, "invalid_request", "user"),
        ("&".join(f"user=u{n}" for n in range(51)), 400, "invalid_request", "user"),
        ("user=ada&ticket=AAAAAAAAAAAAAAAAAAAAAA", 401, "unauthorized", None),
    ):
        url = URL(f"{api.service.url}/ws/boards/global?{query}", encoded=True)
        async with api.http.get(url, headers=UPGRADE) as answer:
            problem = await answer.json(content_type=None)
        assert (answer.status, problem["code"], problem.get("path")) == (status, code, path)


async def test_private_boards_show_players_to_those_who_may_read_them(start_api: StartApi) -> None:
    api = await start_api(public_reads=False)
    await post(api, ada=5)
    token = api.service.token
    may = token("board:read", subject="bob")
    url = f"{api.service.url}/ws/boards/global?user=ada"
    async with watching(api, "ada", token=may) as client:
        assert (await client.next())["rank"] == 1
    ticket = (await api.bearing(may).post("/api/ws-ticket", b"")).json["ticket"]
    async with watching(api, "ada", query=f"&ticket={ticket}") as client:
        assert (await client.next())["rank"] == 1

    refused = (
        (None, 401),
        ("nonsense", 401),
        (token("board:read", boards=["arena"]), 403),
        (token("score:submit", subject="ada"), 403),
    )
    for bad, status in refused:
        headers = {"Authorization": f"Bearer {bad}"} if bad else {}
        async with api.http.get(url, headers=headers | UPGRADE) as answer:
            assert answer.status == status
        assert (await api.bearing(bad).get("/api/boards/global/users/ada")).status == status


async def test_an_anonymous_player_is_seen_by_itself_alone(start_api: StartApi) -> None:
    api = await start_api(standing_interval=INTERVAL)
    await put(api, "ada", **ADA, visibility="anonymous")
    await put(api, "bob", displayName="Bob")
    await post(api, ada=20, bob=30, cy=10)
    mine = api.service.token("score:submit", subject="ada")
    ticket = (await own(api, "ada").post("/api/ws-ticket", b"")).json["ticket"]
    async with (
        watching(api, "ada", "bob", token=mine) as herself,
        watching(api, "ada", query=f"&ticket={ticket}") as in_a_browser,
        watching(api, "ada", "cy", "bob") as stranger,
        watching(api, "ada", token=api.service.token("score:submit", subject="bob")) as rival,
    ):
        own_place = await herself.rank(2, "ada")
        assert own_place["player"] == ADA
        above = {"userId": "bob", "rank": 1, "gap": 10, "player": {"displayName": "Bob"}}
        assert own_place["above"] == above
        assert place(await in_a_browser.next()) == place(own_place)
        assert place(await rival.next()) == NOBODY
        unseen = await stranger.next()
        assert (unseen["userId"], place(unseen)) == ("ada", NOBODY)
        assert "player" not in unseen
        pseudonym = (await stranger.rank(3, "cy"))["above"]["userId"]
        assert PSEUDONYM.fullmatch(pseudonym)
        await post(api, ada=15)
        await stranger.rank(2, "bob")
        passing = await stranger.overtaken()
        assert passing["by"] == {"userId": pseudonym, "gap": 5}
        await herself.rank(1, "ada")

        # A name that changes is told, and so is who becomes anonymous or is no more.
        await put(api, "bob", displayName="Robert", visibility="anonymous")
        hidden = await stranger.rank(None, "bob")
        assert place(hidden) == NOBODY
        await herself.standing(
            lambda one: bool(one["below"] and PSEUDONYM.fullmatch(one["below"]["userId"]))
        )
        await put(api, "ada", displayName="Countess")
        assert (await stranger.rank(1, "ada"))["player"] == {"displayName": "Countess"}

    everything = json.dumps(stranger.seen[: stranger.seen.index(hidden)])
    assert everything.count('"userId": "ada"') == 1, "what was asked for, and told once"


async def test_a_hidden_player_is_on_no_list_and_passes_nobody(start_api: StartApi) -> None:
    api = await start_api(standing_interval=INTERVAL)
    await post(api, ada=20, bob=30, cy=10)
    async with api.service.persisting(), watching(api, "ada", "bob") as client:
        await client.rank(2, "ada")
        await put(api, "bob", visibility="hidden")
        assert (await client.rank(1, "ada"))["above"] is None
        await post(api, bob=100, cy=5)
        assert (await client.standing(lambda one: one["userId"] == "ada"))["below"]["gap"] == 5
        await put(api, "bob")
        assert (await client.rank(2, "ada"))["above"]["userId"] == "bob"

    assert client.passings() == []
    assert place(next(one for one in client.seen if one["rank"] is None)) == NOBODY


async def test_a_period_is_followed_into_its_next_occurrence(
    start_api: StartApi, redis: Redis
) -> None:
    api = await start_api(standing_interval=INTERVAL)
    await make(api, WEEK)
    await post(api, "arena", ada=20, bob=30)
    async with (
        watching(api, "ada", board="arena", query="&period=week") as client,
        watching(api, "ada", board="arena", query="&period=week&occurrence=1") as staying,
    ):
        first = await client.next()
        assert (first["period"], first["occurrence"], first["rank"]) == ("week", 1, 2)
        await post(api, "arena", cy=25)
        await client.rank(3)
        assert (await client.overtaken())["occurrence"] == 1
        await staying.rank(3)
        await ended(redis, "week", final_in=600_000)
        await post(api, "arena", bob=1)
        gone = await client.rank(None)
        assert (gone["occurrence"], place(gone)) == (2, NOBODY)
        await post(api, "arena", ada=1)
        await client.rank(2)
        await post(api, "arena", cy=7)
        await client.rank(3)
        assert (await client.overtaken())["by"] == {"userId": "cy", "gap": 6}

    assert client.passings() == [("ada", "cy", 0, 3), ("ada", "cy", 0, 3)]
    assert {one["occurrence"] for one in staying.seen} == {1}


async def test_it_goes_on_when_redis_was_away_and_when_it_was_emptied(
    start_api: StartApi, redis: Redis, valkey: Valkey
) -> None:
    api = await start_api(standing_interval=INTERVAL)
    async with api.service.persisting():
        await post(api, ada=20, bob=10)

        async def persisted() -> bool:
            answer = await api.get("/api/boards/global/users/ada/history")
            return answer.status == 200 and len(answer.json["actions"]) == 1

        await wait_until(persisted, description="the actions are in Postgres")
        async with watching(api, "ada") as client:
            await client.rank(1)
            valkey.kill()
            valkey.start()

            async def posted() -> bool:
                answer = await api.score("bob", 50, "after")
                return answer.status == 200

            await wait_until(posted, description="the board takes actions again")
            await client.rank(2)
            await redis.flushall()
            await post(api, ada=100)
            await client.rank(1)
            await post(api, bob=200)
            await client.rank(2)
            await client.overtaken()

        assert ("ada", "bob", 0, 2) in client.passings()


async def test_more_players_than_may_be_watched_are_asked_to_come_later(
    start_api: StartApi,
) -> None:
    api = await start_api(max_watched_players=2)
    await post(api, ada=5)
    async with watching(api, "ada", "bob") as client:
        await client.next()
        async with watching(api, "bob", "ada") as sharing:
            await sharing.next()
        async with watching(api, "cy") as refused:
            assert (await refused.ws.receive(timeout=PATIENCE)).type is WSMsgType.CLOSE
        assert refused.ws.close_code == 1013


RULES: list[dict[str, Any]] = [
    {},
    {"operator": "best", "order": "asc", "rankStyle": "standard"},
    {"operator": "last", "rankStyle": "standard"},
]


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: rules.get("operator", "sum"))
async def test_what_is_told_last_is_what_reads_say(
    start_api: StartApi, rules: dict[str, Any]
) -> None:
    api = await start_api(standing_interval=0.01)
    await make(api, **rules)
    draw = random.Random(len(rules))
    users = [f"u{n}" for n in range(12)]
    told: dict[str, Message] = {}
    async with watching(api, *users, board="arena") as client:
        for _ in range(6):
            actions = [
                {
                    "userId": draw.choice(users),
                    "actionId": f"a{next(_actions)}",
                    "points": draw.randint(-3, 9),
                }
                for _ in range(draw.randint(1, 12))
            ]
            assert (await api.post("/api/boards/arena/scores", {"actions": actions})).status == 200
            read = {user: await standing_read(api, user) for user in users}
            while {user: shown(told.get(user)) for user in users} != read:
                message = await client.standing()
                told[message["userId"]] = message
    for one in client.seen:
        if one["type"] == "overtaken":
            assert one["by"]["userId"] != one["userId"]
            assert one["by"]["gap"] > 0 or rules.get("rankStyle") != "standard"


def shown(message: Message | None) -> dict[str, Any] | None:
    """What a standing says that a read says as well."""
    if message is None or message["rank"] is None:
        return None
    names = ("score", "rank", "percentile", "above", "below")
    return {name: message[name] for name in names}


async def standing_read(api: Api, user: str) -> dict[str, Any] | None:
    """The same, as reads have it."""
    base = f"/api/boards/arena/users/{user}"
    read = await api.get(base)
    if read.status == 404:
        return None
    around = (await api.get(f"{base}/around?radius=1")).json["users"]
    own = next(i for i, one in enumerate(around) if one["userId"] == user)
    below = None
    if own + 1 < len(around):
        one = around[own + 1]
        gap = abs(one["score"] - around[own]["score"])
        below = {"userId": one["userId"], "rank": one["rank"], "gap": gap}
    place = {name: read.json[name] for name in ("score", "rank", "percentile")}
    return {**place, "above": read.json["next"], "below": below}
