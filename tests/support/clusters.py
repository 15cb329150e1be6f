"""Redis Clusters of a few servers, on free ports."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from scoreboard.local.embedded_servers import Valkey, free_port
from scoreboard.redisio.cluster import slot_of
from scoreboard.wire.keys import PartitionKeys
from tests.support.servers import new_valkey
from tests.support.waiting import wait_until

PASSWORD = "only-for-these-tests"
SLOTS = 16384


class RedisCluster:
    """``masters``, each with as many ``replicas``, not started yet. The slots are spread evenly, in
    order."""

    def __init__(self, folder: Path, *, masters: int = 3, replicas: int = 0) -> None:
        self._folder = folder
        self._masters = masters
        self._bus: dict[int, int] = {}  # the port on which servers talk, by that for clients
        self._size = masters * (1 + replicas)
        self.servers: list[Valkey] = []
        self._ids: dict[int, str] = {}

    def _server(self, number: int) -> Valkey:
        bus = free_port()
        server = new_valkey(
            self._folder / f"server-{number}",
            requirepass=PASSWORD,
            cluster_enabled="yes",
            cluster_port=str(bus),
            cluster_node_timeout="1500",
            # A replica may take over however long its master has been silent.
            cluster_replica_validity_factor="0",
            repl_diskless_sync_delay="0",
        )
        self._bus[server.port] = bus
        return server

    @property
    def url(self) -> str:
        places = ",".join(f"127.0.0.1:{server.port}" for server in self.servers)
        return f"redis+cluster://:{PASSWORD}@{places}"

    async def start(self) -> None:
        for number in range(self._size):
            # Its ports are found right before it takes them, or another process may have them.
            self.servers.append(self._server(number))
            self.servers[-1].start()
        for epoch, server in enumerate(self.servers, 1):
            async with self.client(server) as client:
                self._ids[server.port] = (await client.execute_command("CLUSTER MYID")).decode()
                await client.execute_command("CLUSTER SET-CONFIG-EPOCH", epoch)
        masters, replicas = self.servers[: self._masters], self.servers[self._masters :]
        for number, server in enumerate(masters):
            first, end = (SLOTS * at // self._masters for at in (number, number + 1))
            async with self.client(server) as client:
                await client.execute_command("CLUSTER ADDSLOTSRANGE", first, end - 1)
        for server in self.servers[1:]:
            await self._meet(server)
        await self._all_know(len(self.servers))
        for number, server in enumerate(replicas):
            await self._replicate(server, masters[number % self._masters])
        await self.settled()

    async def add_server(self) -> Valkey:
        """One more, without slots."""
        server = self._server(len(self.servers))
        server.start()
        async with self.client(server) as client:
            self._ids[server.port] = (await client.execute_command("CLUSTER MYID")).decode()
        self.servers.append(server)
        await self._meet(server)
        await self._all_know(len(self.servers))
        await self.settled()
        return server

    async def _meet(self, server: Valkey) -> None:
        first = self.servers[0]
        async with self.client(server) as client:
            await client.execute_command(
                "CLUSTER MEET", "127.0.0.1", first.port, self._bus[first.port]
            )

    async def _all_know(self, number: int) -> None:
        async def known() -> bool:
            for server in self.servers:
                async with self.client(server) as client:
                    nodes = (await client.execute_command("CLUSTER NODES")).values()
                if len(nodes) < number or any("handshake" in node["flags"] for node in nodes):
                    return False
            return True

        await wait_until(known, description="the servers know one another")

    async def _replicate(self, replica: Valkey, master: Valkey) -> None:
        async with self.client(replica) as client:
            await client.execute_command("CLUSTER REPLICATE", self._ids[master.port])

            async def linked() -> bool:
                info = await client.info("replication")
                return bool(info["role"] == "slave" and info["master_link_status"] == "up")

            await wait_until(linked, description="the replica follows")

    async def settled(self) -> None:
        """Returns once all servers that run agree on who has which slot, and find all well."""

        async def agreed() -> bool:
            views = set()
            for server in self.servers:
                if not server.process.running:
                    continue
                try:
                    async with self.client(server) as client:
                        info = await client.execute_command("CLUSTER INFO")
                        slots = await client.execute_command("CLUSTER SLOTS")
                except RedisError:
                    return False
                if info["cluster_state"] != "ok":
                    return False
                views.add(str(sorted((first, last, at[1]) for first, last, at, *_ in slots)))
            return len(views) == 1

        await wait_until(agreed, description="the cluster is well")

    def client(self, server: Valkey) -> Redis:
        return Redis(host="127.0.0.1", port=server.port, password=PASSWORD, protocol=2)

    async def owner(self, key: str) -> Valkey:
        """The server that has the key's slot, as the servers that run say."""
        slot = slot_of(key)
        for asked in self.servers:
            with contextlib.suppress(RedisConnectionError):
                async with self.client(asked) as client:
                    slots = await client.execute_command("CLUSTER SLOTS")
                port = next(at[1] for first, last, at, *_ in slots if first <= slot <= last)
                return next(server for server in self.servers if server.port == port)
        raise AssertionError("no server answers")

    async def owner_of_partition(self, partition: int) -> Valkey:
        return await self.owner(PartitionKeys(partition).events)

    async def replica_of(self, master: Valkey) -> Valkey:
        """A server that follows this one."""
        for server in self.servers:
            if server.process.running and server is not master:
                async with self.client(server) as client:
                    info = await client.info("replication")
                if info["role"] == "slave" and info["master_port"] == master.port:
                    return server
        raise AssertionError("it has no replica")

    async def fail_over(self, master: Valkey) -> Valkey:
        """In good order: a replica becomes master; which."""
        replica = await self.replica_of(master)
        async with self.client(replica) as client:
            await client.execute_command("CLUSTER FAILOVER")
        await self.promoted(replica)
        return replica

    async def promoted(self, replica: Valkey) -> None:
        """Returns once this one is a master, and all servers know."""
        async with self.client(replica) as client:

            async def leads() -> bool:
                return bool((await client.info("replication"))["role"] == "master")

            await wait_until(leads, description="the replica is the master")
        await self.settled()

    async def move_slot(self, key: str, to: Valkey, *, step: int = 10) -> None:
        """Moves the key's slot as redis-cli does: key by key, while the source still has it."""
        slot, source = slot_of(key), await self.owner(key)
        assert source is not to
        async with self.client(source) as old, self.client(to) as new:
            await new.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", self._ids[source.port])
            await old.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", self._ids[to.port])
            while True:
                keys: Sequence[bytes] = await old.execute_command(
                    "CLUSTER GETKEYSINSLOT", slot, step
                )
                if not keys:
                    break
                await old.execute_command(
                    *("MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "AUTH", PASSWORD),
                    *("KEYS", *keys),
                )
                await asyncio.sleep(0)
            for client in (new, old):
                await client.execute_command("CLUSTER SETSLOT", slot, "NODE", self._ids[to.port])
        await self.settled()

    async def move_slot_at_once(self, key: str, to: Valkey) -> None:
        """Moves the key's slot whole, as Valkey can from version 9 on; skips the test where servers
        can't."""
        slot, source = slot_of(key), await self.owner(key)
        async with self.client(source) as old:
            try:
                await old.execute_command(
                    *("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot),
                    *("NODE", self._ids[to.port]),
                )
            except ResponseError as error:
                pytest.skip(f"these servers can't move a slot at once ({error})")

        async def moved() -> bool:
            return await self.owner(key) is to

        await wait_until(moved, description="the slot has moved")
        await self.settled()

    def empty(self) -> None:
        """Removes all keys."""
        for server in self.servers:
            with BlockingRedis(port=server.port, password=PASSWORD, protocol=2) as client:
                if client.info("replication")["role"] == "master":
                    client.flushall()

    def stop(self) -> None:
        for server in self.servers:
            if server.process.running:
                server.kill()
