"""Players who are erased, or made anonymous: nothing is left of who it was, and all adds up."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import msgspec
import pytest
from redis.asyncio import Redis

from scoreboard.assembly import moderation
from scoreboard.assembly.recovery import verifier_of
from scoreboard.domain.audit import Difference
from scoreboard.domain.ledger import DeadLetter
from scoreboard.pg.dead_letters import DeadLetters
from scoreboard.pg.ledger_audit import LedgerAudit
from scoreboard.pg.pool import open_pool
from scoreboard.settings import Settings
from scoreboard.workers import eraser, lookout
from scoreboard.workers.dead_letters import Retrier
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Answer, Api
from tests.integration.api.test_periods import YEARS
from tests.support.arena import Arena, opened_arena
from tests.support.traces import traces
from tests.support.waiting import wait_until

ADA = "Quixote-47"  # an id that stands nowhere else
BOARDS: dict[str, dict[str, Any]] = {
    "arena": {"periods": [YEARS], "join": "required"},
    "duel": {"operator": "best", "capacity": 10},
    "race": {"order": "asc", "operator": "last", "rate": {"actions": 100, "seconds": 60.0}},
}


class Played:
    """A season of three boards that ADA took part in, and its parts."""

    def __init__(self, api: Api, arena: Arena, pool: asyncpg.Pool, settings: Settings) -> None:
        self.api = api
        self.admin = api.bearing(api.service.token("admin", subject="eve"))
        self.arena = arena
        self.pool = pool
        self.redis = arena.redis
        self.eraser = moderation.eraser(settings, arena.redis, pool, arena.durable)
        self.verifier = verifier_of(arena.durable, arena.redis, LedgerAudit(pool))

    async def play(self) -> None:
        for board, rules in BOARDS.items():
            whole = {"mode": "off", **rules}
            await self.admin.call("PUT", f"/api/admin/boards/{board}", json=whole)
            for user in (ADA, "bob", "cy"):
                if board == "arena":
                    joining = f"/api/boards/{board}/join"
                    assert (await self.api.post(joining, {"userId": user})).status == 200
                for n, points in enumerate((len(user), 7)):
                    answer = await self.score(user, points, f"{user}-act-{n}", board)
                    assert answer.status == 200, answer
            conflict = await self.score(ADA, 1, f"{ADA}-act-0", board)
            assert conflict.outcome == (409, "action_conflict")
        profile = {"displayName": "Ada", "country": "GB"}
        answer = await self.api.call("PUT", f"/api/users/{ADA}", json=profile)
        assert answer.status == 200
        hiding = f"/api/admin/boards/duel/users/{ADA}"
        await wait_until(self.persisted, description="the ledger has all")
        for verb in ("hide", "show"):
            assert (await self.admin.post(f"{hiding}/{verb}", {"reason": ADA})).status == 200

    async def score(self, user: str, points: int, action: str, board: str) -> Answer:
        context = {"deviceId": f"phone of {user}"}
        body = {"userId": user, "actionId": action, "points": points, "context": context}
        return await self.api.post(f"/api/boards/{board}/score", body)

    async def persisted(self) -> bool:
        rows = "SELECT (SELECT count(*) FROM score_action), (SELECT count(*) FROM review)"
        return tuple(await self.pool.fetchrow(rows)) == (18, 3)

    async def erase(self, mode: str = "erase") -> dict[str, Any]:
        asked = await self.admin.call("DELETE", f"/api/users/{ADA}?mode={mode}")
        assert asked.status == 202, asked
        return await self.done(asked.headers["Location"])

    async def done(self, receipt: str) -> dict[str, Any]:
        async def is_done() -> bool:
            return bool((await self.admin.get(receipt)).json["state"] == "done")

        await wait_until(is_done, description="the erasure is done")
        found: dict[str, Any] = (await self.admin.get(receipt)).json
        return found

    async def left(self, word: str = ADA) -> list[str]:
        async with self.pool.acquire() as connection:
            return await traces(word, self.redis, connection)

    async def differences(self) -> list[Difference]:
        found: list[Difference] = []
        for board in BOARDS:
            await self.verifier.verify(board, found.append, lambda _: None)
        return found

    async def tables(self) -> dict[str, list[tuple[str, int, int]]]:
        """(user, score, rank) of all tables of all boards."""
        found = {}
        for board in BOARDS:
            for period in ("", "?period=years") if board == "arena" else ("",):
                page = await self.api.get(f"/api/boards/{board}/standings{period}")
                found[board + period] = [
                    (one["userId"], one["score"], one["rank"]) for one in page.json["standings"]
                ]
        return found


@pytest.fixture
async def played(
    start_api: StartApi,
    settings: Settings,
    redis: Redis,
    pool: asyncpg.Pool,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Played]:
    monkeypatch.setattr(eraser, "REST", 0.05)
    monkeypatch.setattr(lookout, "LOOK", 0.05)
    api = await start_api()
    async with AsyncExitStack() as opened:
        arena = await opened.enter_async_context(opened_arena(settings, redis, pool, "duel"))
        season = Played(api, arena, pool, settings)
        await opened.enter_async_context(api.service.persisting())
        await season.play()
        yield season


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database_url, connections=10, timeout=30)
    yield pool
    await pool.close()


async def test_of_an_erased_player_nothing_is_left_whatever_comes_afterwards(
    played: Played, capfd: pytest.CaptureFixture[str]
) -> None:
    before = await played.tables()
    letter = await bury(played, "duel")
    assert len(await played.left()) > 10
    receipt = await played.erase()
    assert receipt["counts"]["actions"] == 6
    assert receipt["counts"]["deadLetters"] == 1
    assert receipt["counts"].keys() == {
        *("actions", "cases", "totals", "joins", "profile", "audit", "deadLetters", "redis")
    }
    assert await played.left() == []
    others = {
        table: [(user, score) for user, score, _ in rows if user != ADA]
        for table, rows in before.items()
    }
    after = await played.tables()
    assert {t: [(u, s) for u, s, _ in rows] for t, rows in after.items()} == others
    assert [rank for *_, rank in after["duel"]] == [1, 2]

    for board in BOARDS:  # a replay of the old actions
        answer = await played.score(ADA, len(ADA), f"{ADA}-act-0", board)
        assert answer.outcome == (410, "erased")
    batch = {"actions": [{"userId": u, "actionId": "x", "points": 1} for u in (ADA, "bob")]}
    answer = await played.api.post("/api/boards/duel/scores", batch)
    assert [one["status"] for one in answer.json["results"]] == [410, 200]
    answer = await played.api.post("/api/boards/arena/join", {"userId": ADA})
    assert answer.outcome == (410, "erased")
    answer = await played.api.call("PUT", f"/api/users/{ADA}", json={"displayName": "A"})
    assert answer.outcome == (410, "erased")
    assert (await played.api.get(f"/api/users/{ADA}")).status == 404

    # A process that was not told yet counts one.
    await played.arena.submit((ADA, f"{ADA}-act-0", 5))
    await wait_until(lambda: is_gone(played), description="a late event is taken out again")

    retrier = Retrier(
        DeadLetters(played.pool),
        played.arena.durable.ledger,
        played.verifier,
        played.arena.durable.rebuilder,
    )
    assert await retrier.retry(letter, by="eve") is None
    for board in BOARDS:
        await played.arena.durable.rebuilder.rebuild(board, correct=True)
    assert await played.left() == []
    await played.redis.flushall()
    await played.tables()
    assert await played.left() == []
    assert await played.differences() == []
    async with played.api.http.get(f"{played.api.service.url}/metrics") as metrics:
        assert ADA not in await metrics.text()
    logged = capfd.readouterr()
    assert "player_erased" in logged.out + logged.err
    assert ADA not in logged.out + logged.err


async def is_gone(played: Played) -> bool:
    return await played.left() == []


async def bury(played: Played, board: str) -> DeadLetter:
    """A dead letter of ADA's."""
    body = {"v": 1, "b": board, "u": ADA, "a": "buried", "p": 3, "t": "t9"}
    fields = {
        b"o": b"A", b"s": b"3", b"k": b"1764000000000", b"n": b"1", b"d": msgspec.json.encode(body)
    }  # fmt: skip
    await played.pool.execute(
        "INSERT INTO dead_event (partition, event_id, field_names, field_values, error)"
        " VALUES ($1, '1764000000000-0', $2, $3, 'x')",
        played.arena.keys.partition,
        list(fields),
        list(fields.values()),
    )
    [letter] = await DeadLetters(played.pool).list(None, 10)
    return letter


