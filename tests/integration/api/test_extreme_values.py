"""Whatever is accepted can be read: extreme actions go through all that stores, shows, judges and
restores them, and come out as they went in."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from scoreboard.assembly.recovery import recovery, verifier_of
from scoreboard.commands.top import top_command
from scoreboard.domain.actions import MAX_POINTS
from scoreboard.domain.audit import Difference
from scoreboard.domain.boards import MAX_TOTAL
from scoreboard.pg.ledger_audit import LedgerAudit
from scoreboard.redisio.topologies import topology_at
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api
from tests.support.extent import WHOLE
from tests.support.waiting import PATIENCE, wait_until

SEASONS, ACTIONS = 4 if WHOLE else 2, 24

STRANGE = [
    *(".", "..", "/", "a/b", "%", "%2F", "%25", "%2e%2e", "a+b c", "?x=1#y", "&amp;", ";", "''"),
    *('"', "\\", "\\u0000", "{user}", "[/red]", "[bold]x", ":smile:", "$1", "users:lookup", "null"),
    *("\u202egnp", "a\u200bb", "\u2028", "\ufeff", "\ufffe", "\u0301", " ", "👍🏽", "İ", "ß"),
    *("x" * 128, "ÿ" * 128, "\U0010ffff" * 128),
]
VISIBLE = st.characters(exclude_categories=["Cs", "Cc"])


def texts(longest: int) -> st.SearchStrategy[str]:
    return st.sampled_from(STRANGE) | st.text(VISIBLE, min_size=1, max_size=longest)


def points() -> st.SearchStrategy[int]:
    return st.sampled_from([0, 1, -1, MAX_POINTS, -MAX_POINTS]) | st.integers(
        -MAX_POINTS, MAX_POINTS
    )


def times() -> st.SearchStrategy[str]:
    edges = [
        *("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000001Z", "1970-01-01t23:59:00+23:59"),
        *("9999-12-31T23:59:59.9999Z", "9999-12-31T23:59:59.999999999Z", "9999-12-31 00:00:00z"),
        *("9999-12-31T23:59:59-00:01", "1969-12-31T23:59:59.9999Z", "0001-01-01T00:00:00+23:59"),
        *("2024-02-29T23:59:59.123456789-23:59", "2000-02-30T00:00:00Z", "2016-12-31T23:59:60Z"),
    ]
    offsets = st.sampled_from(["Z", "z", "+00:00", "-00:00", "+14:00", "-23:59", "+23:59"])
    fractions = st.sampled_from(["", ".9", ".9995", ".999999999", ".000000001"])
    return st.sampled_from(edges) | st.builds(
        lambda moment, fraction, offset: f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}{offset}".zfill(20),
        st.datetimes(),
        fractions,
        offsets,
    )


def contexts() -> st.SearchStrategy[dict[str, Any]]:
    degrees = st.sampled_from([0.0, -0.0, 5e-324, -1e-300, 0.1 + 0.2])
    return st.fixed_dictionaries(
        {},
        optional={
            "occurredAt": times(),
            "ip": st.sampled_from(["::", "255.255.255.255", ":" * 45, "f" * 45]),
            "latitude": degrees | st.floats(-90, 90),
            "longitude": degrees | st.floats(-180, 180),
            "country": st.sampled_from(["AA", "ZZ", "FR"]),
            "deviceId": texts(128),
            "userAgent": texts(512),
            "actionType": texts(128),
        },
    )


def actions() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"userId": texts(128), "actionId": texts(128), "points": points()},
        optional={"context": contexts()},
    )


def _name(action: dict[str, Any]) -> tuple[str, str]:
    return action["userId"], action["actionId"]


async def post(api: Api, board: str, wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    answer = await api.post(f"/api/boards/{board}/scores", {"actions": wanted})
    assert answer.status == 200, answer
    results: list[dict[str, Any]] = answer.json["results"]
    assert len(results) == len(wanted)
    return results


async def shown(api: Api, board: str, totals: dict[str, int]) -> None:
    """Every reader has every user, with this total."""
    best = sorted(totals.values(), reverse=True)[:10]
    top = await api.top(board)
    assert list(top.values()) == best
    assert top.items() <= totals.items()
    async with api.http.ws_connect(f"{api.service.url}/ws/boards/{board}") as socket:
        snapshot = await socket.receive_json(timeout=PATIENCE)
    assert {row["userId"]: row["score"] for row in snapshot["topScores"]} == top
    found = await api.post(f"/api/boards/{board}/users:lookup", {"userIds": [*totals]})
    assert {one["userId"]: one["score"] for one in found.json["users"]} == totals
    for user, total in totals.items():
        path = f"/api/boards/{board}/users/{quote(user, safe='')}"
        answer = await api.get(path)
        assert (answer.status, answer.json["userId"], answer.json["score"]) == (200, user, total)
        around = await api.get(f"{path}/around?radius=1")
        assert user in [one["userId"] for one in around.json["users"]]


async def decided(admin: Api, board: str) -> None:
    """Every case of the board can be listed, looked at and decided."""
    page = await admin.get(f"/api/admin/reviews?board={board}&limit=200")
    assert (page.status, page.json["next"]) == (200, None), page
    for case in page.json["reviews"]:
        path = f"/api/admin/reviews/{case['id']}"
        details = await admin.get(path)
        assert details.status == 200, details
        assert case["actionId"] in [one["actionId"] for one in details.json["recent"]]
        user = quote(case["userId"], safe="")
        of_user = await admin.get(f"/api/admin/reviews?board={board}&user={user}")
        # Not as it was listed first: others of its episode may have been decided since.
        assert details.json["review"] in of_user.json["reviews"]
        verb = "approve" if case["kind"] == "refused" else "confirm"
        answer = await admin.post(f"{path}/{verb}", {"reason": "\U0010ffff" * 500})
        assert answer.status == 200, answer


@settings(
    max_examples=SEASONS,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[*HealthCheck],
)
@given(
    wanted=st.lists(actions(), min_size=ACTIONS, max_size=ACTIONS, unique_by=_name),
    mode=st.sampled_from(["off", "flag", "reject"]),
)
async def test_what_is_accepted_is_read_by_every_reader(
    start_api: StartApi,
    redis: Redis,
    pool: asyncpg.Pool,
    database: asyncpg.Connection,
    capsys: pytest.CaptureFixture[str],
    wanted: list[dict[str, Any]],
    mode: str,
) -> None:
    api = await start_api()
    admin = api.bearing(api.service.token("admin"))
    board = "x" * 60 + f"{await database.fetchval('SELECT count(*) FROM board'):04}"
    await api.service.make_board(board, mode=mode)

    results = await post(api, board, wanted)
    statuses = {result["status"] for result in results}
    assert statuses <= {200, 400, 403, 409, 422}, statuses
    kept = [
        action
        for action, result in zip(wanted, results, strict=True)
        if result["status"] in (200, 403)
    ]
    totals: defaultdict[str, int] = defaultdict(int)
    for action, result in zip(wanted, results, strict=True):
        if result["status"] == 200:
            totals[action["userId"]] += action["points"]
            assert result["userId"] == action["userId"]
            assert result["score"] == totals[action["userId"]]
    assert len(kept) > ACTIONS / 4
    assert all(abs(total) < MAX_TOTAL for total in totals.values())
    await shown(api, board, totals)

    # Once more with other points: each becomes a case, beside those that the gate makes.
    changed = [{**action, "points": (action["points"] + 1) % MAX_POINTS} for action in kept]
    assert {one["code"] for one in await post(api, board, changed)} == {"action_conflict"}
    async with api.service.persisting():

        async def recorded() -> bool:
            found = await database.fetchval(
                "SELECT count(*) FROM review WHERE board = $1 AND kind = 'conflict'", board
            )
            return bool(found == len(kept))

        await wait_until(recorded, description="a case for each conflict")
        await decided(admin, board)
        approved = await database.fetch(
            "SELECT user_id, sum(points) AS points FROM score_action WHERE board = $1"
            " AND status = 'accepted' AND reverted_event_ms IS NULL GROUP BY user_id",
            board,
        )
        after = {row["user_id"]: row["points"] for row in approved}
        everybody = dict.fromkeys(totals, 0) | after
        await shown(api, board, everybody)

        await redis.flushall()
        await shown(api, board, everybody)
    assert await database.fetchval("SELECT count(*) FROM dead_event") == 0
    settings = api.service.settings
    durable = recovery(settings, topology_at(settings.redis_url), redis, redis, pool)
    verifier = verifier_of(durable, redis, LedgerAudit(pool))
    differences: list[Difference] = []
    await verifier.verify(board, differences.append, lambda _: None)
    assert differences == []
    capsys.readouterr()
    await asyncio.to_thread(top_command, board, url=api.service.url)
    assert all(one.isprintable() or one == "\n" for one in capsys.readouterr().out)
