"""The servers that `up` and the tests start."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError

from scoreboard.errors import ConfigurationError
from scoreboard.local.embedded_servers import MEGABYTE, Postgres, Valkey, postgres_binaries
from scoreboard.local.interruption import Interrupted
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


def failing_initdb(folder: Path, *lines: str) -> Path:
    """The folder of an initdb that does what the ``lines`` of a shell script say."""
    program = folder / "initdb"
    program.write_text("\n".join(("#!/bin/sh", *lines)))
    program.chmod(0o755)
    return folder


def test_the_cause_of_a_cluster_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    binaries = failing_initdb(
        tmp_path,
        "echo '2026-11-26 15:00:00.123 UTC [7] FATAL:  could not write: No space left on device'",
        "echo 'child process exited with exit code 1' >&2",
        "echo 'initdb: removing contents of data directory' >&2",
        "exit 1",
    )
    postgres = Postgres(tmp_path / "postgres", binaries=binaries)
    with pytest.raises(ConfigurationError, match="could not write: No space left on device"):
        postgres.make()


def test_a_cluster_for_which_there_is_no_room_is_told_though_its_log_was_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binaries = failing_initdb(tmp_path, "exit 1")
    full = type(shutil.disk_usage(tmp_path))(100, 100 - 3, 3 * MEGABYTE)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    postgres = Postgres(tmp_path / "postgres", binaries=binaries)
    with pytest.raises(ConfigurationError, match="only 3 MB were free there"):
        postgres.make()


def test_a_stop_while_the_cluster_is_made_leaves_nothing_behind(tmp_path: Path) -> None:
    binaries = failing_initdb(tmp_path, "echo begun", "exec sleep 600")
    postgres = Postgres(tmp_path / "postgres", binaries=binaries)

    def interrupted() -> None:
        if "begun" in (tmp_path / "postgres" / "initdb.log").read_text():
            raise Interrupted

    with pytest.raises(Interrupted):
        postgres.make(interrupted)
    assert not (tmp_path / "postgres" / "data.new").exists()
    assert not postgres.data.exists()


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
