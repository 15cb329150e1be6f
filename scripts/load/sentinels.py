"""Two servers and the Sentinels that watch them, on free ports."""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from scoreboard.local.child_processes import Child
from scoreboard.local.embedded_servers import Valkey, free_port, valkey_binary
from scripts.load.network import Host, Network
from scripts.load.replication import caught_up, follows
from scripts.load.servers import given_server
from scripts.load.waiting import PATIENCE, until

SERVICE = "main"
PASSWORD, OF_SENTINELS = secrets.token_hex(16), secrets.token_hex(16)
LOOPBACK = "127.0.0.1"


class Sentinel:
    """One Sentinel, which finds a master down that says nothing for ``silence`` milliseconds."""

    def __init__(
        self, folder: Path, master: Valkey, replica: Valkey, silence: int, host: Host | None
    ) -> None:
        self.address = host.there if host else LOOPBACK
        self.port = free_port()
        folder.mkdir()
        (folder / "sentinel.conf").write_text(
            f"bind {self.address}\nport {self.port}\nrequirepass {OF_SENTINELS}\n"
            f"sentinel monitor {SERVICE} {master.host} {master.port} 2\n"
            f"sentinel auth-pass {SERVICE} {PASSWORD}\n"
            f"sentinel down-after-milliseconds {SERVICE} {silence}\n"
            # else seen after 10 s
            f"sentinel known-replica {SERVICE} {replica.host} {replica.port}\n"
            f"sentinel failover-timeout {SERVICE} 3000\n"
        )
        binary = str(given_server() or valkey_binary())
        command = [binary, "sentinel.conf", "--sentinel"]
        self.process = Child(
            "Sentinel",
            host.inside(*command) if host else command,
            log=folder / "sentinel.log",
            folder=folder,
        )

    def start(self) -> None:
        self.process.start()
        self.process.wait_until(self._answers, timeout=PATIENCE)

    def client(self) -> Redis:
        return Redis(
            host=self.address,
            port=self.port,
            password=OF_SENTINELS,
            socket_connect_timeout=PATIENCE,
            socket_timeout=PATIENCE,
        )

    def _answers(self) -> bool:
        try:
            socket.create_connection((self.address, self.port), timeout=1).close()
        except OSError:
            return False
        return True


class Watched:
    """A master, its replica, and three Sentinels. In a ``network`` each of the five is a host of
    its own."""

    def __init__(
        self, folder: Path, *, network: Network | None = None, silence: int = 2000
    ) -> None:
        self._folder = folder
        self._silence = silence
        self._network = network
        self._hosts: dict[Valkey, Host] = {}
        self.servers = [self._server(folder / f"server-{number}") for number in range(2)]
        self.sentinels: list[Sentinel] = []

    def _server(self, folder: Path) -> Valkey:
        host = self._network.add() if self._network else None
        server = Valkey(
            folder,
            binary=given_server(),
            options={"requirepass": PASSWORD, "repl-diskless-sync-delay": "0"},
            host=host.there if host else LOOPBACK,
            inside=host.inside() if host else (),
        )
        if host:
            self._hosts[server] = host
        return server

    def host(self, server: Valkey) -> Host:
        """That of the server, in a network."""
        return self._hosts[server]

    @property
    def url(self) -> str:
        places = ",".join(f"{one.address}:{one.port}" for one in self.sentinels)
        own = f"sentinel_password={OF_SENTINELS}"
        return f"redis+sentinel://:{PASSWORD}@{places}/{SERVICE}?{own}"

    def client(self, server: Valkey) -> Redis:
        return Redis(
            host=server.host,
            port=server.port,
            password=PASSWORD,
            socket_connect_timeout=PATIENCE,
            socket_timeout=PATIENCE,
        )

    async def start(self) -> None:
        master, replica = self.servers
        for server in self.servers:
            server.start()
        await self.follow(replica, master)
        for number in range(3):
            host = self._network.add() if self._network else None
            sentinel = Sentinel(
                self._folder / f"sentinel-{number}", master, replica, self._silence, host
            )
            self.sentinels.append(sentinel)
            sentinel.start()
        await until(self.all_know_another, "the Sentinels know one another")

    async def follow(self, replica: Valkey, master: Valkey) -> None:
        """The first has all that the second has, and goes on."""
        async with self.client(replica) as client:
            await client.execute_command("REPLICAOF", master.host, master.port)
            await until(lambda: follows(client), "the replica follows")

    async def all_know_another(self) -> bool:
        for sentinel in self.sentinels:
            async with sentinel.client() as client:
                state = await client.execute_command("SENTINEL MASTER", SERVICE)
                if state["num-other-sentinels"] < 2 or state["num-slaves"] < 1:
                    return False
        return True

    async def master(self, sentinel: int = 0) -> int:
        """The port of the master that a Sentinel names."""
        async with self.sentinels[sentinel].client() as client:
            state = await client.execute_command("SENTINEL MASTER", SERVICE)
            return int(state["port"])

    async def pair(self) -> tuple[Valkey, Valkey]:
        """The master that the first Sentinel names, and the other server."""
        port = await self.master()
        master, replica = sorted(self.servers, key=lambda server: server.port != port)
        return master, replica

    async def fail_over(self) -> None:
        """In good order: the replica is made the master. Returns when all Sentinels know."""
        before = await self.master()

        async def begun() -> bool:
            async with self.sentinels[0].client() as client:
                state = await client.execute_command("SENTINEL MASTER", SERVICE)
                if int(state["port"]) != before:
                    return True
                if "failover_in_progress" not in state["flags"]:
                    with suppress(ResponseError):  # it does not know a good replica yet
                        await client.execute_command("SENTINEL FAILOVER", SERVICE)
            return False

        await until(begun, "the Sentinel makes the replica the master")
        await self.changed(before)

    async def changed(self, before: int) -> None:
        """Returns once all Sentinels name another master than the one on port ``before``."""

        async def named() -> bool:
            return before not in {await self.master(n) for n in range(len(self.sentinels))}

        await until(named, "the Sentinels name another master")

    async def settled(self, replica: Valkey) -> None:
        """Returns once this server, a master before, follows the new one."""
        async with self.client(replica) as client:
            await until(lambda: follows(client), "the old master follows the new one")

    async def caught_up(self) -> None:
        """Returns once the replica has what its master had when this was called."""
        master, replica = await self.pair()
        await caught_up(self.client(master), self.client(replica))

    def stop(self) -> None:
        for sentinel in self.sentinels:
            sentinel.process.kill()
        for server in self.servers:
            server.stop()
