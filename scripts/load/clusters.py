"""Redis Clusters of a few servers, on free ports."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from scoreboard.local.embedded_servers import Valkey, free_port
from scoreboard.redisio.cluster import slot_of
from scoreboard.wire.keys import PartitionKeys
from scripts.load.network import Host, Network
from scripts.load.replication import caught_up, follows, role
from scripts.load.servers import given_server
from scripts.load.waiting import PATIENCE, until

PASSWORD = secrets.token_hex(16)
SLOTS = 16384
AGAIN = 6.0  # seconds after which servers are told again what they may have given up


class CantMove(Exception):
    """These servers can't move a slot at once."""


class RedisCluster:
    """``masters``, each with as many ``replicas``, not started yet. The slots are spread evenly, in
    order. In a ``network`` each server is a host of its own. One that says nothing for ``silence``
    (milliseconds) is found gone."""

    def __init__(
        self,
        folder: Path,
        *,
        masters: int = 3,
        replicas: int = 0,
        network: Network | None = None,
        silence: int = 1500,
    ) -> None:
        self._folder = folder
        self._silence = silence
        self._network = network
        self._masters = masters
        self._bus: dict[int, int] = {}  # the port on which servers talk, by that for clients
        self._size = masters * (1 + replicas)
        self.servers: list[Valkey] = []
        self._ids: dict[int, str] = {}
        self._made = 0
        self._hosts: dict[Valkey, Host] = {}
        self._free: list[Host] = []  # of servers that were removed

    def _server(self) -> Valkey:
        bus = free_port()
        host = (self._free.pop() if self._free else self._network.add()) if self._network else None
        server = Valkey(
            self._folder / f"server-{self._made}",
            binary=given_server(),
            options={
                "requirepass": PASSWORD,
                "cluster-enabled": "yes",
                "cluster-port": str(bus),
                "cluster-node-timeout": str(self._silence),
                # A replica may take over however long its master has been silent.
                "cluster-replica-validity-factor": "0",
                "repl-diskless-sync-delay": "0",
            },
            host=host.there if host else "127.0.0.1",
            inside=host.inside() if host else (),
        )
        self._made += 1
        self._bus[server.port] = bus
        if host:
            self._hosts[server] = host
        return server

    def host(self, server: Valkey) -> Host:
        """That of the server, in a network."""
        return self._hosts[server]

    @property
    def url(self) -> str:
        places = ",".join(f"{server.host}:{server.port}" for server in self.servers)
        return f"redis+cluster://:{PASSWORD}@{places}"

    async def start(self) -> None:
        for _ in range(self._size):
            # Its ports are found right before it takes them, or another process may have them.
            self.servers.append(self._server())
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
        await self._meet(self.servers[1:])
        for number, server in enumerate(replicas):
            await self._replicate(server, masters[number % self._masters])
        await self.settled()

    async def add_server(self) -> Valkey:
        """One more, without slots."""
        server = self._server()
        server.start()
        async with self.client(server) as client:
            self._ids[server.port] = (await client.execute_command("CLUSTER MYID")).decode()
        self.servers.append(server)
        await self._meet([server])
        await self.settled()
        return server

    async def remove_server(self, server: Valkey) -> None:
        """Takes one without slots out of the cluster, and ends it."""
        gone = self._ids[server.port]
        self.servers.remove(server)
        for other in self.servers:
            async with self.client(other) as client:
                with contextlib.suppress(ResponseError):  # another has told it already
                    await client.execute_command("CLUSTER FORGET", gone)
        await asyncio.to_thread(server.stop)
        if server in self._hosts:
            self._free.append(self._hosts.pop(server))
        await self.settled()

    async def _meet(self, newcomers: Sequence[Valkey]) -> None:
        """Returns once all servers know one another. Those who are busy for longer than ``silence``
        forget that they were to meet, so they are told again."""
        first, number = self.servers[0], len(self.servers)
        again = time.monotonic()

        async def known() -> bool:
            nonlocal again
            if time.monotonic() >= again:
                for server in newcomers:
                    async with self.client(server) as client:
                        await client.execute_command(
                            "CLUSTER MEET", first.host, first.port, self._bus[first.port]
                        )
                again = time.monotonic() + AGAIN
            for server in self.servers:
                async with self.client(server) as client:
                    nodes = (await client.execute_command("CLUSTER NODES")).values()
                if len(nodes) < number or any("handshake" in node["flags"] for node in nodes):
                    return False
            return True

        await until(known, "the servers know one another")

    async def _replicate(self, replica: Valkey, master: Valkey) -> None:
        async with self.client(replica) as client:
            await client.execute_command("CLUSTER REPLICATE", self._ids[master.port])
            await until(lambda: follows(client), "the replica follows")

    async def settled(self) -> None:
        """Returns once all servers that run agree on who has which slot and who follows whom, and
        find all well. A master that goes before may never be replaced: a replica that still takes
        it for one of its own replicas does not stand for election (seen with Redis 7.0)."""
        up = [server for server in self.servers if server.process.running]
        ids = {self._ids[server.port] for server in up}

        async def agreed() -> bool:
            views = set()
            for server in up:
                try:
                    async with self.client(server) as client:
                        info = await client.execute_command("CLUSTER INFO")
                        slots = await client.execute_command("CLUSTER SLOTS")
                        nodes = await client.execute_command("CLUSTER NODES")
                except RedisError:
                    return False
                if info["cluster_state"] != "ok":
                    return False
                masters = [
                    (node["node_id"], node["master_id"])
                    for node in nodes.values()
                    if node["node_id"] in ids
                ]
                owners = [(first, last, at[1]) for first, last, at, *_ in slots]
                views.add(str((sorted(owners), sorted(masters))))
            return len(views) == 1

        await until(agreed, "the cluster is well")

    def client(self, server: Valkey) -> Redis:
        return Redis(
            host=server.host,
            port=server.port,
            password=PASSWORD,
            protocol=2,
            socket_connect_timeout=PATIENCE,
            socket_timeout=PATIENCE,
        )

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

    async def keep_masters(self) -> None:
        """From now on no replica takes over unless it is told to. Else one may whenever a busy
        machine leaves its master without CPU for ``silence``, and acknowledged writes are lost."""
        for server in self.servers:
            async with self.client(server) as client:
                await client.config_set("cluster-replica-no-failover", "yes")

    async def fail_over(self, master: Valkey) -> Valkey:
        """In good order: a replica becomes master; which. It gives up after 5 s, on a busy machine,
        and is told again."""
        replica = await self.replica_of(master)
        again = time.monotonic()
        async with self.client(replica) as client:

            async def is_master() -> bool:
                nonlocal again
                if await role(client) == "master":
                    return True
                if time.monotonic() >= again:
                    with contextlib.suppress(ResponseError):  # it is the master by now
                        await client.execute_command("CLUSTER FAILOVER")
                    again = time.monotonic() + AGAIN
                return False

            await until(is_master, "the replica is the master")
        await self.settled()
        return replica

    async def promoted(self, replica: Valkey) -> None:
        """Returns once this one is a master, and all servers know."""
        await self.leads(replica)
        await self.settled()

    async def leads(self, replica: Valkey) -> None:
        """Returns once this one is a master."""
        async with self.client(replica) as client:

            async def is_master() -> bool:
                return await role(client) == "master"

            await until(is_master, "the replica is the master")

    async def follows(self, replica: Valkey) -> None:
        """Returns once this one follows a master."""
        async with self.client(replica) as client:
            await until(lambda: follows(client), "the replica follows")

    async def masters(self) -> list[Valkey]:
        """Those that have slots, while all servers run."""
        async with self.client(self.servers[0]) as client:
            slots = await client.execute_command("CLUSTER SLOTS")
        ports = {at[1] for _, _, at, *_ in slots}
        return [server for server in self.servers if server.port in ports]

    async def caught_up(self) -> None:
        """Returns once every replica has what its master had when this was called."""
        for master in await self.masters():
            await caught_up(self.client(master), self.client(await self.replica_of(master)))

    async def move_slot(self, key: str, to: Valkey, *, step: int = 10) -> None:
        """Moves the key's slot as redis-cli does: key by key, while the source still has it."""
        slot, source = slot_of(key), await self.owner(key)
        assert source is not to
        async with self.client(source) as old, self.client(to) as new:
            await self._begin_to_move(slot, source, to)
            while True:
                keys: Sequence[bytes] = await old.execute_command(
                    "CLUSTER GETKEYSINSLOT", slot, step
                )
                if not keys:
                    break
                await old.execute_command(
                    *("MIGRATE", to.host, to.port, "", 0, 5000, "AUTH", PASSWORD),
                    *("KEYS", *keys),
                )
                await asyncio.sleep(0)
            await new.execute_command("CLUSTER SETSLOT", slot, "NODE", self._ids[to.port])
            # One that has no other slot may have heard already, and follows the new owner by now.
            with contextlib.suppress(ResponseError):
                await old.execute_command("CLUSTER SETSLOT", slot, "NODE", self._ids[to.port])
        await self.settled()

    @contextlib.asynccontextmanager
    async def moving_slot(self, key: str, to: Valkey) -> AsyncIterator[None]:
        """The key's slot is on its way for as long as the block lasts, then it stays where it is.
        What is asked of keys that are not there goes to the other side."""
        slot, source = slot_of(key), await self.owner(key)
        await self._begin_to_move(slot, source, to)
        try:
            yield
        finally:
            for server in (source, to):
                async with self.client(server) as client:
                    await client.execute_command("CLUSTER SETSLOT", slot, "STABLE")

    async def _begin_to_move(self, slot: int, source: Valkey, to: Valkey) -> None:
        async with self.client(source) as old, self.client(to) as new:
            await new.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", self._ids[source.port])
            await old.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", self._ids[to.port])

    async def move_slot_at_once(self, key: str, to: Valkey) -> None:
        """Moves the key's slot whole, as Valkey can from version 9 on. Raises CantMove."""
        slot, source = slot_of(key), await self.owner(key)
        async with self.client(source) as old:
            try:
                await old.execute_command(
                    *("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot),
                    *("NODE", self._ids[to.port]),
                )
            except ResponseError as error:
                raise CantMove(str(error)) from error

        async def moved() -> bool:
            return await self.owner(key) is to

        await until(moved, "the slot has moved")
        await self.settled()

    def empty(self) -> None:
        """Removes all keys."""
        for server in self.servers:
            with BlockingRedis(server.host, server.port, password=PASSWORD, protocol=2) as client:
                if client.info("replication")["role"] == "master":
                    client.flushall()

    def stop(self) -> None:
        for server in self.servers:
            if server.process.running:
                server.kill()
