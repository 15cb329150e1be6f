"""The real processes refuse servers that can't be trusted with scores."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from scoreboard.local.embedded_servers import Valkey
from tests.conftest import TEST_KEY
from tests.support.waiting import PATIENCE, wait_until


def environment(redis_url: str, database_url: str, **settings: str) -> dict[str, str]:
    given = {
        "REDIS_URL": redis_url,
        "DATABASE_URL": database_url,
        "JWT_KEYS": json.dumps({"test": TEST_KEY}),
        "PORT": "0",
        **settings,
    }
    clean = {name: value for name, value in os.environ.items() if "SCOREBOARD" not in name}
    return clean | {f"SCOREBOARD_{name}": value for name, value in given.items()}


def start(role: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scoreboard", role],
        env=environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("role", ["serve", "persist"])
async def test_a_redis_that_evicts_keys_is_refused(
    role: str, start_valkey: Callable[..., Valkey], database_url: str
) -> None:
    valkey = start_valkey(maxmemory_policy="allkeys-lru", maxmemory="100mb")
    ended = await asyncio.to_thread(start, role, environment(valkey.url, database_url))

    assert ended.returncode != 0
    said = ended.stdout + ended.stderr
    assert "allkeys-lru" in said
    assert "set it to noeviction" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("role", ["serve", "persist"])
async def test_another_number_of_partitions_than_the_datas_is_refused(
    role: str, redis_url: str, database_url: str
) -> None:
    connection_settings = environment(redis_url, database_url)
    first = await asyncio.to_thread(start, "verify", connection_settings)
    assert first.returncode == 0, first.stdout + first.stderr
    other = environment(redis_url, database_url, PARTITIONS="16")
    ended = await asyncio.to_thread(start, role, other)

    assert ended.returncode != 0
    assert "SCOREBOARD_PARTITIONS" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr


@pytest.mark.parametrize("role", ["serve", "persist"])
async def test_a_redis_without_an_append_only_file_is_warned_of(
    role: str, start_valkey: Callable[..., Valkey], database_url: str
) -> None:
    valkey = start_valkey(appendonly="no")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scoreboard", role),
        env=environment(valkey.url, database_url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out = process.stdout
    assert out is not None
    said: list[bytes] = []

    async def warned() -> bool:
        said.append(await out.readline())
        return b"append_only_off" in said[-1]

    try:
        await wait_until(warned, description="the warning")
    finally:
        process.terminate()
        await process.communicate()
    assert process.returncode == 0
    assert b"CONFIG SET appendonly yes" in said[-1]
