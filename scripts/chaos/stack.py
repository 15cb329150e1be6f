"""The service over one Valkey, which is reached through a proxy and may have a replica."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from redis.asyncio import Redis

from scoreboard.local.child_processes import stop_together
from scoreboard.local.embedded_servers import Valkey
from scripts.chaos.disk import AppendOnlyFile
from scripts.chaos.proxy import Proxy
from scripts.chaos.service import START_TIMEOUT, Service
from scripts.load.replication import follows
from scripts.load.servers import given_server
from scripts.load.waiting import until

# Nothing may be synced but by the harness (chaos/disk.py).
VALKEY = {"appendfsync": "no"}


class Stack(Service):
    """With ``with_replica`` Valkey has one, and all go through the proxy, which can be pointed at
    it. ``valkey`` are the server's options."""

    def __init__(
        self,
        folder: Path,
        *,
        servers: int = 2,
        persisters: int = 2,
        valkey: Mapping[str, str] = VALKEY,
        settings: Mapping[str, str] | None = None,
        with_replica: bool = False,
    ) -> None:
        super().__init__(folder, servers=servers, persisters=persisters, settings=settings or {})
        self._binary = given_server()
        self.valkey = Valkey(folder / "valkey", binary=self._binary, options=valkey)
        password = urlsplit(self.valkey.url).password or ""
        following = {
            **valkey,
            "replicaof": f"127.0.0.1 {self.valkey.port}",
            "requirepass": password,
            "masterauth": password,
        }
        self.replica: Valkey | None = None
        if with_replica:
            self.replica = Valkey(folder / "replica", binary=self._binary, options=following)
        self.proxy = Proxy(self.valkey.port)
        self.file = AppendOnlyFile(self.valkey.directory)
        self._leaves_open_multi = False

    @property
    def redis_url(self) -> str:
        """Past the proxy."""
        return self.valkey.url

    def urls_of_roles(self) -> tuple[str, str]:
        """Persisters go past the proxy, but with a replica."""
        return self.proxied_url, self.proxied_url if self.replica else self.redis_url

    @property
    def proxied_url(self) -> str:
        return self.valkey.url.replace(f":{self.valkey.port}/", f":{self.proxy.port}/")

    def redis(self) -> Redis:
        """A client that goes past the proxy."""
        return Redis.from_url(self.redis_url, socket_timeout=10)

    def client(self) -> Redis:
        """A client that goes through the proxy, to whatever is behind it now."""
        return Redis.from_url(self.proxied_url, socket_timeout=10)

    async def start_redis(self) -> None:
        """Starts Valkey, its replica and the proxy."""
        await asyncio.gather(asyncio.to_thread(self.valkey.start), self.proxy.start())
        async with self.redis() as redis:
            version: str = (await redis.info("server"))["redis_version"]
            self._leaves_open_multi = version.startswith("7.0.")
        if self.replica is not None:
            await asyncio.to_thread(self.replica.start)
            async with Redis.from_url(self.replica.url) as replica:
                await until(lambda: follows(replica), "the replica follows")

    async def stop_redis(self) -> None:
        """As Service says."""
        await self.proxy.stop()
        both = [self.valkey.process, *([self.replica.process] if self.replica else [])]
        await asyncio.to_thread(stop_together, both)

    async def start_valkey_again(self) -> None:
        """After a crash. A Redis 7.0 has its file rewritten first, as docs/durability.md tells an
        operator, on a port that no client knows."""
        if self._leaves_open_multi:
            alone = Valkey(
                self.valkey.directory, binary=self._binary, log=self.folder / "valkey-alone.log"
            )
            await asyncio.to_thread(alone.start)
            try:
                await _rewritten(alone)
            finally:
                await asyncio.to_thread(alone.stop)
        await asyncio.to_thread(self.valkey.start)


async def _rewritten(valkey: Valkey) -> None:
    """Returns once its append-only file was rewritten."""
    async with asyncio.timeout(START_TIMEOUT), Redis.from_url(valkey.url) as redis:
        await redis.bgrewriteaof()
        while True:
            state = await redis.info("persistence")
            if not state["aof_rewrite_in_progress"] and not state["aof_rewrite_scheduled"]:
                break
            await asyncio.sleep(0.01)
        if state["aof_last_bgrewrite_status"] != "ok":
            raise RuntimeError(f"the file was not rewritten: {valkey.process.last_words()}")
