"""Revoked tokens: over HTTP and by the command, in every process, with Redis or Postgres away."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import asyncpg
import jwt
import msgspec
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from scoreboard.api import revocation_watch
from scoreboard.local.embedded_servers import Postgres
from scoreboard.settings import Settings
from scoreboard.wire.keys import REVOCATIONS, REVOKED
from scoreboard.wire.revocations import WHOLE
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Answer, Api
from tests.support.command import environment, named, scoreboard
from tests.support.waiting import PATIENCE, wait_until


class RevokedThenAway(NamedTuple):
    """A process that knows of the ``bad`` token, and the settings for more."""

    settings: Settings
    api: Api
    good: str
    bad: str


REVOKE = "/api/admin/tokens/revoke"


def admin(api: Api) -> Api:
    return api.bearing(api.service.token("admin", subject="warden"))


def jti_of(token: str) -> str:
    return str(jwt.decode(token, options={"verify_signature": False})["jti"])


async def is_refused(api: Api, token: str) -> None:
    """Returns once the service refuses the token."""

    async def refused() -> bool:
        return (await api.bearing(token).score("ann", 1)).status == 401

    await wait_until(refused, description="the token is refused")


async def test_a_revoked_token_is_refused_by_every_process_and_others_are_not(
    start_api: StartApi,
) -> None:
    first, second = await start_api(), await start_api()
    bad, good = first.service.token(), first.service.token()
    for api in (first, second):  # which both remember it now
        assert (await api.bearing(bad).score("ann", 15)).status in (200, 409)
    answer = await admin(first).post(REVOKE, {"jti": jti_of(bad), "reason": "in a public log"})

    assert (answer.status, answer.json["known"]) == (200, True)
    for api in (first, second):
        await is_refused(api, bad)
        assert (await api.bearing(good).score("ann", 15)).status == 409
        assert (await api.bearing(bad).score("ann", 15)).outcome == (401, "unauthorized")


async def test_all_tokens_of_a_subject_up_to_a_moment_are_revoked(api: Api) -> None:
    old = api.service.token(subject="server-7")
    other = api.service.token(subject="server-8")
    assert (await api.bearing(old).score("ann", 15)).status == 200
    moment = datetime.now(UTC) + timedelta(seconds=1)
    answer = await admin(api).post(
        REVOKE, {"subject": "server-7", "issuedBefore": moment.isoformat()}
    )

    assert answer.status == 200
    assert datetime.fromisoformat(answer.json["issuedBefore"]) == moment
    await is_refused(api, old)
    assert (await api.bearing(other).score("ann", 15)).status == 409
    later = dict(jwt.decode(old, options={"verify_signature": False}))
    later |= {"iat": time.time() + 2, "jti": "later"}
    key = json.loads(api.service.settings.jwt_keys)["test"]
    new = jwt.encode(later, key, headers={"kid": "test"})
    assert (await api.bearing(new).score("ann", 15)).status == 409


async def test_what_is_revoked_is_so_after_a_restart_and_in_new_processes(
    start_api: StartApi,
) -> None:
    before = await start_api()
    bad = before.service.token()
    assert (await admin(before).post(REVOKE, {"jti": jti_of(bad)})).status == 200
    await is_refused(await start_api(), bad)


async def test_a_revocation_is_audited(api: Api, settings: Settings) -> None:
    await admin(api).post(REVOKE, {"jti": "one", "reason": "lost"})
    await admin(api).post(REVOKE, {"subject": "ann", "until": "2100-01-01T00:00:00Z"})
    database = await asyncpg.connect(settings.database_url)
    rows = await database.fetch(
        "SELECT actor, decision, user_id, reason, details::text FROM admin_audit ORDER BY id"
    )
    await database.close()

    assert [tuple(row)[:4] for row in rows] == [
        ("warden", "token_revoked", None, "lost"),
        ("warden", "token_revoked", "ann", ""),
    ]
    assert json.loads(rows[0]["details"]) == {"jti": "one"}
    assert json.loads(rows[1]["details"])["until"] == "2100-01-01T00:00:00+00:00"


NO_REVOCATIONS: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, ""),
    ({"jti": "x", "subject": "ann"}, ""),
    ({"jti": "x", "issuedBefore": "2026-01-01T00:00:00Z"}, ""),
    ({"jti": ""}, "jti"),
    ({"jti": "x" * 513}, "jti"),
    ({"jti": "a\nb"}, "jti"),
    ({"subject": 7}, "subject"),
    ({"subject": "ann", "issuedBefore": "9999-12-31T23:59:59Z"}, "issuedBefore"),
    ({"subject": "ann", "issuedBefore": "0001-01-01T00:00:00+14:00"}, "issuedBefore"),
    ({"subject": "ann", "issuedBefore": "2026-01-01T00:00:00"}, "issuedBefore"),
    ({"jti": "x", "until": "2001-01-01T00:00:00Z"}, "until"),
    ({"jti": "x", "why": "?"}, "why"),
)


async def test_what_makes_no_sense_is_refused_by_name(api: Api) -> None:
    for body, path in NO_REVOCATIONS:
        answer = await admin(api).post(REVOKE, body)
        assert answer.outcome == (400, "invalid_request"), body
        assert answer.json["path"] == path, body


async def test_the_latest_moments_that_are_taken_can_be_read_again(start_api: StartApi) -> None:
    api = await start_api()
    token = api.service.token(subject="ann")
    body = {"subject": "ann", "until": "9999-12-31T23:59:59.999999-14:00"}
    assert (await admin(api).post(REVOKE, body)).status == 200
    await is_refused(await start_api(), token)


async def test_only_an_administrator_of_all_boards_revokes(api: Api) -> None:
    for token in (
        api.service.token("score:write board:read"),
        api.service.token("admin", boards=["global"]),
    ):
        answer = await api.bearing(token).post(REVOKE, {"jti": "x"})
        assert answer.outcome == (403, "forbidden")


async def test_the_websockets_of_a_revoked_token_are_closed_in_every_process(
    start_api: StartApi,
) -> None:
    first, second = await start_api(public_reads=False), await start_api(public_reads=False)
    assert (await first.score("ann", 15)).status == 200
    token = first.service.token("board:read", subject="ann")
    async with second.http.ws_connect(
        f"{second.service.url}/ws/leaderboard", headers={"Authorization": f"Bearer {token}"}
    ) as socket:
        assert (await socket.receive(timeout=PATIENCE)).data
        await admin(first).post(REVOKE, {"subject": "ann"})
        async with asyncio.timeout(PATIENCE):
            while not socket.closed:
                await socket.receive()
        assert socket.close_code == 4401


async def test_the_log_tells_that_a_revoked_token_was_used(api: Api) -> None:
    bad = api.service.token()
    with capture_logs() as lines:
        await admin(api).post(REVOKE, {"jti": jti_of(bad)})
        await is_refused(api, bad)
    reasons = [line["reason"] for line in lines if line["event"] == "token_refused"]
    assert reasons == ["revoked"]


async def test_a_message_that_was_missed_is_made_up_for(
    api: Api, settings: Settings, monkeypatch: pytest.MonkeyPatch, redis: Redis
) -> None:
    """As after a spell without Redis: nothing was told, the subscription comes back."""
    bad = api.service.token()
    assert (await api.bearing(bad).score("ann", 15)).status == 200
    database = await asyncpg.connect(settings.database_url)
    await database.execute(
        "INSERT INTO revoked_token (kind, name, issued_before, until)"
        " VALUES ('token', $1, to_timestamp(0), 'infinity')",
        jti_of(bad),
    )
    await database.close()
    assert (await api.bearing(bad).score("ann", 15)).status == 409, "nobody was told"
    await redis.client_kill_filter(_type="pubsub")
    await is_refused(api, bad)


async def test_an_unreadable_message_makes_it_look_again(api: Api, redis: Redis) -> None:
    bad = api.service.token()
    for text in ("{", "{}", '{"token":"a","subject":"b"}'):
        await redis.publish(REVOKED, text)
    await admin(api).post(REVOKE, {"jti": jti_of(bad)})
    await is_refused(api, bad)


@pytest.fixture
async def revoked_then_away(
    start_api: StartApi, settings: Settings, postgres: Postgres, postgres_url: str
) -> RevokedThenAway:
    """Postgres is away, and one token was revoked before."""
    here = msgspec.structs.replace(settings, database_url=postgres_url)
    api = await start_api(here)
    good, bad = api.service.token(), api.service.token()
    assert (await api.bearing(bad).score("ann", 15)).status == 200
    assert (await admin(api).post(REVOKE, {"jti": jti_of(bad)})).status == 200
    await is_refused(api, bad)
    postgres.stop()
    return RevokedThenAway(here, api, good, bad)


async def tokens_part(api: Api) -> Any:
    return (await api.get("/readyz")).json["parts"]["tokens"]


async def test_a_process_that_starts_while_postgres_is_away_finds_them_in_redis(
    start_api: StartApi, revoked_then_away: RevokedThenAway
) -> None:
    here, first, good, bad = revoked_then_away
    second = await start_api(here)

    assert (await second.bearing(bad).score("ann", 15)).outcome == (401, "unauthorized")
    assert (await second.bearing(good).score("ann", 15)).status == 409, "it takes others"
    assert await tokens_part(second) == {"up": True, "revoked": 1}
    answer: Answer = await admin(first).post(REVOKE, {"jti": "x"})
    assert answer.outcome == (503, "unavailable"), "none can be made meanwhile"


async def test_a_process_that_can_read_them_nowhere_takes_no_token_until_it_can(
    start_api: StartApi,
    revoked_then_away: RevokedThenAway,
    postgres: Postgres,
    redis: Redis,
) -> None:
    here, first, good, bad = revoked_then_away
    await redis.zrem(REVOCATIONS, WHOLE)  # as when Redis was emptied, and told of others since
    second = await start_api(here, takes_tokens=False)

    for token in (good, bad):
        assert (await second.bearing(token).score("ann", 15)).outcome == (503, "unavailable")
    assert (await second.get("/readyz")).status == 503
    assert (await tokens_part(second))["up"] is False
    assert (await first.bearing(good).score("ann", 15)).status == 409, "the first knew them before"

    postgres.start()
    await is_refused(second, bad)
    assert await tokens_part(second) == {"up": True, "revoked": 1}


async def test_a_copy_that_redis_has_lost_is_made_again(
    api: Api, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation_watch, "REREAD", 0.05)
    await admin(api).post(REVOKE, {"jti": "one"})
    await redis.delete(REVOCATIONS)
    await redis.client_kill_filter(_type="pubsub")  # so that it does not wait ten seconds first

    async def is_whole() -> bool:
        return len(await redis.zrange(REVOCATIONS, 0, -1)) == 2

    await wait_until(is_whole, description="the copy is whole")


async def test_what_could_not_be_told_is_copied_when_it_is_found(
    start_api: StartApi, settings: Settings, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation_watch, "REREAD", 0.05)
    await start_api()
    without_redis = named("redis://127.0.0.1:1/0", settings.database_url)
    assert (await scoreboard("token", "revoke", "--jti", "x", **without_redis)).code == 0

    async def is_copied() -> bool:
        return set(await redis.zrange(REVOCATIONS, 0, -1)) == {b'{"token":"x"}', WHOLE}

    await wait_until(is_copied, description="it is in the copy")


async def test_the_command_revokes_by_id_by_subject_and_by_the_token_itself(
    api: Api, settings: Settings
) -> None:
    servers = named(settings.redis_url, settings.database_url)
    by_id, by_subject = api.service.token(), api.service.token(subject="server-7")
    ended = await scoreboard("token", "revoke", "--jti", jti_of(by_id), **servers)
    assert (ended.code, ended.out) == (0, "Revoked.\n"), ended
    await is_refused(api, by_id)
    ended = await scoreboard("token", "revoke", "--sub", "server-7", "--reason", "x", **servers)
    assert ended.code == 0, ended
    await is_refused(api, by_subject)

    itself = api.service.token()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scoreboard", "token", "revoke", "--stdin"),
        env=environment(**servers),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    await process.communicate(f"{itself}\n".encode())
    assert process.returncode == 0
    await is_refused(api, itself)


async def test_the_command_says_that_redis_was_away(settings: Settings) -> None:
    servers = named("redis://127.0.0.1:1/0", settings.database_url)
    ended = await scoreboard("token", "revoke", "--jti", "x", **servers)
    assert ended.code == 0, ended
    assert re.search("Redis is away, so running servers follow within", ended.out)
    assert revocation_watch.REREAD == 10, "as it says"
