"""Webhooks as an administrator sets them up."""

from __future__ import annotations

import json
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from scoreboard.settings import Settings
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api

WEBHOOKS = "/api/admin/webhooks"
NEW = {"url": "https://hooks.example.com/a?key=T0K3N", "events": ["player.erased"]}


@pytest.fixture
async def admin(api: Api) -> Api:
    return api.bearing(api.service.token("admin", subject="warden"))


async def add(admin: Api, **given: Any) -> Any:
    answer = await admin.post(WEBHOOKS, {**NEW, **given})
    assert answer.status == 201, answer
    return answer.json


async def test_a_webhook_is_added_and_its_secret_is_shown_this_once(
    admin: Api, database: asyncpg.Connection
) -> None:
    given = {"events": ["top.changed"], "boards": ["arena"], "interval": 5, "description": "ours"}
    with capture_logs() as logs:
        added = await add(admin, **given)
        listed = await admin.get(WEBHOOKS)
        one = await admin.get(f"{WEBHOOKS}/{added['webhook']['id']}")
    assert listed.json == {"webhooks": [added["webhook"]]}
    assert one.json == added["webhook"]
    assert given.items() <= added["webhook"].items()
    assert added["webhook"]["url"] == NEW["url"]
    assert added["secret"] == await database.fetchval("SELECT secret FROM webhook")
    seen = listed.body + one.body
    assert added["secret"].encode() not in seen
    audit = await database.fetch("SELECT actor, decision, details FROM admin_audit")
    assert [(row["actor"], row["decision"]) for row in audit] == [("warden", "webhook_added")]
    for text in (json.dumps(logs, default=str), audit[0]["details"]):
        assert "T0K3N" not in text
        assert added["secret"] not in text


async def test_a_rotated_secret_is_another_one(admin: Api, database: asyncpg.Connection) -> None:
    added = await add(admin)
    path = f"{WEBHOOKS}/{added['webhook']['id']}"
    rotated = await admin.call("POST", f"{path}/rotate")
    assert rotated.status == 200
    assert rotated.json["secret"] != added["secret"]
    row = await database.fetchrow("SELECT secret, former FROM webhook")
    assert tuple(row) == (rotated.json["secret"], added["secret"])
    assert (await admin.get(path)).json["formerSecretUntil"] is not None


async def test_a_webhook_that_was_removed_is_unknown(admin: Api) -> None:
    path = f"{WEBHOOKS}/{(await add(admin))['webhook']['id']}"
    assert (await admin.call("DELETE", path)).status == 204
    for answer in (
        await admin.call("DELETE", path),
        await admin.get(path),
        await admin.call("POST", f"{path}/rotate"),
        await admin.call("POST", f"{path}/retry"),
        await admin.get(f"{path}/deliveries"),
        await admin.get(f"{WEBHOOKS}/none"),
    ):
        assert answer.outcome == (404, "not_found")
    assert (await admin.get(WEBHOOKS)).json == {"webhooks": []}


NO_WEBHOOKS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"url": "http://hooks.example.com"}, "url"),
    ({"url": "https://127.0.0.1/"}, "url"),
    ({"url": "https://user:secret@hooks.example.com/"}, "url"),
    ({"url": ""}, "url"),
    ({"events": []}, "events"),
    ({"events": ["score.changed"]}, "events[0]"),
    ({"events": ["top.changed"]}, "boards"),
    ({"boards": ["No Board"]}, "boards[0]"),
    ({"interval": 0}, "interval"),
    ({"secret": "mine"}, "secret"),
)


async def test_what_is_wrong_is_named_and_nothing_is_added(admin: Api) -> None:
    for given, path in NO_WEBHOOKS:
        answer = await admin.post(WEBHOOKS, {**NEW, **given})
        assert answer.outcome == (400, "invalid_request"), given
        assert answer.json["path"] == path, given
        assert (await admin.get(WEBHOOKS)).json == {"webhooks": []}, given


