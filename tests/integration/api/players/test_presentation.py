"""How players are shown in every answer: by name, by a pseudonym, or not at all."""

from __future__ import annotations

import base64
import json
import random
import re
from typing import Any

import pytest

from scoreboard.api.paging import cursor, place_of
from scoreboard.domain.periods import Period
from scoreboard.domain.profiles import Visibility
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api
from tests.support.waiting import PATIENCE, wait_until

ADA = {"displayName": "Ada", "avatarUrl": "https://img.example.org/ada.png", "country": "GB"}
WEEK = Period("week", cron="0 0 * * 1")

PSEUDONYM = re.compile(r"anonymous-[a-z2-7]{12}")


async def put(api: Api, user: str, **profile: Any) -> None:
    """Sets a profile."""
    answer = await api.call(
        "PUT",
        f"/api/users/{user}",
        data=json.dumps(profile).encode(),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status == 200, answer


def own(api: Api, user: str) -> Api:
    """The same service for the player's own token."""
    return api.bearing(api.service.token("score:submit", subject=user))


async def snapshot(api: Api, board: str = "global") -> Any:
    """What a client gets that connects."""
    async with api.http.ws_connect(f"{api.service.url}/ws/boards/{board}") as ws:
        return json.loads((await ws.receive(timeout=PATIENCE)).data)


async def read_everything(api: Api, users: list[str], query: str = "") -> list[bytes]:
    """The answers of every read of a board, about each of these users, and of every page,
    with what their cursors hold."""
    base = "/api/boards/arena"
    found = [(await api.get(f"{base}/top?{query}")).body]
    found.append((await api.get(f"{base}/rank?score=15&{query}")).body)
    for user in users:
        for path in (f"users/{user}", f"users/{user}/around"):
            answer = await api.get(f"{base}/{path}?{query}")
            # The user's own id, which the asker knew, is no news.
            if answer.status == 404:
                found.append(answer.body.replace(user.encode(), b""))
            else:
                found.append(answer.body)
    lookup = await api.post(f"{base}/users:lookup?{query}", {"userIds": users})
    found.append(json.dumps(lookup.json["users"]).encode())
    for limit in (1, 2, 5):
        after = ""
        while True:
            page = await api.get(f"{base}/standings?limit={limit}{after}&{query}")
            found.append(page.body)
            following = page.json["next"]
            if following is None:
                break
            found.append(base64.urlsafe_b64decode(following + "==="))
            after = f"&after={following}"
    return found


async def test_names_are_shown_wherever_a_user_is(api: Api) -> None:
    await put(api, "ada", **ADA)
    for user, points in (("bob", 20), ("ada", 15), ("cy", 10)):
        await api.score(user, points)
    stranger = api.bearing(None)
    base = "/api/boards/global"
    shown = {"userId": "ada", "score": 15, "player": ADA}

    assert (await stranger.get(f"{base}/top")).json["topScores"] == [
        {"userId": "bob", "score": 20},
        shown,
        {"userId": "cy", "score": 10},
    ]
    standing = {**shown, "rank": 2, "percentile": 66.67}
    assert (await stranger.get(f"{base}/standings")).json["standings"][1] == standing
    assert (await stranger.get(f"{base}/users/cy/around")).json["users"][1] == standing
    lookup = await stranger.post(f"{base}/users:lookup", {"userIds": ["ada"]})
    assert lookup.json == {"users": [standing], "missing": []}
    place = (await stranger.get(f"{base}/users/ada")).json
    assert (place["userId"], place["player"]) == ("ada", ADA)
    above = (await stranger.get(f"{base}/users/cy")).json["next"]
    assert above == {"userId": "ada", "rank": 2, "gap": 5, "player": ADA}
    assert (await snapshot(api))["topScores"][1] == shown


async def test_a_profile_without_anything_to_show_leaves_answers_as_they_were(api: Api) -> None:
    await api.score("ada", 15)
    before = [answer async for answer in _answers(api)]
    await put(api, "bob", metadata={"level": 7})
    await put(api, "ada", metadata={"level": 7})
    assert [answer async for answer in _answers(api)] == before


async def _answers(api: Api) -> Any:
    for path in ("top", "standings", "users/ada", "users/ada/around"):
        yield (await api.get(f"/api/boards/global/{path}")).body


async def test_an_anonymous_player_has_one_name_on_a_board_and_another_elsewhere(
    api: Api,
) -> None:
    await put(api, "ada", **ADA, visibility="anonymous")
    for board in ("global", "arena"):
        await api.score("ada", 15, board=board)
    stranger = api.bearing(None)
    [first] = await stranger.top()
    assert PSEUDONYM.fullmatch(first)
    assert list(await stranger.top()) == [first]
    [elsewhere] = await stranger.top("arena")
    assert PSEUDONYM.fullmatch(elsewhere)
    assert elsewhere != first
    entry = (await stranger.get("/api/boards/global/top")).json["topScores"][0]
    assert entry == {"userId": first, "score": 15}
    assert (await snapshot(api))["topScores"] == [entry]


async def test_an_anonymous_player_sees_itself_and_game_servers_see_all(
    start_api: StartApi,
) -> None:
    api = await start_api()
    await put(api, "ada", **ADA, visibility="anonymous")
    await api.score("ada", 15)
    await api.score("bob", 20)
    admin = api.bearing(api.service.token("admin"))
    elsewhere = api.bearing(api.service.token("score:write", boards=["arena"]))
    for may in (own(api, "ada"), api, admin):
        assert list(await may.top()) == ["bob", "ada"]
        assert (await may.get("/api/boards/global/users/ada")).json["player"] == ADA
        around = (await may.get("/api/boards/global/users/ada/around")).json["users"]
        assert [one["userId"] for one in around] == ["bob", "ada"]
        page = (await may.get("/api/boards/global/standings?limit=2")).json["standings"]
        assert page[1]["player"] == ADA
    reader = api.bearing(api.service.token("board:read", subject="ada"))
    for stranger in (api.bearing(None), own(api, "bob"), reader, elsewhere, api.bearing("a.b.c")):
        assert "ada" not in await stranger.top()


@pytest.mark.parametrize("visibility", ["anonymous", "hidden"])
async def test_who_asks_for_a_private_player_by_its_id_learns_what_is_true_of_nobody(
    api: Api, visibility: str
) -> None:
    await api.score("ada", 15)
    await api.score("bob", 20)
    await put(api, "ada", **ADA, visibility=visibility)
    stranger = own(api, "bob")
    for path in ("users/{}", "users/{}/around"):
        there, not_there = [
            await stranger.get(f"/api/boards/global/{path.format(user)}") for user in ("ada", "eve")
        ]
        assert there.outcome == (404, "unknown_user")
        assert there.body == not_there.body.replace(b"eve", b"ada")
    lookup = await stranger.post("/api/boards/global/users:lookup", {"userIds": ["ada", "eve"]})
    assert lookup.json == {"users": [], "missing": ["ada", "eve"]}


async def test_a_hidden_player_is_on_no_list_from_the_next_read_on(api: Api) -> None:
    await api.score("ada", 15)
    await api.score("bob", 20)
    await put(api, "bob", **ADA, visibility="hidden")
    for reader in (api.bearing(None), api, own(api, "bob")):
        assert list(await reader.top()) == ["ada"]
        page = (await reader.get("/api/boards/global/standings")).json["standings"]
        assert [one["userId"] for one in page] == ["ada"]
    assert [one["userId"] for one in (await snapshot(api))["topScores"]] == ["ada"]
    place = (await api.bearing(None).get("/api/boards/global/users/ada")).json
    assert place["next"] is None


@pytest.mark.parametrize("seed", range(3))
async def test_no_read_tells_a_stranger_the_id_of_a_private_player(api: Api, seed: int) -> None:
    rng = random.Random(seed)
    await api.service.make_board("arena", periods=(WEEK,))
    kinds: list[Visibility] = ["public", "anonymous", "hidden"]
    users = [f"secret-{i:02}-{rng.getrandbits(64):016x}" for i in range(14)]
    seen_as = {user: rng.choice(kinds) for user in users}
    socket = await api.http.ws_connect(f"{api.service.url}/ws/boards/arena")
    messages: list[bytes] = []
    for user in users:
        await put(api, user, displayName=f"name of {user}", visibility=seen_as[user])
        await api.score(user, rng.randint(1, 5) * 10, board="arena")
    await api.score("the-last", 1000, board="arena")
    while not any(b"the-last" in message for message in messages):
        messages.append(str((await socket.receive(timeout=PATIENCE)).data).encode())
    await socket.close()

    stranger = api.bearing(None)
    answers = [*messages, json.dumps(await snapshot(api, "arena")).encode()]
    for query in ("", "period=week"):
        answers += await read_everything(stranger, users, query)
    for user in users:
        mentioned = any(user.encode() in answer for answer in answers)
        assert mentioned is (seen_as[user] == "public"), user
    assert sum(v == "anonymous" for v in seen_as.values()) <= len(
        {name for answer in answers for name in PSEUDONYM.findall(answer.decode(errors="replace"))}
    )


async def test_pages_go_on_behind_an_anonymous_player(api: Api) -> None:
    for place, user in enumerate(("ada", "bob", "cy")):
        await api.score(user, 30 - place)
    await put(api, "ada", visibility="anonymous")
    stranger = api.bearing(None)
    page = (await stranger.get("/api/boards/global/standings?limit=1")).json
    assert b"ada" not in base64.urlsafe_b64decode(page["next"] + "===")
    following = f"/api/boards/global/standings?limit=5&after={page['next']}"
    for reader in (stranger, api):
        found = (await reader.get(following)).json["standings"]
        assert [one["userId"] for one in found] == ["bob", "cy"]


async def test_a_cursor_that_somebody_made_does_not_tell_which_id_is_larger(api: Api) -> None:
    for place, user in enumerate(("ada", "bob", "cy")):
        await api.score(user, 30 - place)
    stranger = api.bearing(None)
    standings = "/api/boards/global/standings"
    before = (await stranger.get(f"{standings}?limit=2")).json["next"]
    await put(api, "bob", visibility="anonymous")
    of_bob = place_of({"after": before}, lambda: b"")
    pages = [
        (await stranger.get(f"{standings}?after={cursor(of_bob._replace(user_id=guess))}")).json
        for guess in ("a", "boa", "bob", "boc", "z")
    ]
    assert all(page == pages[0] for page in pages)
    assert [one["score"] for one in pages[0]["standings"]] == [29, 28]
    # Nor does it help to go on from there: every cursor that comes back is sealed.
    following = (await stranger.get(f"{standings}?limit=1")).json["next"]
    assert b"ada" not in base64.urlsafe_b64decode(following + "===")
    rest = (await stranger.get(f"{standings}?after={following}")).json["standings"]
    assert [one["score"] for one in rest] == [29, 28]


async def test_a_page_without_news_is_not_sent_again_though_it_ends_in_secret(api: Api) -> None:
    await api.score("ada", 30)
    await api.score("bob", 20)
    await put(api, "ada", visibility="anonymous")
    stranger = api.bearing(None)
    for path in ("standings?limit=1", "top"):
        first = await stranger.get(f"/api/boards/global/{path}")
        again = await stranger.get(
            f"/api/boards/global/{path}", If_None_Match=first.headers["ETag"]
        )
        assert again.status == 304
        mine = await api.get(f"/api/boards/global/{path}", If_None_Match=first.headers["ETag"])
        assert mine.status == 200  # whoever sees more does not take the answer for that


async def test_other_processes_show_a_new_name_too(start_api: StartApi) -> None:
    here, there = await start_api(), await start_api()
    await here.score("ada", 15)
    assert (await there.get("/api/boards/global/top")).json["topScores"] == [
        {"userId": "ada", "score": 15}
    ]
    await put(here, "ada", **ADA)
    await _shows(there, {"userId": "ada", "score": 15, "player": ADA})
    await put(there, "ada", country="FR")
    await _shows(here, {"userId": "ada", "score": 15, "player": {"country": "FR"}})


async def _shows(api: Api, entry: Any) -> None:
    async def shown() -> bool:
        top = (await api.get("/api/boards/global/top")).json["topScores"]
        return bool(top == [entry])

    await wait_until(shown, description=f"the other process shows {entry}")