async def test_an_anonymous_player_s_totals_and_ranks_stay_and_nothing_leads_back(
    played: Played,
) -> None:
    before = await played.tables()
    sums = "SELECT board, sum(points), count(*) FROM score_action GROUP BY board ORDER BY board"
    ledger = await played.pool.fetch(sums)
    letter = await bury(played, "race")
    receipt = await played.erase("anonymise")
    assert receipt["counts"]["totals"] == 4  # of three boards and an occurrence
    assert await played.left() == []
    assert await played.left("-act-0") != []  # others have such actions
    assert await played.left(f"{ADA}-act") == []
    after = await played.tables()
    assert {t: [row[1:] for row in rows] for t, rows in after.items()} == {
        t: [row[1:] for row in rows] for t, rows in before.items()
    }
    named = {user for rows in after.values() for user, *_ in rows} - {"bob", "cy"}
    assert len(named) == len(BOARDS)  # a pseudonym of each board
    assert {len(name) for name in named} == {len("anon-") + 24}
    assert await played.pool.fetch(sums) == ledger
    assert await played.differences() == []
    [renamed] = await DeadLetters(played.pool).list(None, 10)
    assert renamed.name == letter.name
    assert (await played.score(ADA, 1, "more", "duel")).outcome == (410, "erased")
    await played.arena.submit((ADA, "more", 1))
    await wait_until(lambda: is_gone(played), description="a late event is taken out again")
    await played.redis.flushall()
    assert await played.tables() == after
    assert await played.differences() == []


