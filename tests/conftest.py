"""Fixtures: real servers, emptied before each test that asks for them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import hypothesis
import pytest
from redis import Redis as BlockingRedis
from redis.asyncio import Redis

from scoreboard.api import board_reader, health
from scoreboard.local.embedded_servers import Postgres, Valkey, free_port
from scoreboard.settings import Settings
from scoreboard.write_path import board_calls
from scripts.load.clusters import RedisCluster
from tests.support import servers
from tests.support.shares import shared_out
from tests.support.signing import JWT_KEYS
from tests.support.waiting import PATIENCE

# An example may take as long as a busy machine needs for it.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service in this process waits for a board to be opened or loaded, and for its probes, and
    does not say "come back later" when the machine is busy."""
    monkeypatch.setattr(board_calls, "PATIENCE", PATIENCE)
    monkeypatch.setattr(board_reader, "PATIENCE", PATIENCE)
    monkeypatch.setattr(health, "PROBE_TIMEOUT", PATIENCE)


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        servers.begin_session()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        servers.end_session()


@pytest.hookimpl(trylast=True)  # pytest itself orders them by their fixtures before
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if processes > 1:
        items[:] = shared_out(items, processes)


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """The server of this process. A test may ``stop``, ``kill`` and ``start`` it."""
    server = servers.new_valkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def _shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    made = RedisCluster(tmp_path_factory.mktemp("cluster"))
    asyncio.run(made.start())
    yield made
    made.stop()


@pytest.fixture
def redis_cluster(_shared_cluster: RedisCluster) -> RedisCluster:
    """The cluster of this process: three masters, running and empty; not for stopping."""
    _shared_cluster.empty()
    return _shared_cluster


@pytest.fixture
def redis_url(request: pytest.FixtureRequest) -> str:
    """URL of this process's server, running and empty; of its cluster where
    ``REDIS_TOPOLOGY=cluster`` says so."""
    if servers.ON_A_CLUSTER:
        if "valkey" in request.fixturenames:
            pytest.skip("is about a server by itself")
        cluster: RedisCluster = request.getfixturevalue("redis_cluster")
        return cluster.url
    valkey: Valkey = request.getfixturevalue("valkey")
    if not valkey.process.running:
        valkey.start()
    with BlockingRedis.from_url(valkey.url) as client:
        client.flushall()
    return valkey.url


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of this process's emptied server or cluster; replies are bytes."""
    async with servers.redis_client(redis_url) as client:
        yield client


@pytest.fixture
def unused_tcp_port() -> int:
    """A port that no other test is given, in place of pytest-asyncio's, which anybody may take
    before a process listens there."""
    return free_port()


@pytest.fixture
def unused_tcp_port_factory() -> Callable[[], int]:
    """The same, as often as it is called."""
    return free_port


@pytest.fixture
def start_valkey(tmp_path: Path) -> Iterator[Callable[..., Valkey]]:
    """Starts further servers, ended with the test: ``start_valkey(appendfsync="always")``."""
    started: list[Valkey] = []

    def start(**options: str) -> Valkey:
        server = servers.new_valkey(tmp_path / f"valkey-{len(started)}", **options)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def cluster() -> str:
    """URL of the session's Postgres cluster, without a database; not for stopping."""
    return servers.shared_cluster()


@pytest.fixture(scope="session")
def _migrated() -> set[str]:
    return set()


@pytest.fixture
async def superuser(cluster: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the shared cluster with every right."""
    connection = await asyncpg.connect(f"{cluster}postgres")
    yield connection
    await connection.close()


@pytest.fixture
async def bare_url(
    superuser: asyncpg.Connection, cluster: str, worker_id: str
) -> AsyncIterator[str]:
    """A database without a schema."""
    name = f"bare_{worker_id}"
    await superuser.execute(f'CREATE DATABASE "{name}"')
    yield f"{cluster}{name}"
    await superuser.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def database_url(cluster: str, worker_id: str, _migrated: set[str]) -> str:
    """URL of this process's database, migrated and empty."""
    url = f"{cluster}{worker_id}"
    if url in _migrated:
        await servers.empty_database(url)
    else:
        await servers.create_database(cluster, worker_id)
        _migrated.add(url)
    return url


@pytest.fixture(scope="session")
def _durable_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    server = servers.new_postgres(tmp_path_factory.mktemp("postgres"))
    yield server
    server.stop()


@pytest.fixture
def postgres(_durable_cluster: Postgres) -> Postgres:
    """A durable cluster of this process, running. A test may ``stop``, ``kill`` and ``start``
    it."""
    if not _durable_cluster.process.running:
        _durable_cluster.start()
    return _durable_cluster


@pytest.fixture
async def postgres_url(postgres: Postgres, _migrated: set[str]) -> str:
    """URL of a database of the cluster that may be stopped, running, migrated and empty."""
    url = postgres.database_url("faults")
    if url in _migrated:
        await servers.empty_database(url)
    else:
        await servers.create_database(postgres.database_url(""), "faults")
        _migrated.add(url)
    return url


@pytest.fixture
def settings(redis_url: str, database_url: str) -> Settings:
    """Settings for this process's emptied servers; change some by ``msgspec.structs.replace``.
    Servers may take their time, unless a test says otherwise, and so may clients: whoever does not
    read for a while is not taken for gone."""
    return Settings(
        redis_url=redis_url,
        database_url=database_url,
        port=0,
        jwt_keys=JWT_KEYS,
        shutdown_grace=0,
        redis_timeout=PATIENCE,
        database_timeout=PATIENCE,
        durability_timeout=PATIENCE,
        heartbeat=10 * PATIENCE,
        log_format="console",
    )
