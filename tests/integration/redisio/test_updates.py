"""Subscriptions that come, go and cross."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from scoreboard.background import end
from scoreboard.local.embedded_servers import Valkey
from scoreboard.redisio.cluster_updates import Updates, updates_of
from scoreboard.redisio.topologies import topology_at
from scoreboard.redisio.updates import RedisUpdates
from scripts.load.clusters import RedisCluster
from tests.support.waiting import PATIENCE, wait_until


def channel_of(board: str) -> str:
    return f"sb:test:{board}"


class Listener:
    """One process's subscriptions and what came through them."""

    def __init__(self, updates: Updates) -> None:
        self.updates = updates
        self.came: list[tuple[str, bytes]] = []
        self.resubscribed: list[str] = []

    async def run(self) -> None:
        await self.updates.run(
            lambda board, text: self.came.append((board, text)), self.resubscribed.append
        )


@pytest.fixture
async def listener(redis_url: str, valkey: Valkey) -> AsyncIterator[Listener]:
    """Of a server by itself."""
    updates = RedisUpdates(topology_at(redis_url), channel_of, timeout=PATIENCE)
    async with running(Listener(updates)) as listener:
        await wait_until(lambda: updates._session, description="it is connected")
        yield listener


@asynccontextmanager
async def running(listener: Listener) -> AsyncIterator[Listener]:
    task = asyncio.create_task(listener.run())
    try:
        yield listener
    finally:
        await end(task)


async def subscribers(redis: Redis, board: str) -> int:
    [(_, number)] = await redis.pubsub_numsub(channel_of(board))
    return int(number)


async def gets(listener: Listener, redis: Redis, board: str, text: bytes) -> None:
    """Whatever is published from now on arrives."""
    assert await redis.publish(channel_of(board), text) == 1
    await wait_until(lambda: (board, text) in listener.came, description="the message")


async def test_all_who_subscribe_at_once_are_confirmed(listener: Listener, redis: Redis) -> None:
    async with asyncio.timeout(PATIENCE / 2):  # the time limit of a subscription is PATIENCE
        await asyncio.gather(*(listener.updates.subscribe("b") for _ in range(64)))
    await gets(listener, redis, "b", b"news")

    assert listener.resubscribed == []


async def test_many_boards_are_subscribed_to_at_once(listener: Listener, redis: Redis) -> None:
    boards = [f"b{number}" for number in range(200)]
    async with asyncio.timeout(PATIENCE / 2):
        await asyncio.gather(*map(listener.updates.subscribe, boards))
    for board in (boards[0], boards[-1]):
        await gets(listener, redis, board, b"news")


async def test_a_board_that_was_left_and_is_wanted_again_is_heard_once_that_is_confirmed(
    listener: Listener, redis: Redis
) -> None:
    """The confirmation of the first subscription is not taken for that of the second."""
    for number in range(50):
        first = asyncio.create_task(listener.updates.subscribe("b"))
        for _ in range(number % 4):
            await asyncio.sleep(0)
        listener.updates.unsubscribe("b")
        for _ in range(number % 3):
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE / 2):
            await listener.updates.subscribe("b")
            await first
        await gets(listener, redis, "b", b"%d" % number)
        listener.updates.unsubscribe("b")


async def test_what_nobody_wants_any_more_is_left(listener: Listener, redis: Redis) -> None:
    async with asyncio.timeout(PATIENCE / 2):
        await asyncio.gather(*(listener.updates.subscribe(board) for board in ("a", "b")))
    listener.updates.unsubscribe("a")

    async def left() -> bool:
        return await subscribers(redis, "a") == 0

    await wait_until(left, description="it is unsubscribed")
    assert await subscribers(redis, "b") == 1


async def test_who_is_cancelled_while_subscribing_leaves_the_others_undisturbed(
    listener: Listener, redis: Redis
) -> None:
    impatient = [asyncio.create_task(listener.updates.subscribe("b")) for _ in range(3)]
    patient = asyncio.create_task(listener.updates.subscribe("b"))
    await asyncio.sleep(0)
    for task in impatient:
        task.cancel()
    async with asyncio.timeout(PATIENCE / 2):
        await patient
    await gets(listener, redis, "b", b"news")

    assert listener.resubscribed == ["b"], "who was cancelled may have missed something"


async def test_a_lost_connection_lets_nobody_wait_and_all_boards_are_told(
    listener: Listener, redis: Redis
) -> None:
    async with asyncio.timeout(PATIENCE / 2):
        await asyncio.gather(*(listener.updates.subscribe(board) for board in ("a", "b")))
        joining = asyncio.create_task(listener.updates.subscribe("c"))
        await redis.client_kill_filter(_type="pubsub")
        await joining
    await wait_until(
        lambda: {"a", "b"} <= set(listener.resubscribed), description="they are resubscribed"
    )
    await gets(listener, redis, "c", b"news")


async def test_channels_of_several_slots_are_heard_again_and_never_named_together(
    tmp_path: Path,
) -> None:
    cluster = RedisCluster(tmp_path, masters=1)
    try:
        await cluster.start()
        topology = topology_at(cluster.url)
        listener = Listener(updates_of(topology, channel_of, timeout=PATIENCE))
        async with running(listener), cluster.client(cluster.servers[0]) as redis:

            async def heard(*boards: str) -> bool:
                names = map(channel_of, boards)
                return all(number for _, number in await redis.pubsub_shardnumsub(*names))

            for board in ("a", "b"):
                await listener.updates.subscribe(board)
            await wait_until(lambda: heard("a", "b"), description="both are heard")
            listener.resubscribed.clear()
            topology.renew()
            await listener.updates.subscribe("c")
            await wait_until(
                lambda: {"a", "b"} <= set(listener.resubscribed), description="they are told"
            )
            await wait_until(lambda: heard("a", "b", "c"), description="all are heard")
            assert "errorstat_CROSSSLOT" not in await redis.info("errorstats")
        await topology.close()
    finally:
        cluster.stop()