async def test_what_a_crash_of_redis_brings_back_goes_again(played: Played) -> None:
    duel = played.arena
    keys = await keys_of(played, "duel")
    lost: dict[bytes, Any] = {key: await played.redis.dump(key) for key in keys}
    await played.erase()
    for key, value in lost.items():  # Redis has lost all since then
        await played.redis.restore(key, 0, value, replace=True)
    await duel.lose_epoch()
    await played.pool.execute("UPDATE erased_player SET epoch = 'another'")
    assert len(await played.left()) > 1
    await played.api.get("/api/boards/duel/standings")
    await duel.durable.rebuilder.ensure("duel", create=False)
    assert sorted(await duel.totals()) == ["bob", "cy"]
    await wait_until(lambda: is_gone(played), description="receipts and memories are gone")
    assert await played.differences() == []


async def keys_of(played: Played, board: str) -> list[bytes]:
    names: Any = await played.redis.keys("*")
    keys = played.arena.durable.keyspace.board(board)
    return [name for name in names if keys.owns(name)]


async def test_an_id_is_a_new_player_s_once_the_caller_says_so(played: Played) -> None:
    admit = f"/api/users/{ADA}/admit"
    assert (await played.api.call("POST", admit)).outcome == (404, "not_found")
    await played.erase()
    assert (await played.score(ADA, 4, "fresh", "duel")).outcome == (410, "erased")
    assert (await played.api.call("POST", admit)).status == 204
    answer = await played.score(ADA, 4, "fresh", "duel")
    assert (answer.status, answer.json["score"]) == (200, 4)
    found = "SELECT count(*) FROM score_action WHERE user_id = $1"

    async def is_kept() -> bool:
        return bool(await played.pool.fetchval(found, ADA) == 1)

    await wait_until(is_kept, description="the ledger has the new player's action")
    assert await played.differences() == []
    await played.erase()
    assert await played.left() == []


async def test_an_export_has_all_that_is_held_for_the_player_and_for_admins(
    played: Played,
) -> None:
    path = f"/api/users/{ADA}/export"
    service = played.api.service
    answer = await played.api.bearing(service.token("score:submit", subject=ADA)).get(path)
    assert answer.status == 200
    told = answer.json
    assert told["profile"]["displayName"] == "Ada"
    boards = {one["board"]: one for one in told["boards"]}
    assert boards.keys() == BOARDS.keys()
    actions = [one["actionId"] for one in boards["duel"]["actions"]]
    assert actions == [f"{ADA}-act-0", f"{ADA}-act-1"]
    assert [one["score"] for one in boards["race"]["totals"]] == [7]
    assert [one["table"] for one in boards["arena"]["totals"]] == ["arena", "arena:years:1"]
    assert len(boards["arena"]["joined"]) == 2
    assert [one["kind"] for one in boards["duel"]["cases"]] == ["conflict"]
    assert [one["decision"] for one in told["decisions"]] == ["user_hidden", "user_shown"]
    assert "bob" not in json.dumps(told)
    assert json.dumps((await played.admin.get(path)).json["boards"]) == json.dumps(told["boards"])
    for token in (
        service.token("score:submit", subject="bob"),
        service.token("score:write"),
        service.token("admin", boards=["duel"]),
    ):
        assert (await played.api.bearing(token).get(path)).outcome == (403, "forbidden")
    assert (await played.admin.get("/api/users/nobody/export")).json["boards"] == []


async def test_erasing_needs_an_administrator_and_is_audited_without_the_id(
    played: Played,
) -> None:
    service, path = played.api.service, f"/api/users/{ADA}"
    for token in (service.token(), service.token("admin", boards=["duel"])):
        answer = await played.api.bearing(token).call("DELETE", path)
        assert answer.outcome == (403, "forbidden")
    answer = await played.admin.call("DELETE", f"{path}?mode=hide")
    assert (answer.outcome, answer.json["path"]) == ((400, "invalid_request"), "mode")
    assert (await played.admin.get("/api/erasures/era_x")).outcome == (404, "not_found")
    asked = await played.pool.fetchval(
        "INSERT INTO erasure (id, mode, user_id, salt) VALUES ('era_1', 'erase', $1, 'x')"
        " RETURNING id",
        "another",
    )
    answer = await played.admin.call("DELETE", "/api/users/another?mode=anonymise")
    if answer.status == 409:  # unless a persister was faster
        assert (answer.code, answer.json["erasure"]) == ("erasure_running", asked)
    receipt = await played.erase()
    audit = (
        "SELECT actor, decision, details FROM admin_audit WHERE decision LIKE 'player%' ORDER BY id"
    )
    lines = [
        (actor, decision)
        for actor, decision, details in await played.pool.fetch(audit)
        if receipt["erasure"] in details
    ]
    assert lines == [("eve", "player_erasure_asked"), ("scoreboard", "player_erased")]
