"""Redis is there and refuses: each state of it is answered 503 or from Postgres, told once, and
over when it is over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, NamedTuple

import msgspec
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError
from structlog.testing import capture_logs

from scoreboard.local.embedded_servers import Valkey
from scoreboard.settings import Settings
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Answer, Api
from tests.support.extent import kept
from tests.support.waiting import wait_until

PASSWORD = "only-for-these-tests"
NOBODY = ("127.0.0.1", "1")

Server = tuple[Valkey, Redis]
State = Callable[[Server], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def replica(server: Server) -> AsyncIterator[None]:
    await server[1].execute_command("REPLICAOF", *NOBODY)
    yield
    await server[1].execute_command("REPLICAOF", "NO", "ONE")


@asynccontextmanager
async def replica_without_its_master(server: Server) -> AsyncIterator[None]:
    await server[1].config_set("replica-serve-stale-data", "no")
    async with replica(server):
        yield


def configured(name: str, value: str, before: str) -> State:
    @asynccontextmanager
    async def state(server: Server) -> AsyncIterator[None]:
        await server[1].config_set(name, value)
        yield
        await server[1].config_set(name, before)

    state.__name__ = name
    return state


@asynccontextmanager
async def disk_full(server: Server) -> AsyncIterator[None]:
    """The file to which it saves can't be written: a folder is in its place."""
    valkey, redis = server
    in_its_place = valkey.directory / "dump"

    async def saved(status: str) -> bool:
        with suppress(ResponseError):  # one is under way
            await redis.bgsave()
        return bool((await redis.info("persistence"))["rdb_last_bgsave_status"] == status)

    in_its_place.unlink(missing_ok=True)
    in_its_place.mkdir()
    await wait_until(lambda: saved("err"), description="it could not be saved")
    yield
    in_its_place.rmdir()
    await wait_until(lambda: saved("ok"), description="it could be saved")


@asynccontextmanager
async def busy(server: Server) -> AsyncIterator[None]:
    valkey, redis = server
    await redis.config_set("busy-reply-threshold", 1)
    other = Redis.from_url(valkey.url, socket_timeout=None)
    endless: Any = other.eval("while true do end", 0)
    running: asyncio.Task[Any] = asyncio.create_task(endless)

    async def is_busy() -> bool:
        try:
            return not await redis.ping()
        except ResponseError as error:
            return "BUSY" in str(error)

    await wait_until(is_busy, description="busy")
    yield
    await redis.script_kill()
    with pytest.raises(RedisError):
        await running
    await other.aclose()


@asynccontextmanager
async def without_the_right(server: Server) -> AsyncIterator[None]:
    await server[1].execute_command("ACL", "SETUSER", "default", "-evalsha")
    yield
    await server[1].execute_command("ACL", "SETUSER", "default", "+evalsha")


@asynccontextmanager
async def another_password(server: Server) -> AsyncIterator[None]:
    _, redis = server
    await redis.execute_command("ACL", "SETUSER", "default", "resetpass", ">another")
    await redis.client_kill_filter(_type="normal", skipme=True)
    yield
    await redis.execute_command("ACL", "SETUSER", "default", "resetpass", f">{PASSWORD}")


class Refusing(NamedTuple):
    """A state, the word by which Redis refuses a write in it, and what the service says."""

    state: State
    word: str
    why: str


REFUSING = [
    Refusing(replica, "READONLY", "it is a replica"),
    Refusing(replica_without_its_master, "READONLY", "it is a replica"),  # MASTERDOWN to reads
    Refusing(
        configured("min-replicas-to-write", "1", "0"), "NOREPLICAS", "too few replicas follow it"
    ),
    Refusing(disk_full, "MISCONF", "it can't write to its disk"),
    Refusing(configured("maxmemory", "1", "0"), "OOM", "it is out of memory"),
    Refusing(busy, "BUSY", "a script keeps it busy"),
    Refusing(without_the_right, "NOPERM", "its user lacks a right"),
    Refusing(another_password, "WRONGPASS", "it refuses the password"),
]


@pytest.fixture
async def server(start_valkey: Callable[..., Valkey]) -> AsyncIterator[Server]:
    """A Redis of the test's own, that saves its data when told."""
    valkey = start_valkey(requirepass=PASSWORD, save="100000 100000", dbfilename="dump")
    async with Redis.from_url(valkey.url, single_connection_client=True) as redis:
        yield valkey, redis


@pytest.fixture
async def api(server: Server, settings: Settings, start_api: StartApi) -> AsyncIterator[Api]:
    """A service and a persister on that Redis."""
    api = await start_api(msgspec.structs.replace(settings, redis_url=server[0].url))
    await api.score("ann", 15)
    await api.score("bob", 5)
    async with api.service.persisting():
        await drained(api)
        yield api


