"""What administrators are told of the service itself."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from scoreboard import __version__
from scoreboard.settings import Settings
from tests.integration.api.described_api import Api
from tests.support.waiting import wait_until

HEALTH = "/api/admin/health"
LETTERS = "/api/admin/dead-letters"


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
    assert told["parts"]["redis"]["backlog"] == 0


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


async def test_what_could_not_be_written_is_listed_the_oldest_first(
    admin: Api, settings: Settings
) -> None:
    assert (await admin.get(LETTERS)).json == {"letters": [], "more": False}
    connection = await asyncpg.connect(settings.database_url)
    for number in (2, 1):
        await connection.execute(
            "INSERT INTO dead_event"
            " VALUES (0, $1, '{}', '{}', 'no such field', $2::text::timestamptz)",
            f"{number}-0",
            f"2026-01-0{number}T00:00:00Z",
        )
    await connection.close()

    first = {"name": "0:1-0", "created": "2026-01-01T00:00:00Z", "error": "no such field"}
    assert (await admin.get(f"{LETTERS}?limit=1")).json == {"letters": [first], "more": True}
    listed = (await admin.get(LETTERS)).json
    assert [one["name"] for one in listed["letters"]] == ["0:1-0", "0:2-0"]
    assert listed["more"] is False
    assert (await admin.get(f"{LETTERS}?limit=0")).outcome == (400, "invalid_request")


async def test_only_administrators_are_told(api: Api) -> None:
    some = api.bearing(api.service.token("admin", boards=["arena"]))
    for path in (HEALTH, LETTERS):
        assert (await api.bearing(None).get(path)).outcome == (401, "unauthorized")
        assert (await api.get(path)).outcome == (403, "forbidden")
    assert (await some.get(HEALTH)).status == 200
    assert (await some.get(LETTERS)).outcome == (403, "forbidden"), "entries are of any board"
