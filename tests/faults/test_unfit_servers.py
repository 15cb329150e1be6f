"""The real processes refuse servers that can't be trusted with scores."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scoreboard.local.embedded_servers import Valkey
from tests.support.command import Ended, named, scoreboard, started
from tests.support.waiting import wait_until


def said(ended: Ended) -> str:
    assert "Traceback" not in ended.err
    return ended.out + ended.err


@pytest.mark.parametrize("role", ["serve", "persist"])
async def test_a_redis_that_evicts_keys_is_refused(
    role: str, start_valkey: Callable[..., Valkey], database_url: str
) -> None:
    valkey = start_valkey(maxmemory_policy="allkeys-lru", maxmemory="100mb")
    ended = await scoreboard(role, **named(valkey.url, database_url))

    assert ended.code != 0
    assert "allkeys-lru" in said(ended)
    assert "set it to noeviction" in said(ended)


@pytest.mark.parametrize("role", ["serve", "persist"])
async def test_another_number_of_partitions_than_the_datas_is_refused(
    role: str, redis_url: str, database_url: str
) -> None:
    servers = named(redis_url, database_url)
    first = await scoreboard("verify", **servers)
    assert first.code == 0, first
    ended = await scoreboard(role, **servers, SCOREBOARD_PARTITIONS="16")

    assert ended.code != 0
    assert "SCOREBOARD_PARTITIONS" in said(ended)


@pytest.mark.parametrize("role", ["serve", "persist"])
async def test_a_redis_without_an_append_only_file_is_warned_of(
    role: str, start_valkey: Callable[..., Valkey], database_url: str
) -> None:
    valkey = start_valkey(appendonly="no")
    lines: list[bytes] = []
    async with started(role, **named(valkey.url, database_url)) as process:
        out = process.stdout
        assert out is not None

        async def warned() -> bool:
            lines.append(await out.readline())
            return b"append_only_off" in lines[-1]

        await wait_until(warned, description="the warning")
    assert process.returncode == 0
    assert b"CONFIG SET appendonly yes" in lines[-1]
