"""The real processes refuse servers that can't be trusted with scores."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from scoreboard.errors import ConfigurationError
from scoreboard.local.embedded_servers import Valkey, free_port
from scoreboard.local.server_check import check_redis
from scoreboard.settings import Settings
from scripts.load.clusters import RedisCluster
from tests.support.command import Ended, named, scoreboard, started
from tests.support.waiting import wait_until

PASSWORD = "only-for-this-test"


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


@pytest.mark.parametrize("role", ["serve", "persist", "verify"])
async def test_one_server_is_no_cluster(role: str, valkey: Valkey, database_url: str) -> None:
    url = valkey.url.replace("redis://", "redis+cluster://")
    ended = await scoreboard(role, **named(url, database_url))

    assert ended.code != 0
    assert "names a cluster, but what answers there is a server by itself" in said(ended)


@pytest.mark.parametrize("role", ["serve", "persist"])
async def test_a_server_of_a_cluster_is_not_the_whole(
    role: str, redis_cluster: RedisCluster, database_url: str
) -> None:
    server = redis_cluster.servers[0]
    ended = await scoreboard(role, **named(server.url, database_url))

    assert ended.code != 0
    assert "is part of a Redis Cluster: it has to be redis+cluster://" in said(ended)


@pytest.mark.parametrize(
    ("sentinel_password", "told"),
    [
        (PASSWORD, "names Sentinels, but what answers there is none"),
        ("wrong", "the Sentinels refuse us"),
    ],
)
async def test_a_server_is_no_sentinel(
    start_valkey: Callable[..., Valkey], database_url: str, sentinel_password: str, told: str
) -> None:
    server = start_valkey(requirepass=PASSWORD)
    url = f"redis+sentinel://127.0.0.1:{server.port}/main?sentinel_password={sentinel_password}"
    ended = await scoreboard("serve", **named(url, database_url))

    assert ended.code != 0
    assert told in said(ended)


async def test_up_finds_a_cluster_whose_servers_are_named(redis_cluster: RedisCluster) -> None:
    await asyncio.to_thread(check_redis, Settings(redis_url=redis_cluster.url))


@pytest.mark.parametrize("form", ["redis://%s", "redis+cluster://%s", "redis+sentinel://%s/main"])
async def test_up_says_so_when_nobody_is_there(form: str) -> None:
    settings = Settings(redis_url=form % f"127.0.0.1:{free_port()}")
    with pytest.raises(ConfigurationError, match="no Redis answers there"):
        await asyncio.to_thread(check_redis, settings)
