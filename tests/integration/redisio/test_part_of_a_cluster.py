"""Some servers of a cluster fail: the service stays ready for the others, and says which fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from scoreboard.assembly.probes import RedisState
from scoreboard.assembly.redis_servers import redis_servers
from scoreboard.errors import Unavailable
from scoreboard.local.embedded_servers import Valkey
from scoreboard.redisio.cluster_client import ClusterClient
from scoreboard.redisio.commands import run_script
from scoreboard.redisio.line_pool import ScriptLines
from scoreboard.redisio.script_source import digest
from scoreboard.redisio.topologies import topology_at
from scoreboard.redisio.write_watch import WriteWatch
from scoreboard.telemetry.metrics import redis_call_seconds
from scoreboard.telemetry.node_figures import figures_of
from scoreboard.telemetry.tallies import publish_all
from scoreboard.wire import scripts
from scoreboard.wire.keys import Keyspace, PartitionKeys
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


@pytest.fixture
async def lines(client: ClusterClient) -> AsyncIterator[ScriptLines]:
    lines = ScriptLines(client.topology, timeout=PATIENCE, most=1)
    yield lines
    await lines.close()


async def test_calls_connections_and_refusals_are_counted_by_server(
    redis_cluster: RedisCluster, lines: ScriptLines
) -> None:
    owners = [await redis_cluster.owner_of_partition(number) for number in range(PARTITIONS)]
    assert len(set(owners)) == 3
    before = {owner: figures(owner) for owner in owners}
    for partition in range(PARTITIONS):
        await sweep(lines, partition)
    for owner in set(owners):
        calls, made, refused = changed(before[owner], figures(owner))
        assert calls - owners.count(owner) in (0, 2)  # where the script was not known: told, loaded
        assert (made, refused) == (1, 0)

    before = {owner: figures(owner) for owner in owners}
    try:
        await demand_replicas(redis_cluster, [owners[0]], 1)
        with pytest.raises(Unavailable, match="too few replicas follow it"):
            await sweep(lines, 0)
    finally:
        await demand_replicas(redis_cluster, redis_cluster.servers, 0)
    for owner in set(owners):
        assert (changed(before[owner], figures(owner))[2] > 0) == (owner is owners[0])


async def sweep(lines: ScriptLines, partition: int) -> None:
    """Runs a script that writes, there."""
    call = scripts.sweep_board(key_meta=PartitionKeys(partition).probe, arg_version=1)
    of_node = await lines.at(call.keys[0])
    line = await of_node.acquire()
    try:
        await line.run(call)
    finally:
        of_node.release(line)


def figures(server: Valkey) -> tuple[float, float, float]:
    """Calls that a server has answered, connections made to it, and what it refused."""
    known = figures_of(f"{server.host}:{server.port}")
    publish_all()
    seconds = redis_call_seconds.labels(f"{server.host}:{server.port}")
    calls = sum(bucket.get() for bucket in seconds._buckets)
    return calls, known.connections._value.get(), known.refused._value.get()


def changed(before: tuple[float, ...], after: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(new - old for old, new in zip(before, after, strict=True))


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
    report = RedisState(client, PARTITIONS)
    state = await report()
    assert state["backlog"] == PARTITIONS
    assert state["lagSeconds"] < PATIENCE

    servers = await redis_servers(client.topology, report)
    assert [(one.role, one.replicas) for one in servers] == [("master", 0)] * 3
    had = {one.address: one.partitions for one in servers}
    for number in range(PARTITIONS):
        owner = await redis_cluster.owner_of_partition(number)
        assert number in had[f"{owner.host}:{owner.port}"]
    assert [one.backlog for one in servers] == [len(one.partitions) for one in servers]
