"""The service over servers of Redis that replace one another: a cluster, or a pair with Sentinels.

Where a network of our own can be made, each server is a host in it, which can be cut off.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from redis.asyncio import Redis

from scoreboard.local.embedded_servers import Valkey
from scoreboard.redisio.topologies import topology_at
from scripts.chaos.service import Service
from scripts.load.clusters import RedisCluster
from scripts.load.network import Host, Network, NoNetwork
from scripts.load.sentinels import Watched


class Servers(Protocol):
    """What RedisCluster and Watched have in common."""

    @property
    def url(self) -> str: ...
    async def start(self) -> None: ...
    def stop(self) -> None: ...
    def client(self, server: Valkey) -> Redis: ...
    def host(self, server: Valkey) -> Host: ...


R = TypeVar("R", bound=Servers)

SILENCE = 3000  # milliseconds after which a server is found gone: no shorter, on a busy machine
TIMEOUT = 10.0  # seconds of an audit's commands


class Replicated(Service, Generic[R]):
    """``make`` makes the servers, in a folder and perhaps a network. ``network`` is None where none
    can be made."""

    def __init__(self, folder: Path, make: Callable[[Path, Network | None], R]) -> None:
        super().__init__(folder, servers=2, persisters=2, settings={})
        self.network: Network | None = Network()
        try:
            self.network.open()
        except NoNetwork:
            self.network = None
        self.redis: R = make(folder, self.network)

    @property
    def redis_url(self) -> str:
        """As Service says."""
        return self.redis.url

    async def start_redis(self) -> None:
        """As Service says."""
        await self.redis.start()

    async def stop_redis(self) -> None:
        """As Service says; removes the network, too."""
        await asyncio.to_thread(self.redis.stop)
        if self.network is not None:
            await asyncio.to_thread(self.network.close)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Any]:
        """As Service says."""
        topology = topology_at(self.redis_url)
        try:
            async with topology.client(timeout=TIMEOUT) as client:
                yield client
        finally:
            await topology.close()


def cluster_stack(folder: Path) -> Replicated[RedisCluster]:
    """Three masters, each with a replica."""
    return Replicated(
        folder, lambda at, net: RedisCluster(at, replicas=1, network=net, silence=SILENCE)
    )


def sentinel_stack(folder: Path) -> Replicated[Watched]:
    """A master, its replica, and three Sentinels."""
    return Replicated(folder, lambda at, net: Watched(at, network=net, silence=SILENCE))
