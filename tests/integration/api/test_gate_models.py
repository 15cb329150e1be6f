"""Which trained model is in force, over HTTP."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from scoreboard.pg.models import Models
from scoreboard.pg.pool import open_pool
from scoreboard.settings import Settings
from tests.integration.api.described_api import Api
from tests.support.waiting import PATIENCE

MODELS = "/api/admin/models"
BOARDS = ("", "arena", "arena", "laps")  # of the models 1 to 4


@pytest.fixture
async def admin(api: Api, settings: Settings) -> Api:
    """An administrator of a service with four models, of which none is in force."""
    pool = await open_pool(settings.database_url, connections=1, timeout=PATIENCE)
    for board in BOARDS:
        # Nothing judges here, so that nobody reads the models themselves.
        await Models(pool).add(
            board,
            b"model",
            first_ms=1_700_000_000_000,
            last_ms=1_800_000_000_000,
            false_alarm_rate=0.001,
            quality={"actions": 1234},
        )
    await pool.close()
    return api.bearing(api.service.token("admin", subject="eve"))


async def listed(admin: Api) -> list[dict[str, Any]]:
    answer = await admin.get(MODELS)
    assert answer.status == 200, answer
    models: list[dict[str, Any]] = answer.json["models"]
    return models


async def in_force(admin: Api) -> dict[str, int]:
    return {one["board"]: one["version"] for one in await listed(admin) if one["active"]}


async def test_models_are_listed_the_newest_first_with_what_was_measured(admin: Api) -> None:
    newest, *others = await listed(admin)
    assert [one["version"] for one in others] == [3, 2, 1]
    assert newest | {"created": None} == {
        "version": 4,
        "board": "laps",
        "active": False,
        "created": None,
        "trainedFrom": "2023-11-14T22:13:20Z",
        "trainedTo": "2027-01-15T08:00:00Z",
        "falseAlarmRate": 0.001,
        "quality": {"actions": 1234},
        "bytes": 5,
    }


async def test_a_model_that_is_put_in_force_takes_the_place_of_the_one_before(
    admin: Api, database: asyncpg.Connection
) -> None:
    first = await admin.call("POST", f"{MODELS}/3/activate")
    assert first.json == {"version": 3, "board": "arena", "replaced": None}
    assert (await admin.call("POST", f"{MODELS}/1/activate")).status == 200
    assert await in_force(admin) == {"": 1, "arena": 3}
    back = await admin.call("POST", f"{MODELS}/2/activate")
    assert back.json == {"version": 2, "board": "arena", "replaced": 3}
    assert await in_force(admin) == {"": 1, "arena": 2}
    audited = await database.fetch(
        "SELECT actor, decision, board, details ->> 'model' FROM admin_audit ORDER BY id"
    )
    assert [tuple(row) for row in audited] == [
        ("eve", "model_activated", "arena", "3"),
        ("eve", "model_activated", None, "1"),
        ("eve", "model_activated", "arena", "2"),
    ]


async def test_of_a_model_that_is_held_back_it_is_told_what_judges_instead(
    admin: Api, database: asyncpg.Connection
) -> None:
    for version in (1, 3):
        assert (await admin.call("POST", f"{MODELS}/{version}/activate")).status == 200
    for _ in "ab":  # the second time it is so already
        held = await admin.call("POST", f"{MODELS}/3/hold-back")
        assert held.json == {"version": 3, "board": "arena", "instead": 1}
    assert await in_force(admin) == {"": 1}
    general = await admin.call("POST", f"{MODELS}/1/hold-back")
    assert general.json == {"version": 1, "board": "", "instead": None}
    assert await in_force(admin) == {}
    audited = await database.fetch(
        "SELECT actor, board, details ->> 'model' FROM admin_audit"
        " WHERE decision = 'model_held_back' ORDER BY id"
    )
    assert [tuple(row) for row in audited] == [("eve", "arena", "3"), ("eve", None, "1")]


async def test_there_is_no_model_of_another_number(admin: Api) -> None:
    for version in ("5", "0", "none", "9223372036854775808"):
        for verb in ("activate", "hold-back"):
            answer = await admin.call("POST", f"{MODELS}/{version}/{verb}")
            assert answer.outcome == (404, "not_found"), version


async def test_a_token_for_some_boards_chooses_among_those_of_these_alone(admin: Api) -> None:
    some = admin.bearing(admin.service.token("admin", boards=["arena"]))
    assert [one["version"] for one in await listed(some)] == [3, 2, 1]
    assert (await some.call("POST", f"{MODELS}/3/activate")).status == 200
    for foreign in (1, 4):
        for verb in ("activate", "hold-back"):
            answer = await some.call("POST", f"{MODELS}/{foreign}/{verb}")
            assert answer.outcome == (403, "forbidden"), foreign
    assert await in_force(admin) == {"arena": 3}


async def test_models_are_for_administrators(admin: Api) -> None:
    game = admin.bearing(admin.service.token("score:write"))
    for method, path in (("GET", MODELS), ("POST", f"{MODELS}/1/activate")):
        assert (await game.call(method, path)).outcome == (403, "forbidden")
        assert (await admin.bearing(None).call(method, path)).outcome == (401, "unauthorized")
