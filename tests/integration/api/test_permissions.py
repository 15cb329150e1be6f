"""Who may call what: scopes, subjects, boards, and headers that hold no token."""

from __future__ import annotations

import json
import time
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from scoreboard.api.tokens import mint
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api

ACTION = {"userId": "ann", "actionId": "a1", "points": 15}
POSTS = [
    ("/api/score", ACTION),
    ("/api/scores", {"actions": [ACTION]}),
    ("/api/boards/arena/score", ACTION),
    ("/api/boards/arena/scores", {"actions": [ACTION]}),
]
READS = [
    "/api/boards/global",
    "/api/score/top",
    "/api/boards/global/top",
    "/api/boards/global/users/ann",
    "/api/boards/global/users/ann/around",
    "/api/score/standings",
    "/api/boards/global/standings",
    "/api/score/rank?score=1",
    "/api/boards/global/rank?score=1",
]


async def test_posting_needs_a_token(api: Api) -> None:
    for path, body in POSTS:
        answer = await api.bearing(None).post(path, body)

        assert answer.outcome == (401, "unauthorized"), path
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="scoreboard"', path


def unusable(api: Api) -> dict[str, str]:
    """Authorization headers that must be refused, each for another reason."""
    good = api.service.token()
    header, claims, signature = good.split(".")
    foreign = mint({"test": "x" * 32}, "HS256", subject="ann", scope="score:write", ttl=60)
    expired = api.service.token(ttl=-1)
    return {
        "another scheme": f"Basic {good}",
        "no scheme": good,
        "no token": "Bearer",
        "nonsense": "Bearer nonsense",
        "no signature": f"Bearer {header}.{claims}.",
        "another signature": f"Bearer {header}.{claims}.{signature[::-1]}",
        "another key": f"Bearer {foreign}",
        "expired": f"Bearer {expired}",
        "too long": f"Bearer {good}{'x' * 5000}",
    }


async def test_every_unusable_token_gets_the_same_answer(api: Api) -> None:
    answers = {
        name: await api.bearing(None).post("/api/score", ACTION, Authorization=value)
        for name, value in unusable(api).items()
    }

    assert {answer.outcome for answer in answers.values()} == {(401, "unauthorized")}
    assert len({answer.body for answer in answers.values()}) == 1


async def test_keys_that_a_login_service_publishes_are_good_beside_configured_ones(
    start_api: StartApi, tmp_path: Path
) -> None:
    own, theirs = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in "ab")
    pem = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    published = json.loads(jwt.get_algorithm_by_name("RS256").to_jwk(theirs.public_key()))
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [{**published, "kid": "2026"}]}))
    api = await start_api(jwt_keys=pem, jwt_algorithm="RS256", jwt_jwks=str(path))
    claims = {"sub": "server", "scope": "score:write", "exp": time.time() + 600}
    for key, status in ((theirs, 200), (own, 401)):
        token = jwt.encode(claims, key, algorithm="RS256", headers={"kid": "2026"})
        assert (await api.bearing(token).post("/api/boards/arena/score", ACTION)).status == status
    assert (await api.score("bob", 1)).status == 200, "signed with the configured one"
    assert (await api.get("/readyz")).json["parts"]["keys"]["keys"] == 1


@pytest.mark.parametrize("setting", ["jwt_issuer", "jwt_audience"])
async def test_issuer_and_audience_are_checked_when_set(
    api: Api, start_api: StartApi, setting: str
) -> None:
    strict = await start_api(**{setting: "games"})
    stranger = strict.bearing(api.service.token())

    assert (await strict.post("/api/score", ACTION)).status == 200
    assert (await stranger.post("/api/score", ACTION)).outcome == (401, "unauthorized")


async def test_posting_needs_a_scope_for_it(api: Api) -> None:
    for scope in ("", "board:read", "admin", "score", "score:writer", "SCORE:WRITE"):
        for path, body in POSTS:
            answer = await api.bearing(api.service.token(scope)).post(path, body)
            assert answer.outcome == (403, "forbidden"), (scope, path)


async def test_a_player_submits_scores_of_its_own(api: Api) -> None:
    await api.score("bob", 1)
    ann = api.bearing(api.service.token("board:read score:submit", subject="ann"))

    assert (await ann.score("ann", 15)).status == 200
    assert (await ann.score("bob", 15)).outcome == (403, "forbidden")
    assert (await ann.score("Ann", 15)).outcome == (403, "forbidden")
    assert await api.top() == {"ann": 15, "bob": 1}


