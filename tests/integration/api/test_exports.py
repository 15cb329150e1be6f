"""Exports over HTTP: whole tables as of one moment, for administrators."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import asyncpg
import pytest

from scoreboard.api import exports
from scoreboard.settings import Settings
from tests.integration.api.described_api import Answer, Api
from tests.integration.api.test_outages import persisted
from tests.support.raw_http import Raw
from tests.support.waiting import wait_until

EXPORT = "/api/admin/boards/arena/export"


def admin(api: Api, **named: Any) -> Api:
    """The same service for an administrator."""
    return api.bearing(api.service.token("admin", subject="root", **named))


def csv_rows(answer: Answer) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """The head and the rows of a CSV."""
    assert answer.status == 200, answer
    head, _, rest = answer.body.decode().partition("\n")
    return json.loads(head.removeprefix("# ")), list(csv.DictReader(io.StringIO(rest)))


def ndjson_rows(answer: Answer) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The head and the rows of lines of JSON."""
    assert answer.status == 200, answer
    head, *rows = map(json.loads, answer.body.splitlines())
    return head["snapshot"], rows


@pytest.fixture
async def played(api: Api) -> Api:
    """A board with three users, all in Postgres."""
    for user, points in (("ann", 5), ("bob", 7), ("cy", 7), ("ann", 1)):
        await api.score(user, points, f"{user}-{points}", board="arena")
    await persisted(api)
    return api


async def test_standings_come_best_first_with_the_event_that_they_are_as_of(
    played: Api, settings: Settings
) -> None:
    answer = await admin(played).get(EXPORT)
    head, rows = csv_rows(answer)

    assert [(row["rank"], row["user_id"], row["score"]) for row in rows] == [
        *(("1", "bob", "7"), ("2", "cy", "7"), ("3", "ann", "6")),
    ]
    assert head["rows"] == 3
    assert (head["board"], head["what"], head["operator"]) == ("arena", "standings", "sum")
    database = await asyncpg.connect(settings.database_url)
    event = await database.fetchval(
        "SELECT event_ms || '-' || event_seq FROM score_action ORDER BY event_ms DESC, event_seq"
        " DESC LIMIT 1"
    )
    audit = await database.fetchrow("SELECT actor, decision, board, details FROM admin_audit")
    await database.close()
    assert head["watermark"] == answer.headers["Scoreboard-Watermark"] == event
    assert tuple(audit)[:3] == ("root", "board_exported", "arena")
    assert json.loads(audit["details"])["watermark"] == event


async def test_lines_of_json_have_the_names_of_the_api(played: Api) -> None:
    head, rows = ndjson_rows(await admin(played).get(f"{EXPORT}?format=ndjson&what=actions"))

    assert head["what"] == "actions"
    assert [(row["userId"], row["actionId"], row["points"], row["score"]) for row in rows] == [
        *(("ann", "ann-5", 5, 5), ("bob", "bob-7", 7, 7), ("cy", "cy-7", 7, 7)),
        ("ann", "ann-1", 1, 6),
    ]
    assert {row["status"] for row in rows} == {"accepted"}


NO_EXPORTS = (
    ("score:write", None, EXPORT, (403, "forbidden")),
    ("admin", ["other"], EXPORT, (403, "forbidden")),
    ("admin", None, "/api/admin/boards/nobody/export", (404, "unknown_board")),
    ("admin", None, f"{EXPORT}?what=users", (400, "invalid_request")),
    ("admin", None, f"{EXPORT}?format=xlsx", (400, "invalid_request")),
    ("admin", None, f"{EXPORT}?period=week", (404, "unknown_period")),
    ("admin", None, f"{EXPORT}?period=week&occurrence=previous", (404, "unknown_period")),
    ("admin", None, f"{EXPORT}?period=%00", (404, "unknown_period")),
    ("admin", None, f"{EXPORT}?occurrence=1", (400, "invalid_request")),
)


async def test_what_may_not_or_can_not_be_exported_is_refused(played: Api) -> None:
    for case in NO_EXPORTS:
        scope, boards, path, outcome = case
        token = played.service.token(scope, subject="root", boards=boards)

        assert (await played.bearing(token).get(path)).outcome == outcome, case


