"""Profiles: who may set and see them, and what they may hold."""

from __future__ import annotations

import json
from typing import Any

import asyncpg
import pytest

from scoreboard.settings import Settings
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Answer, Api

ADA: dict[str, Any] = {
    "displayName": "Ada",
    "avatarUrl": "https://img.example.org/ada.png",
    "country": "GB",
    "visibility": "public",
    "metadata": {"level": 7},
}


async def put(api: Api, user: str, profile: Any) -> Answer:
    """Sets a profile; bytes are sent as they are."""
    body = profile if isinstance(profile, bytes) else json.dumps(profile).encode()
    headers = {"Content-Type": "application/json"}
    return await api.call("PUT", f"/api/users/{user}", data=body, headers=headers)


def player(api: Api, user: str) -> Api:
    """The same service for the player's own token."""
    return api.bearing(api.service.token("score:submit", subject=user))


async def test_a_profile_is_given_back_as_it_was_set(api: Api) -> None:
    answer = await put(api, "ada", ADA)
    assert answer.status == 200
    assert answer.json == {"userId": "ada", **ADA}
    assert (await api.bearing(None).get("/api/users/ada")).json == answer.json


async def test_what_is_left_out_of_the_next_profile_is_gone(api: Api) -> None:
    await put(api, "ada", ADA)
    assert (await put(api, "ada", {})).json == {"userId": "ada", "visibility": "public"}
    assert (await api.get("/api/users/ada")).json == {"userId": "ada", "visibility": "public"}


@pytest.mark.parametrize(
    "metadata",
    [
        b'{ "b":1.50, "a" : 123456789012345678901234567890 }',
        rb'{"a":"\u0000","\ud83d\ude00":""}',
        b'{"a":1e308,"a":-0.0}',
    ],
    ids=["spaces", "characters", "numbers"],
)
async def test_metadata_comes_back_to_the_byte(api: Api, metadata: bytes) -> None:
    answer = await put(api, "ada", b'{"metadata":%b}' % metadata)
    assert answer.status == 200, answer
    assert metadata in answer.body
    assert metadata in (await api.get("/api/users/ada")).body
    admin = api.bearing(api.service.token("admin"))
    assert metadata in (await admin.get("/api/users/ada/export")).body


FLAWS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"displayName": ""}, "displayName"),
    ({"displayName": "x" * 41}, "displayName"),
    ({"displayName": "Ada\u202e"}, "displayName"),
    ({"displayName": "A\u200bda"}, "displayName"),
    ({"displayName": 1.5, "metadata": {}}, "displayName"),
    ({"avatarUrl": "http://img.example.org/a.png"}, "avatarUrl"),
    ({"avatarUrl": "https://img.example.org/".ljust(513, "x")}, "avatarUrl"),
    ({"country": "XX"}, "country"),
    ({"visibility": "secret"}, "visibility"),
    ({"metadata": []}, "metadata"),
    ({"metadata": {"a": "x" * 1024}}, "metadata"),
    ({"name": "Ada"}, "name"),
)


async def test_a_flaw_is_named_by_its_field_and_changes_nothing(api: Api) -> None:
    await put(api, "ada", ADA)
    for profile, path in FLAWS:
        answer = await put(api, "ada", profile)
        assert answer.outcome == (400, "invalid_request"), profile
        assert answer.json["path"] == path, profile
        assert (await api.get("/api/users/ada")).json == {"userId": "ada", **ADA}, profile


async def test_metadata_that_is_nested_without_end_is_refused(api: Api) -> None:
    deep = b"[" * 500 + b"]" * 500
    answer = await put(api, "ada", b'{"metadata":{"a":%b}}' % deep)
    assert answer.outcome == (400, "invalid_request")


async def test_a_player_sets_its_own_profile_and_no_other(api: Api) -> None:
    ada = player(api, "ada")
    assert (await put(ada, "ada", ADA)).status == 200
    assert (await put(ada, "bob", ADA)).outcome == (403, "forbidden")
    assert (await put(api.bearing(None), "ada", ADA)).outcome == (401, "unauthorized")
    reader = api.bearing(api.service.token("board:read", subject="ada"))
    assert (await put(reader, "ada", ADA)).outcome == (403, "forbidden")
    assert (await api.get("/api/users/bob")).outcome == (404, "unknown_profile")


async def test_a_server_of_some_boards_sets_and_sees_no_profile_that_holds_on_all(api: Api) -> None:
    await api.call("PUT", "/api/users/ada", json={"visibility": "anonymous"})
    some = api.bearing(api.service.token(boards=["arena"]))
    put = await some.call("PUT", "/api/users/ada", json={"visibility": "public"})
    assert put.outcome == (403, "forbidden")
    assert (await some.get("/api/users/ada")).outcome == (404, "unknown_profile")


