"""The servers that `up` and the tests start."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError

from scoreboard.errors import ConfigurationError
from scoreboard.local.embedded_servers import Postgres, Valkey, postgres_binaries
from tests.support import servers


async def test_a_key_survives_a_stop_and_a_start(start_valkey: Callable[..., Valkey]) -> None:
    valkey = start_valkey()
    async with Redis.from_url(valkey.url) as client:
        await client.set("user1", "2000")
    valkey.stop()
    valkey.start()
    async with Redis.from_url(valkey.url) as client:
        assert await client.get("user1") == b"2000"


async def test_a_fsynced_key_survives_a_kill(start_valkey: Callable[..., Valkey]) -> None:
    valkey = start_valkey(appendfsync="always")
    async with Redis.from_url(valkey.url) as client:
        await client.set("user1", "2000")
    valkey.kill()
    assert not valkey.process.running
    valkey.start()
    async with Redis.from_url(valkey.url) as client:
        assert await client.get("user1") == b"2000"


async def test_valkey_appends_and_never_evicts(redis: Redis) -> None:
    settings = await redis.config_get("appendonly", "appendfsync", "maxmemory-policy")
    assert settings == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
    }


async def test_valkey_refuses_a_client_without_the_password(valkey: Valkey) -> None:
    async with Redis(port=valkey.port, retry=Retry(NoBackoff(), 0)) as client:
        with pytest.raises(AuthenticationError):
            await client.ping()


async def test_committed_rows_survive_a_kill_of_postgres_in_use(postgres: Postgres) -> None:
    connection = await asyncpg.connect(postgres.url)
    await connection.execute("CREATE TABLE kept AS SELECT 15 AS points")
    postgres.kill()
    await asyncio.to_thread(postgres.start)
    connection.terminate()
    connection = await asyncpg.connect(postgres.url)
    assert await connection.fetchval("SELECT points FROM kept") == 15
    await connection.close()


async def test_postgres_refuses_a_client_without_the_password(postgres: Postgres) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(
            host="127.0.0.1", port=postgres.port, user="scoreboard", password="a guess"
        )


def test_only_the_owner_can_read_the_passwords(postgres: Postgres, valkey: Valkey) -> None:
    for path in (postgres.directory / "password", valkey.directory / "valkey.conf"):
        assert path.stat().st_mode & 0o077 == 0


def test_a_cluster_left_half_made_is_made_again(tmp_path: Path) -> None:
    draft = tmp_path / "postgres" / "data.new"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18")
    postgres = servers.new_postgres(tmp_path / "postgres", **servers.NOT_DURABLE)
    postgres.start()
    postgres.stop()
    assert not draft.exists()
    assert postgres.process.exit_code == 0


def test_postgres_starts_from_a_folder_that_only_its_owner_may_enter(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "program").symlink_to(postgres_binaries().parent)
    postgres = Postgres(tmp_path / "postgres", binaries=tmp_path / "program" / "bin")
    postgres.start()
    postgres.stop()
    assert postgres.process.exit_code == 0


def test_a_server_that_cannot_start_says_why_in_one_line(tmp_path: Path) -> None:
    valkey = servers.new_valkey(tmp_path, appendfsync="sometimes")
    with pytest.raises(ConfigurationError, match=r"Valkey did not start: .*log: ") as failure:
        valkey.start()
    assert "\n" not in failure.value.detail


def test_postgres_says_that_its_data_is_of_another_version(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "PG_VERSION").write_text("9.6")
    postgres = servers.new_postgres(tmp_path)
    with pytest.raises(ConfigurationError, match="Postgres did not start"):
        postgres.start()
