"""A Redis Cluster whose slots move and whose masters go: everything is followed, nothing that was
promised is lost and nothing counts twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from aiohttp import ClientSession

from scoreboard.errors import Unavailable
from scoreboard.local.embedded_servers import Valkey
from scoreboard.redisio.commands import reachable
from scoreboard.redisio.fitness import check_servers
from scoreboard.redisio.topologies import topology_at
from scoreboard.settings import Settings
from scoreboard.wire.keys import Keyspace
from scripts.load.clusters import CantMove, RedisCluster
from tests.support.cut_network import private_network
from tests.support.extent import further, kept
from tests.support.steady_posts import Posters, audited, heard
from tests.support.waiting import PATIENCE, wait_until
from tests.support.whole_service import Service, service

BOARDS = ["global", "arena", "duel", "weekly"]


@pytest.fixture
async def cluster_with_replicas(tmp_path: Path) -> AsyncIterator[RedisCluster]:
    cluster = RedisCluster(tmp_path, replicas=1)
    try:
        await cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
async def running(
    cluster_with_replicas: RedisCluster, settings: Settings
) -> AsyncIterator[Service]:
    async with served(cluster_with_replicas, settings) as running:
        yield running


@asynccontextmanager
async def served(cluster: RedisCluster, settings: Settings) -> AsyncIterator[Service]:
    changed = msgspec.structs.replace(
        settings, redis_url=cluster.url, redis_timeout=2.0, durability_timeout=0.5
    )
    async with service(changed) as running, running.persisting():
        yield running


def of_board(running: Service, board: str) -> str:
    """A key that is where the board is."""
    return Keyspace(running.settings.partitions).board(board).meta


async def ready(running: Service, http: ClientSession) -> None:
    async def is_ready() -> bool:
        async with http.get(f"{running.url}/readyz") as answer:
            return answer.status == 200

    await wait_until(is_ready, description="the service is ready")


async def at_once(cluster: RedisCluster, key: str, there: Valkey) -> None:
    try:
        await cluster.move_slot_at_once(key, there)
    except CantMove as error:
        pytest.skip(f"these servers can't move a slot at once ({error})")


@pytest.mark.parametrize("move", kept([RedisCluster.move_slot, at_once], at_once))
async def test_a_slot_that_moves_under_load_is_followed_there_and_back(
    cluster_with_replicas: RedisCluster,
    running: Service,
    http: ClientSession,
    move: Callable[..., Awaitable[None]],
) -> None:
    cluster = cluster_with_replicas
    await cluster.keep_masters()
    posters = Posters(running, http, BOARDS, "redis")
    async with posters.at_work() as posted:
        await posters.more()
        watching = await http.ws_connect(f"{running.url}/ws/boards/{BOARDS[0]}")
        key = of_board(running, BOARDS[0])
        home = await cluster.owner(key)
        away = next(server for server in cluster.servers[:3] if server is not home)
        for there in (away, home):
            await move(cluster, key, there)
            await posters.more()

    assert posted.promised == posted.settled
    counted = await audited(running.settings, posted)
    await heard(watching, counted[BOARDS[0]])
    await watching.close()
    await ready(running, http)


async def test_a_new_server_takes_a_slot_under_load(
    cluster_with_replicas: RedisCluster, running: Service, http: ClientSession
) -> None:
    cluster = cluster_with_replicas
    await cluster.keep_masters()
    posters = Posters(running, http, BOARDS, "redis")
    async with posters.at_work() as posted:
        await posters.more()
        await cluster.move_slot(of_board(running, BOARDS[0]), await cluster.add_server())
        await posters.more()

    assert posted.promised == posted.settled
    await audited(running.settings, posted)
    await ready(running, http)


@further
async def test_a_server_that_gives_its_slot_back_is_removed_under_load(
    cluster_with_replicas: RedisCluster, running: Service, http: ClientSession
) -> None:
    cluster = cluster_with_replicas
    await cluster.keep_masters()
    posters = Posters(running, http, BOARDS, "redis")
    key = of_board(running, BOARDS[0])
    async with posters.at_work() as posted:
        home, added = await cluster.owner(key), await cluster.add_server()
        await cluster.move_slot(key, added)
        await posters.more()
        await cluster.move_slot(key, home)
        await cluster.remove_server(added)
        await posters.more()

    assert added not in cluster.servers
    assert posted.promised == posted.settled
    await audited(running.settings, posted)
    await ready(running, http)


async def test_a_manual_failover_under_load_loses_nothing(
    cluster_with_replicas: RedisCluster, running: Service, http: ClientSession
) -> None:
    cluster = cluster_with_replicas
    await cluster.keep_masters()
    posters = Posters(running, http, BOARDS, "redis")
    async with posters.at_work() as posted:
        await posters.more()
        watching = await http.ws_connect(f"{running.url}/ws/boards/{BOARDS[0]}")
        master = await cluster.owner(of_board(running, BOARDS[0]))
        await cluster.fail_over(master)
        await posters.more()

    assert posted.promised == posted.settled
    counted = await audited(running.settings, posted)
    await heard(watching, counted[BOARDS[0]])
    await watching.close()
    await ready(running, http)


async def test_a_start_that_waits_finds_the_master_that_came_meanwhile(
    cluster_with_replicas: RedisCluster,
) -> None:
    cluster = cluster_with_replicas
    topology = topology_at(cluster.url)
    async with topology.client(timeout=PATIENCE) as client:
        await check_servers(client)
        await cluster.fail_over(await cluster.owner("any"))

        async def fit() -> bool:
            try:
                with reachable():
                    await check_servers(client)
            except Unavailable:
                return False
            return True

        await wait_until(fit, description="the new master is found fit")
    await topology.close()


@further
async def test_a_master_that_is_killed_is_replaced_and_what_its_replica_had_is_kept(
    cluster_with_replicas: RedisCluster, running: Service, http: ClientSession
) -> None:
    cluster = cluster_with_replicas
    posters = Posters(running, http, BOARDS, "replica")
    async with posters.at_work() as posted:
        await posters.more()
        watching = await http.ws_connect(f"{running.url}/ws/boards/{BOARDS[0]}")
        master = await cluster.owner(of_board(running, BOARDS[0]))
        replica = await cluster.replica_of(master)
        master.kill()
        await cluster.promoted(replica)
        await posters.more()
        master.start()  # as a replica of the one that was its own
        await cluster.settled()
        await posters.more()

    counted = await audited(running.settings, posted)
    await heard(watching, counted[BOARDS[0]])
    await watching.close()
    await ready(running, http)


@further
@pytest.mark.parametrize("from_us_too", [False, True])
async def test_a_master_that_is_cut_off_is_replaced_and_what_its_replica_had_is_kept(
    tmp_path: Path, settings: Settings, http: ClientSession, from_us_too: bool
) -> None:
    """If only the other servers can't reach it, it takes writes from us for a while."""
    with private_network() as network:
        cluster = RedisCluster(tmp_path, replicas=1, network=network)
        try:
            await cluster.start()
            async with served(cluster, settings) as running:
                posters = Posters(running, http, BOARDS, "replica")
                async with posters.at_work() as posted:
                    await posters.more()
                    master = await cluster.owner(of_board(running, BOARDS[0]))
                    replica = await cluster.replica_of(master)
                    host = cluster.host(master)
                    if from_us_too:
                        await host.cut()
                    else:
                        await host.cut_from(network.others(host))
                    await cluster.leads(replica)
                    await posters.more()
                    await host.mend()
                    await cluster.follows(master)
                    await cluster.settled()
                    await posters.more()

                await audited(running.settings, posted)
                await ready(running, http)
        finally:
            cluster.stop()