async def test_a_hidden_user_is_on_no_export_of_standings(played: Api) -> None:
    root = admin(played)
    await root.post("/api/admin/boards/arena/users/bob/hide", {})

    _, rows = ndjson_rows(await root.get(f"{EXPORT}?format=ndjson"))

    assert [(row["rank"], row["userId"]) for row in rows] == [(1, "cy"), (2, "ann")]


async def test_an_export_under_traffic_adds_up_at_its_watermark(api: Api) -> None:
    """Whatever comes in meanwhile, the standings are the sums of the actions up to the event."""
    root = admin(api)
    stopping = asyncio.Event()

    async def post() -> None:
        number = 0
        while not stopping.is_set():
            actions = [
                {"userId": f"user{(number + i) % 50}", "actionId": f"a{number + i}", "points": i}
                for i in range(20)
            ]
            number += len(actions)
            posted = await api.post("/api/boards/arena/scores", {"actions": actions})
            assert posted.status == 200

    async with api.service.persisting():
        first = {"userId": "user1", "actionId": "first", "points": 3}
        await api.post("/api/boards/arena/score", first, Prefer="durability=postgres")
        posting = asyncio.create_task(post())
        watermarks: set[tuple[int, ...]] = set()
        while len(watermarks) < 4:
            head, standings = ndjson_rows(await root.get(f"{EXPORT}?format=ndjson"))
            behind, actions = ndjson_rows(await root.get(f"{EXPORT}?format=ndjson&what=actions"))
            watermark = tuple(map(int, head["watermark"].split("-")))
            sums: Counter[str] = Counter()
            users = set()
            for action in actions:
                if tuple(map(int, action["event"].split("-"))) <= watermark:
                    sums[action["userId"]] += action["points"]
                    users.add(action["userId"])
            assert {row["userId"]: row["score"] for row in standings} == {u: sums[u] for u in users}
            assert len(standings) == head["rows"]
            assert len(actions) == behind["rows"]
            watermarks.add(watermark)
        stopping.set()
        await posting


@pytest.fixture
async def large(api: Api, settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """A board of which more is sent than the kernel holds for a client; the database."""
    await api.service.make_board("arena")
    database = await asyncpg.connect(settings.database_url)
    await database.execute(
        "INSERT INTO user_score (board, user_id, score, reached_at, last_event_ms, last_event_seq)"
        " SELECT 'arena', repeat('x', 100) || i, i, now(), 1, 0 FROM generate_series(1, 60000) AS i"
    )
    yield database
    await database.close()


async def reading(api: Api) -> Raw:
    """A client that asks for an export, and reads nothing of it so far."""
    raw = await api.connect(receive_buffer=4096)
    bearer = f"Authorization: Bearer {api.service.token('admin')}"
    await raw.send(f"GET {EXPORT} HTTP/1.1\r\nHost: x\r\n{bearer}\r\n\r\n".encode())
    return raw


async def snapshots(database: asyncpg.Connection) -> int:
    """Connections to Postgres that hold one, besides this."""
    return int(
        await database.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND xact_start IS NOT NULL AND pid <> pg_backend_pid()"
        )
    )


async def test_only_a_few_exports_run_at_once(api: Api, large: asyncpg.Connection) -> None:
    root = admin(api)
    clients = [await reading(api) for _ in range(exports.MOST)]

    async def one_too_many() -> bool:
        answer = await root.call("HEAD", EXPORT)
        return answer.status == 503 and int(answer.headers["Retry-After"]) > 0

    await wait_until(one_too_many, description="an export is one too many")

    for client in clients:
        await client.end()

    async def taken() -> bool:
        return (await root.call("HEAD", EXPORT)).status == 200

    await wait_until(taken, description="there is room again, as the clients have left")


async def test_a_client_that_does_not_read_its_export_holds_nothing_for_ever(
    api: Api, large: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "CHUNK_PATIENCE", 0.2)
    client = await reading(api)

    async def began() -> bool:
        return bool(await large.fetchval("SELECT count(*) FROM admin_audit"))

    await wait_until(began, description="the export has begun")

    async def freed() -> bool:
        return await snapshots(large) == 0

    await wait_until(freed, description="the snapshot is given back")
    with suppress(ConnectionError):  # which tells it as well
        assert not (await client.rest()).endswith(b"0\r\n\r\n"), "no client takes it for whole"