async def test_a_network_that_the_settings_allow_may_be_named(start_api: StartApi) -> None:
    api = await start_api(webhook_networks="10.20.0.0/16")
    admin = api.bearing(api.service.token("admin"))
    await add(admin, url="http://10.20.1.1:8000/")
    refused = await admin.post(WEBHOOKS, {**NEW, "url": "http://10.21.1.1:8000/"})
    assert refused.json["path"] == "url"


async def test_the_fifty_first_webhook_is_refused(admin: Api, database: asyncpg.Connection) -> None:
    await database.execute(
        "INSERT INTO webhook (url, events, pace, description, secret)"
        " SELECT 'https://example.com', '{player.erased}', 60, '', 'whsec_AAAA'"
        " FROM generate_series(1, 50)"
    )
    assert (await admin.post(WEBHOOKS, NEW)).outcome == (409, "too_many_webhooks")


async def test_only_an_administrator_of_all_boards_may_do_anything(api: Api) -> None:
    tokens = (
        (api.service.token("score:write board:read"), 403),
        (api.service.token("admin", boards=["arena"]), 403),
        ("", 401),
    )
    for token, status in tokens:
        caller = api.bearing(token)
        for answer in (
            await caller.get(WEBHOOKS),
            await caller.post(WEBHOOKS, NEW),
            await caller.get(f"{WEBHOOKS}/1"),
            await caller.call("DELETE", f"{WEBHOOKS}/1"),
            await caller.call("POST", f"{WEBHOOKS}/1/rotate"),
            await caller.call("POST", f"{WEBHOOKS}/1/retry"),
            await caller.get(f"{WEBHOOKS}/1/deliveries"),
        ):
            assert answer.status == status


async def test_deliveries_are_paged_filtered_and_sent_again(
    admin: Api, database: asyncpg.Connection
) -> None:
    webhook = (await add(admin))["webhook"]["id"]
    path = f"{WEBHOOKS}/{webhook}"
    for n in range(5):
        await database.execute(f"SELECT tell_outsiders('player.erased', NULL, '{{\"n\": {n}}}')")
    await database.execute(
        "UPDATE outside_event SET state = 'dead', ended = now(), attempts = 9, failure = 'no'"
        " WHERE body ->> 'n' IN ('1', '3')"
    )
    seen: list[Any] = []
    cursor = ""
    while True:
        page = (await admin.get(f"{path}/deliveries?limit=2{cursor}")).json
        seen += page["deliveries"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert [one["state"] for one in seen] == ["waiting", "dead", "waiting", "dead", "waiting"]
    dead = (await admin.get(f"{path}/deliveries?state=dead")).json["deliveries"]
    assert dead == [seen[1], seen[3]]
    assert (dead[0]["attempts"], dead[0]["due"], dead[0]["failure"]) == (9, None, "no")
    fares = (await admin.get(path)).json
    assert (fares["waiting"], fares["dead"]) == (3, 2)

    some = await admin.post(f"{path}/retry", {"deliveries": [dead[0]["message"]]})
    rest = await admin.call("POST", f"{path}/retry")
    again = await admin.call("POST", f"{path}/retry")
    assert [answer.json["retried"] for answer in (some, rest, again)] == [1, 1, 0]
    wrong = await admin.post(f"{path}/retry", {"deliveries": ["1"]})
    assert (wrong.outcome, wrong.json["path"]) == ((400, "invalid_request"), "deliveries[0]")
    for query in ("state=lost", "limit=0", "limit=201", "cursor=0", "cursor=x"):
        answer = await admin.get(f"{path}/deliveries?{query}")
        assert (answer.outcome, answer.json["path"]) == (
            (400, "invalid_request"),
            query.partition("=")[0],
        )


async def test_a_setting_that_names_no_network_is_refused_at_start(
    settings: Settings, start_api: StartApi
) -> None:
    with pytest.raises(Exception, match="SCOREBOARD_WEBHOOK_NETWORKS"):
        await start_api(webhook_networks="intranet")