async def test_a_board_comes_into_being_by_a_game_server_and_not_by_a_player(api: Api) -> None:
    ann = api.bearing(api.service.token("score:submit", subject="ann"))
    assert (await ann.score("ann", 15, board="arena")).outcome == (404, "unknown_board")
    batch = await ann.post("/api/boards/arena/scores", {"actions": [ACTION]})
    assert batch.outcome == (404, "unknown_board")

    assert (await api.score("bob", 1, board="arena")).status == 200
    assert (await ann.score("ann", 15, board="arena")).status == 200


async def test_a_refused_action_does_not_make_a_board(api: Api) -> None:
    await api.post("/api/boards/arena/score", {**ACTION, "points": "15"})

    assert (await api.get("/api/boards/arena/top")).outcome == (404, "unknown_board")


async def test_a_token_may_be_good_for_some_boards_only(api: Api) -> None:
    arena = api.bearing(api.service.token(boards=["arena", "duel"]))
    none = api.bearing(api.service.token(boards=[]))

    assert (await arena.score("ann", 15, board="arena")).status == 200
    assert (await arena.score("ann", 15, board="duel")).status == 200
    assert (await arena.post("/api/score", ACTION)).outcome == (403, "forbidden")
    assert (await none.post("/api/score", ACTION)).outcome == (403, "forbidden")


async def test_reads_are_public_and_never_look_at_a_token(api: Api) -> None:
    await api.score("ann", 15)

    for path in READS:
        assert (await api.bearing(None).get(path)).status == 200, path
        assert (await api.bearing("nonsense").get(path)).status == 200, path


async def test_reads_need_a_token_that_may_read_when_they_are_not_public(
    start_api: StartApi,
) -> None:
    api = await start_api(public_reads=False)
    await api.score("ann", 15)
    token = api.service.token

    for path in READS:
        assert (await api.bearing(None).get(path)).outcome == (401, "unauthorized"), path
        assert (await api.get(path)).outcome == (403, "forbidden"), path
        assert (await api.bearing(token("board:read")).get(path)).status == 200, path
        elsewhere = api.bearing(token("board:read", boards=["arena"]))
        assert (await elsewhere.get(path)).outcome == (403, "forbidden"), path
        here = api.bearing(token("board:read", boards=["global"]))
        assert (await here.get(path)).status == 200, path


async def test_moderators_read_the_boards_that_they_moderate(start_api: StartApi) -> None:
    api = await start_api(public_reads=False)
    await api.score("ann", 15)
    token = api.service.token

    for path in READS:
        assert (await api.bearing(token("admin")).get(path)).status == 200, path
        elsewhere = api.bearing(token("admin", boards=["arena"]))
        assert (await elsewhere.get(path)).outcome == (403, "forbidden"), path


async def test_a_token_for_some_boards_sees_only_these_in_the_list(start_api: StartApi) -> None:
    api = await start_api(public_reads=False)
    await api.score("ann", 15)
    for board in ("arena", "dice"):
        await api.service.make_board(board)
    token = api.service.token

    async def listed(client: Api) -> list[str]:
        return [one["board"] for one in (await client.get("/api/boards")).json["boards"]]

    assert (await api.bearing(None).get("/api/boards")).outcome == (401, "unauthorized")
    assert (await api.get("/api/boards")).outcome == (403, "forbidden")
    assert await listed(api.bearing(token("board:read"))) == ["arena", "dice", "global"]
    for scope in ("board:read", "admin"):
        some = api.bearing(token(scope, boards=["dice", "nowhere", "arena"]))
        assert await listed(some) == ["arena", "dice"]


async def test_looking_up_friends_needs_the_same_token_as_other_reads(start_api: StartApi) -> None:
    api = await start_api(public_reads=False)
    await api.score("ann", 15)
    path, body = "/api/boards/global/users:lookup", {"userIds": ["ann"]}

    assert (await api.bearing(None).post(path, body)).outcome == (401, "unauthorized")
    assert (await api.post(path, body)).outcome == (403, "forbidden")
    reader = api.bearing(api.service.token("board:read"))
    assert (await reader.post(path, body)).status == 200


async def test_health_and_descriptions_stay_public(start_api: StartApi) -> None:
    game_server = await start_api(public_reads=False)
    await game_server.score("ann", 1)  # or it would not be ready yet
    api = game_server.bearing(None)
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/"):
        assert (await api.get(path)).status == 200
