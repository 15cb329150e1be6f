"""``Prefer: durability=...``: what a reply promises, and what it says when that was not reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from multidict import CIMultiDict

from scoreboard import background
from scoreboard.domain.durability import Durability
from scoreboard.local.embedded_servers import Valkey
from scoreboard.pg.ledger import Ledger
from scoreboard.redisio.streams import PartitionStream
from scoreboard.write_path.commit_watch import CommitWatch
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Answer, Api
from tests.support.servers import redis_client
from tests.support.waiting import wait_until

ACTION = {"userId": "ann", "actionId": "a1", "points": 15}
BATCH = {"actions": [ACTION, {**ACTION, "actionId": "a2"}]}


def applied(answer: Answer) -> str | None:
    return answer.headers.get("Preference-Applied")


async def post(api: Api, level: str, body: Any = ACTION) -> Answer:
    path = "/api/scores" if "actions" in body else "/api/score"
    return await api.post(path, body, Prefer=f"durability={level}")


async def test_redis_is_the_level_of_a_reply_that_nobody_asked_more_of(api: Api) -> None:
    assert applied(await api.post("/api/score", ACTION)) is None
    answer = await post(api, "redis", {**ACTION, "actionId": "a2"})

    assert (answer.status, applied(answer)) == (200, "durability=redis")
    assert "durability" not in answer.json


async def test_a_reply_that_promises_postgres_comes_after_the_commit(api: Api) -> None:
    async with api.service.persisting():
        answer = await post(api, "postgres")
        batch = await post(api, "postgres", BATCH)

    assert (answer.status, applied(answer)) == (200, "durability=postgres")
    assert [r["status"] for r in batch.json["results"]] == [409, 200]
    assert applied(batch) == "durability=postgres"


async def test_a_commit_that_names_the_action_needs_no_look_into_the_ledger(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(Ledger, "has_counted")
    async with api.service.persisting():
        answer = await post(api, "postgres")
        batch = await post(api, "postgres", {"actions": [{**ACTION, "actionId": "a2"}]})

    assert (answer.status, applied(answer)) == (200, "durability=postgres")
    assert (batch.status, applied(batch)) == (200, "durability=postgres")


async def test_a_persister_of_an_older_version_that_names_no_action_is_believed_by_the_ledger(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledge = PartitionStream.acknowledge

    async def older(stream: PartitionStream, ids: Sequence[bytes], awaited: Sequence[str]) -> int:
        return await acknowledge(stream, ids)

    monkeypatch.setattr(PartitionStream, "acknowledge", older)
    async with api.service.persisting():
        answer = await post(api, "postgres")

    assert (answer.status, applied(answer)) == (200, "durability=postgres")


async def test_an_error_that_nobody_foresaw_does_not_end_the_watch_for_commits(
    start_api: StartApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, run = 0, CommitWatch.run

    async def failing_first(watch: CommitWatch) -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise ZeroDivisionError
        await run(watch)

    monkeypatch.setattr(background, "RESTART", 0)
    monkeypatch.setattr(CommitWatch, "run", failing_first)
    api = await start_api()
    async with api.service.persisting():
        assert applied(await post(api, "postgres")) == "durability=postgres"
    assert runs == 2


async def test_a_duplicate_promises_as_much_as_the_first_reply(api: Api) -> None:
    await api.score("ann", 15)
    async with api.service.persisting():
        await post(api, "postgres", {**ACTION, "actionId": "a2"})
        duplicate = await post(api, "postgres")

    assert duplicate.outcome == (409, "duplicate_action")
    assert applied(duplicate) == "durability=postgres"


async def test_another_server_promises_what_was_committed_before_it_listened(
    api: Api, start_api: StartApi
) -> None:
    async with api.service.persisting():
        await post(api, "postgres")
    # No persister runs any more, so no commit will be heard of.
    duplicate = await post(await start_api(durability_timeout=60), "postgres")

    assert duplicate.outcome == (409, "duplicate_action")
    assert applied(duplicate) == "durability=postgres"


@pytest.mark.parametrize("level", ["postgres", "replica", "disk"])
async def test_a_level_that_is_not_reached_in_time_is_a_202_with_the_one_that_was(
    start_api: StartApi, level: str
) -> None:
    api = await start_api(durability_timeout=0.5)
    answer = await post(api, level)
    batch = await post(api, level, BATCH)

    assert answer.status == 202
    assert applied(answer) is None
    assert answer.json["durability"] == "redis"
    assert answer.json["score"] == 15
    assert [r["status"] for r in batch.json["results"]] == [409, 202]
    assert batch.json["results"][1]["durability"] == "redis"
    assert applied(batch) is None
    assert await api.top() == {"ann": 30}, "it counts all the same"


async def test_a_replica_that_has_the_action_is_promised(
    api: Api, valkey: Valkey, start_valkey: Callable[..., Valkey]
) -> None:
    await api.score("bob", 1)
    password = valkey.url.split(":")[2].split("@")[0]
    # A Redis whose first append-only file is still to come does not end when it is told to.
    start_valkey(appendonly="no", replicaof=f"127.0.0.1 {valkey.port}", masterauth=password)

    n = 0

    async def acknowledged() -> bool:
        nonlocal n
        n += 1
        answer = await post(api, "replica", {**ACTION, "actionId": f"a{n}"})
        return (answer.status, applied(answer)) == (200, "durability=replica")

    await wait_until(acknowledged, description="the replica follows")


@pytest.mark.parametrize(
    ("level", "command"), [("replica", "WAIT"), ("disk", "CONFIG")], ids=["replica", "disk"]
)
@pytest.mark.parametrize("lacking", ["the right", "the command"])
async def test_a_level_for_which_the_server_lacks_something_counts_and_is_a_202(
    start_valkey: Callable[..., Valkey],
    start_api: StartApi,
    level: str,
    command: str,
    lacking: str,
) -> None:
    renamed = {"rename_command": f'{command} ""'} if lacking == "the command" else {}
    valkey = start_valkey(appendfsync="always", **renamed)
    if lacking == "the right":
        async with redis_client(valkey.url) as redis:
            await redis.execute_command("ACL SETUSER", "default", f"-{command.lower()}")
    api = await start_api(redis_url=valkey.url)
    answer = await post(api, level)
    assert (answer.status, answer.json["durability"], answer.json["score"]) == (202, "redis", 15)
    assert await api.top() == {"ann": 15}
    assert (await api.get("/readyz")).status == 200


async def test_an_unknown_level_is_refused_by_name(api: Api) -> None:
    for level in ("", "paper", "fsync"):
        answer = await post(api, level)

        assert answer.outcome == (400, "invalid_request"), level
        assert answer.json["path"] == "Prefer", level


PREFERENCES = (
    *("respond-async, durability=redis", 'Durability="redis"', "durability=redis; x=y", "wait=5"),
)


async def test_other_preferences_may_stand_beside_it(api: Api) -> None:
    for number, header in enumerate(PREFERENCES):
        action = {**ACTION, "actionId": f"beside {number}"}
        assert (await api.post("/api/score", action, Prefer=header)).status == 200, header


async def test_a_preference_counts_on_whatever_line_it_stands(api: Api) -> None:
    bearer = ("Authorization", f"Bearer {api.service.token()}")

    async def answer_to(*preferences: str) -> tuple[int, str | None]:
        lines = CIMultiDict([bearer, *(("Prefer", line) for line in preferences)])
        url = f"{api.service.url}/api/score"
        body = {**ACTION, "actionId": " ".join(preferences)}
        async with api.http.post(url, headers=lines, json=body) as answer:
            return answer.status, answer.headers.get("Preference-Applied")

    assert await answer_to("respond-async", "Durability=redis") == (200, "durability=redis")
    assert await answer_to("wait=5", "durability=paper") == (400, None)


async def test_another_level_may_be_the_default(start_api: StartApi) -> None:
    api = await start_api(durability=Durability.POSTGRES, durability_timeout=0.2)
    assert (await api.post("/api/score", ACTION)).json["durability"] == "redis"
    assert (await post(api, "redis", {**ACTION, "actionId": "a2"})).status == 200

    n = 2

    async def promised() -> bool:
        nonlocal n
        n += 1
        return (await api.post("/api/score", {**ACTION, "actionId": f"a{n}"})).status == 200

    async with api.service.persisting():
        await wait_until(promised, description="a reply within the time for it")
