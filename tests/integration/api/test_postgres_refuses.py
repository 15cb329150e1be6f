"""A Postgres that is there and refuses the service: the public hears that it is to come back, and
nothing of whom the server named."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from scoreboard.pg import failures
from scoreboard.pg.grants import grant
from scoreboard.settings import Settings
from scoreboard.telemetry.sparse import Sparse
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api
from tests.support import servers
from tests.support.waiting import wait_until

ROLE, PASSWORD = "the_game_of_joe", "only-for-this-test"

Spoil = Callable[[asyncpg.Connection, str, str], Awaitable[None]]


@pytest.fixture
async def role(worker_id: str) -> str:
    return f"{ROLE}_{worker_id}"


@pytest.fixture
async def database(
    superuser: asyncpg.Connection, cluster: str, worker_id: str, role: str
) -> AsyncIterator[str]:
    """A database of the test's own, in which the role may do what the service does."""
    name = f"refusing_{worker_id}"
    owner = await asyncpg.connect(await servers.create_database(cluster, name))
    await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    await grant(owner, role)
    await owner.close()
    yield name
    await superuser.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await superuser.execute(f"DROP ROLE {role}")


async def another_password(superuser: asyncpg.Connection, role: str, database: str) -> None:
    await superuser.execute(f"ALTER ROLE {role} PASSWORD 'another'")
    await end_sessions(superuser, database)


async def no_database(superuser: asyncpg.Connection, role: str, database: str) -> None:
    await superuser.execute(f"DROP DATABASE {database} WITH (FORCE)")


async def no_rights(superuser: asyncpg.Connection, role: str, database: str) -> None:
    await superuser.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC, {role}")
    await end_sessions(superuser, database)


async def read_only(superuser: asyncpg.Connection, role: str, database: str) -> None:
    await superuser.execute(f"ALTER ROLE {role} SET default_transaction_read_only = on")
    await end_sessions(superuser, database)


async def end_sessions(superuser: asyncpg.Connection, database: str) -> None:
    query = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1"
    await superuser.fetch(query, database)


@pytest.mark.parametrize("spoil", [another_password, no_database, no_rights, read_only])
async def test_the_public_hears_503_and_the_log_the_servers_words(
    spoil: Spoil,
    superuser: asyncpg.Connection,
    role: str,
    database: str,
    database_url: str,
    start_api: StartApi,
    redis: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(failures, "_sparse", Sparse())
    host = database_url.rpartition("@")[2].partition("/")[0]
    url = f"postgresql://{role}:{PASSWORD}@{host}/{database}"
    api = await start_api(database_url=url)
    assert (await api.score("ann", 1)).status == 200
    with capture_logs() as logs:
        await spoil(superuser, role, database)
        admin = api.bearing(api.service.token("admin score:write"))
        answers = [
            await api.score("ann", 1, board="new"),
            await admin.call("PUT", "/api/admin/boards/global", json={"mode": "off"}),
        ]
        if spoil is not read_only:
            answers += [await admin.get("/api/admin/reviews"), await api.get("/api/boards/old/top")]
    for answer in answers:
        assert answer.outcome == (503, "unavailable"), answer
        assert not re.search(f"{role}|{database}|password|permission", answer.body.decode()), answer
    assert (await api.score("ann", 1, "a2")).json["score"] == 2, "live boards go on"
    said = [line for line in logs if line["event"] == "postgres_fails"]
    assert said
    assert not [line for line in logs if "exc_info" in line or "exception" in line]


async def test_a_database_that_comes_back_is_used_again(
    superuser: asyncpg.Connection,
    role: str,
    database: str,
    database_url: str,
    start_api: StartApi,
    settings: Settings,
) -> None:
    host = database_url.rpartition("@")[2].partition("/")[0]
    api = await start_api(database_url=f"postgresql://{role}:{PASSWORD}@{host}/{database}")
    assert (await api.score("ann", 1)).status == 200
    await another_password(superuser, role, database)
    assert (await api.score("ann", 1, board="new")).status == 503
    await superuser.execute(f"ALTER ROLE {role} PASSWORD '{PASSWORD}'")

    async def counted(api: Api = api) -> bool:
        return (await api.score("ann", 1, board="new")).status in (200, 409)

    await wait_until(counted, description="new boards are made again")
