"""Some servers of a cluster fail: the service stays ready for the others, and says which fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from scoreboard.assembly.probes import redis_state
from scoreboard.errors import Unavailable
from scoreboard.local.embedded_servers import Valkey
from scoreboard.redisio.cluster_client import ClusterClient
from scoreboard.redisio.commands import run_script
from scoreboard.redisio.script_source import digest
from scoreboard.redisio.topologies import topology_at
from scoreboard.redisio.write_watch import WriteWatch
from scoreboard.wire import scripts
from scoreboard.wire.keys import Keyspace
from scripts.load.clusters import RedisCluster
from tests.support.waiting import PATIENCE

PARTITIONS = 8


@pytest.fixture
async def client(redis_cluster: RedisCluster) -> AsyncIterator[ClusterClient]:
    topology = topology_at(redis_cluster.url)
    async with topology.client(timeout=PATIENCE) as client:
        assert isinstance(client, ClusterClient)
        yield client
    await topology.close()


async def demand_replicas(cluster: RedisCluster, servers: Sequence[Valkey], number: int) -> None:
    """Has servers refuse writes without so many replicas, of which they have none."""
    async with AsyncExitStack() as opened:
        for server in servers:
            one: Redis = await opened.enter_async_context(cluster.client(server))
            await one.config_set("min-replicas-to-write", number)


async def test_while_one_server_refuses_writes_the_others_take_them(
    redis_cluster: RedisCluster, client: ClusterClient
) -> None:
    watch = WriteWatch(client, client.topology, PARTITIONS)
    assert await watch.check() == ""
    owner = await redis_cluster.owner_of_partition(0)
    try:
        await demand_replicas(redis_cluster, [owner], 1)
        told = await watch.check()
        assert told.startswith("Partitions 0")
        assert told.endswith("too few replicas follow it.")
        await demand_replicas(redis_cluster, redis_cluster.servers, 1)
        with pytest.raises(Unavailable, match="too few replicas follow it"):
            await watch.check()
    finally:
        await demand_replicas(redis_cluster, redis_cluster.servers, 0)
    assert await watch.check() == ""


async def test_a_script_is_loaded_where_its_slot_is_on_its_way(
    redis_cluster: RedisCluster, client: ClusterClient
) -> None:
    meta = Keyspace(PARTITIONS).board("arena").meta
    fence = scripts.fence_board(key_meta=meta)
    await run_script(client, fence)
    added = await redis_cluster.add_server()
    known = digest(fence.script, True).decode()
    try:
        async with redis_cluster.moving_slot(meta, added), redis_cluster.client(added) as new:
            assert await new.script_exists(known) == [False]
            await run_script(client, fence)
            assert await new.script_exists(known) == [True]
    finally:
        await redis_cluster.remove_server(added)


async def test_the_backlog_is_that_of_the_streams_of_all_servers(
    redis_cluster: RedisCluster, client: ClusterClient
) -> None:
    keyspace = Keyspace(PARTITIONS)
    for keys in keyspace.every_partition():
        await client.xadd(keys.events, {"d": "1"})
    state = await redis_state(client, keyspace)
    assert state["backlog"] == PARTITIONS
    assert state["lagSeconds"] < PATIENCE
