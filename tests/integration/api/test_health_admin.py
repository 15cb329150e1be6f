"""What administrators are told of the service itself."""

from __future__ import annotations

from typing import Any

import pytest

from scoreboard import __version__
from scoreboard.local.readiness import NAMES
from tests.integration.api.described_api import Api
from tests.support.waiting import wait_until

HEALTH = "/api/admin/health"


@pytest.fixture
def admin(api: Api) -> Api:
    return api.bearing(api.service.token("admin"))


async def traffic(admin: Api) -> dict[str, Any]:
    answer = await admin.get(HEALTH)
    assert answer.status == 200, answer
    found: dict[str, Any] = answer.json["traffic"]
    return found


async def test_it_has_the_parts_of_readyz(admin: Api) -> None:
    async def ready() -> bool:
        return (await admin.get("/readyz")).status == 200

    await wait_until(ready, description="the service is ready")
    told, parts = (await admin.get(HEALTH)).json, (await admin.get("/readyz")).json["parts"]
    assert (told["ready"], told["version"]) == (True, __version__)
    assert told["parts"].keys() == parts.keys()
    assert parts.keys() <= NAMES.keys(), "`up` has words for each"
    assert told["parts"]["redis"]["backlog"] == 0


async def test_it_names_the_servers_of_redis_to_those_who_may_see_all_boards(
    api: Api, admin: Api
) -> None:
    servers = (await admin.get(HEALTH)).json["servers"]
    assert {one["role"] for one in servers} == {"master"}
    had = sorted(partition for one in servers for partition in one["partitions"])
    assert had == list(range(api.service.settings.partitions))
    assert {one["backlog"] for one in servers} == {0}

    some = api.bearing(api.service.token("admin", boards=["arena"]))
    assert (await some.get(HEALTH)).json["servers"] == []


async def test_what_was_answered_is_counted(api: Api, admin: Api) -> None:
    # Other tests of this process have counted before.
    before = await traffic(admin)
    for number in range(3):
        assert (await api.score("ann", 1, f"a{number}")).status == 200
    assert (await api.score("ann", 1, "a0")).status == 409
    after = await traffic(admin)

    def grown(name: str, key: str) -> int:
        return int(after[name].get(key, 0) - before[name].get(key, 0))

    assert grown("answers", "2xx") == 3 + 1, "the actions, and the first look at the figures"
    assert grown("answers", "4xx") == 1
    assert sum(after["actions"].values()) - sum(before["actions"].values()) == 4
    last, earlier = (one["latencies"][-1] for one in (after, before))
    assert last["upTo"] is None
    assert last["answers"] - earlier["answers"] == 5


async def test_latencies_are_told_up_to_each_bound(api: Api, admin: Api) -> None:
    await api.score("ann", 1)
    latencies = (await traffic(admin))["latencies"]
    bounds = [one["upTo"] for one in latencies]
    counts = [one["answers"] for one in latencies]
    assert bounds[:-1] == sorted(bounds[:-1])
    assert counts == sorted(counts)
    assert counts[-1] > 0


async def test_only_administrators_are_told(api: Api) -> None:
    assert (await api.bearing(None).get(HEALTH)).outcome == (401, "unauthorized")
    assert (await api.get(HEALTH)).outcome == (403, "forbidden")
    some = api.bearing(api.service.token("admin", boards=["arena"]))
    assert (await some.get(HEALTH)).status == 200
