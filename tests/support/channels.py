"""What is published on a channel, wherever that is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from scoreboard.redisio.cluster_client import ClusterClient
from tests.support.waiting import PATIENCE


class Channel:
    """All that was published since it was opened."""

    def __init__(self, pubsub: PubSub) -> None:
        self._pubsub = pubsub

    async def next(self) -> Any:
        """The next text; None when none comes."""
        message = await self._pubsub.get_message(timeout=PATIENCE)
        return message and message["data"]

    async def told(self) -> list[Any]:
        """The texts that were published by now and not read yet: a server answers a PING behind
        all of them."""
        await self._pubsub.ping()
        texts: list[Any] = []
        while True:
            message = await self._pubsub.get_message(timeout=PATIENCE)
            assert message is not None, "no PONG"
            if message["type"].lower() == "pong":
                return texts
            texts.append(message["data"])


@asynccontextmanager
async def listening(redis: Redis, channel: str) -> AsyncIterator[Channel]:
    """A channel of a server, or of the server in a cluster that has its slot."""
    if isinstance(redis, ClusterClient):
        node = await redis.topology.owner(channel)
        async with (
            node.client(timeout=PATIENCE, connections=1) as client,
            client.pubsub(ignore_subscribe_messages=True) as pubsub,
        ):
            await pubsub.ssubscribe(channel)
            await pubsub.get_message(timeout=PATIENCE)  # it is confirmed
            yield Channel(pubsub)
    else:
        async with redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe(channel)
            await pubsub.get_message(timeout=PATIENCE)
            yield Channel(pubsub)