async def test_a_players_own_token_has_a_pace_and_a_game_server_none(
    start_api: StartApi,
) -> None:
    api = await start_api(player_rate="1/60")
    ada = player(api, "ada")
    assert (await put(ada, "ada", ADA)).status == 200
    assert (await put(ada, "ada", ADA)).outcome == (429, "rate_limited")
    for _ in range(2):
        assert (await put(api, "ada", ADA)).status == 200


async def test_a_player_leaves_the_lists_and_comes_back_at_a_pace(api: Api) -> None:
    ada = player(api, "ada")
    answers = [
        await put(ada, "ada", {"visibility": visibility}) for visibility in ("hidden", "public") * 4
    ]
    assert [answer.status for answer in answers[:6]] == [200] * 6
    assert answers[6].outcome == (429, "rate_limited")
    assert answers[7].status == 200  # public it was
    for visibility in ("anonymous", "public"):
        assert (await put(ada, "ada", {"visibility": visibility})).status == 200
    assert (await put(api, "ada", {"visibility": "hidden"})).status == 200


@pytest.mark.parametrize("visibility", ["anonymous", "hidden"])
async def test_a_private_profile_is_as_good_as_none_to_strangers(api: Api, visibility: str) -> None:
    await put(api, "ada", {**ADA, "visibility": visibility})
    nobody = await api.get("/api/users/nobody")
    for stranger in (
        api.bearing(None),
        player(api, "bob"),
        api.bearing(api.service.token("board:read", subject="ada")),
    ):
        answer = await stranger.get("/api/users/ada")
        assert (answer.outcome, answer.body) == (nobody.outcome, nobody.body)
        found = await stranger.post("/api/users:lookup", {"userIds": ["ada"]})
        assert found.json == {"users": [], "missing": ["ada"]}
    for may in (api, player(api, "ada"), api.bearing(api.service.token("admin"))):
        assert (await may.get("/api/users/ada")).json["visibility"] == visibility
        found = await may.post("/api/users:lookup", {"userIds": ["ada"]})
        assert [one["userId"] for one in found.json["users"]] == ["ada"]


async def test_five_hundred_profiles_are_looked_up_in_the_order_of_the_list(api: Api) -> None:
    for user in ("ada", "bob"):
        await put(api, user, {"displayName": user.title()})
    users = ["bob", *(f"nobody-{i}" for i in range(497)), "ada", "bob"]
    found = (await api.post("/api/users:lookup", {"userIds": users})).json
    assert [one["displayName"] for one in found["users"]] == ["Bob", "Ada"]
    assert found["missing"] == users[1:498]
    too_many = await api.post("/api/users:lookup", {"userIds": [f"u{i}" for i in range(501)]})
    assert too_many.outcome == (400, "invalid_request")


async def test_private_reads_need_a_token_for_profiles_too(start_api: StartApi) -> None:
    api = await start_api(public_reads=False)
    await put(api, "ada", ADA)
    assert (await api.bearing(None).get("/api/users/ada")).outcome == (401, "unauthorized")
    assert (await player(api, "bob").get("/api/users/ada")).outcome == (403, "forbidden")
    for may in (api, player(api, "ada"), api.bearing(api.service.token("board:read"))):
        assert (await may.get("/api/users/ada")).status == 200


async def test_a_bad_token_is_no_stranger(api: Api) -> None:
    await put(api, "ada", ADA)
    assert (await api.bearing("a.b.c").get("/api/users/ada")).outcome == (401, "unauthorized")


async def test_the_same_profile_again_is_no_change(api: Api, settings: Settings) -> None:
    await put(api, "ada", ADA)
    database = await asyncpg.connect(settings.database_url)
    before = await database.fetchval("SELECT revision FROM profile")
    await put(api, "ada", ADA)
    assert await database.fetchval("SELECT revision FROM profile") == before
    await put(api, "ada", {**ADA, "country": "FR"})
    assert await database.fetchval("SELECT revision FROM profile") > before
    await database.close()


async def test_any_id_of_a_user_has_a_profile(api: Api) -> None:
    for user in ("%C3%A4%20b%2Fc", "a%3Alookup", "%F0%9F%9A%80"):
        assert (await put(api, user, {"displayName": "Odd"})).status == 200
        assert (await api.get(f"/api/users/{user}")).json["displayName"] == "Odd"
    for user in ("%00", "x" * 129):
        answer = await put(api, user, ADA)
        assert answer.outcome == (400, "invalid_request")
        assert answer.json["path"] == "userId"