async def drained(api: Api) -> None:
    async def done() -> bool:
        redis = (await api.get("/readyz")).json["parts"]["redis"]
        return bool(redis["up"] and redis["backlog"] == 0)

    await wait_until(done, description="all is persisted")


async def change(api: Api, method: str, board: str, **rules: Any) -> Answer:
    return await api.bearing(api.service.token("admin")).call(
        method,
        f"/api/admin/boards/{board}",
        data=json.dumps(rules).encode(),
        headers={"Content-Type": "application/json"},
    )


async def counted(api: Api, outcome: str) -> float:
    text = (await api.get("/metrics")).body.decode()
    name = f'scoreboard_actions_total{{outcome="{outcome}"}} '
    return sum(float(line.removeprefix(name)) for line in text.splitlines() if name in line)


@pytest.mark.parametrize(
    "refusing",
    kept(REFUSING, REFUSING[0], *REFUSING[3:6]),
    ids=lambda refusing: refusing.state.__name__,
)
async def test_while_redis_refuses_writes_get_503_reads_are_answered_and_readyz_says_why(
    refusing: Refusing, api: Api, server: Server
) -> None:
    state, word, why = refusing
    reads = ["top", "users/ann", "users/bob/around", "standings"]
    known = [(await api.get(f"/api/boards/global/{read}")).json for read in reads]
    before = await counted(api, "unavailable")
    admin = api.bearing(api.service.token("admin"))

    with capture_logs() as logs:
        async with state(server):
            actions = [{"userId": "ann", "actionId": f"b{n}", "points": 1} for n in range(3)]
            answers = [
                *[await api.score("ann", 1, f"a{n}") for n in range(20)],
                await api.score("ann", 1, board="new"),
                await api.post("/api/scores", {"actions": actions}),
                await change(api, "PATCH", "global", maxPoints=7),
                await change(api, "PUT", "newer", maxPoints=7),
                await admin.post("/api/admin/boards/global/users/bob/hide", {}),
                *[(await api.get(f"/api/boards/global/{read}")) for read in reads * 5],
            ]
            told = (await api.get("/readyz")).json
            metrics = (await api.get("/metrics")).body.decode()
            unavailable = await counted(api, "unavailable")

        async def is_ready() -> bool:
            return (await api.get("/readyz")).status == 200

        await wait_until(is_ready, description="ready again")

    writes, answered = answers[: -5 * len(reads)], answers[-5 * len(reads) :]
    assert [answer.outcome for answer in writes] == [(503, "unavailable")] * len(writes)
    assert [answer.json for answer in answered] == known * 5
    assert unavailable - before == 20 + 1 + 3
    assert told["parts"]["writes"] == {"up": False, "detail": f"Redis refuses this now: {why}."}
    assert told["ready"] is False
    assert f'scoreboard_redis_refuses_writes{{reason="{word}"}} 1.0' in metrics

    # A look may be under way when its connection is ended: that Redis is away is told as well.
    told_of = [entry for entry in logs if entry.get("reason") != "Redis can't be reached."]
    events = [entry["event"] for entry in told_of]
    assert events.count("redis_refuses_writes") == events.count("redis_takes_writes") == 1
    assert not [entry for entry in logs if entry.get("exc_info") or "failed" in entry["event"]]
    began = next(entry for entry in told_of if entry["event"] == "redis_refuses_writes")
    assert word in began["cause"]

    # All goes on by itself, and nothing was done in part.
    assert (await api.score("ann", 1, "later")).json["score"] == 16
    rules = await admin.get("/api/admin/boards/global")
    assert rules.json["maxPoints"] != 7
    assert (await admin.get("/api/admin/boards/newer")).outcome == (404, "unknown_board")
    assert await api.top() == {"ann": 16, "bob": 5}
    await drained(api)


async def test_a_policy_that_evicts_is_told_while_it_lasts(api: Api, server: Server) -> None:
    policy = configured("maxmemory-policy", "allkeys-lru", "noeviction")
    with capture_logs() as logs:
        async with policy(server):
            told = await api.get("/readyz")
            assert (await api.score("ann", 1, "a2")).status == 200, "it is not lost yet"
        assert (await api.get("/readyz")).status == 200

    assert told.status == 503
    assert "maxmemory-policy is not noeviction" in told.json["parts"]["writes"]["detail"]
    events = [entry["event"] for entry in logs]
    assert events == ["redis_refuses_writes", "redis_takes_writes"]
