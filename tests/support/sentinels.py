"""Two servers and the Sentinels that watch them, on free ports."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from scoreboard.local.child_processes import Child
from scoreboard.local.embedded_servers import Valkey, free_port
from tests.support.servers import new_valkey
from tests.support.waiting import wait_until

SERVICE = "main"
PASSWORD = "only-for-this-test"
OF_SENTINELS = "for-sentinels-only"


class Sentinel:
    """One Sentinel, which finds a master that is silent for half a second down."""

    def __init__(self, folder: Path, binary: str, master: int, replica: int) -> None:
        self.port = free_port()
        folder.mkdir()
        (folder / "sentinel.conf").write_text(
            f"bind 127.0.0.1\nport {self.port}\nrequirepass {OF_SENTINELS}\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {master} 2\n"
            f"sentinel auth-pass {SERVICE} {PASSWORD}\n"
            f"sentinel down-after-milliseconds {SERVICE} 500\n"
            f"sentinel known-replica {SERVICE} 127.0.0.1 {replica}\n"  # else seen after 10 s
            f"sentinel failover-timeout {SERVICE} 3000\n"
        )
        self.process = Child(
            "Sentinel",
            [binary, "sentinel.conf", "--sentinel"],
            log=folder / "sentinel.log",
            folder=folder,
        )

    def start(self) -> None:
        self.process.start()
        self.process.wait_until(self._answers, timeout=60)

    def client(self) -> Redis:
        return Redis(host="127.0.0.1", port=self.port, password=OF_SENTINELS)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


class Watched:
    """A master, its replica, and three Sentinels."""

    def __init__(self, folder: Path) -> None:
        self.servers = [
            new_valkey(
                folder / f"server-{number}", requirepass=PASSWORD, repl_diskless_sync_delay="0"
            )
            for number in range(2)
        ]
        self.sentinels: list[Sentinel] = []
        self._folder = folder

    @property
    def url(self) -> str:
        places = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        own = f"sentinel_password={OF_SENTINELS}"
        return f"redis+sentinel://:{PASSWORD}@{places}/{SERVICE}?{own}"

    async def start(self) -> None:
        master, replica = self.servers
        for server in self.servers:
            server.start()
        await self.follow(replica, master)
        binary = master.process._command[0]
        for number in range(3):
            sentinel = Sentinel(
                self._folder / f"sentinel-{number}", binary, master.port, replica.port
            )
            self.sentinels.append(sentinel)
            sentinel.start()
        await wait_until(self.all_know_another, description="the Sentinels know one another")

    async def follow(self, replica: Valkey, master: Valkey) -> None:
        """The first has all that the second has, and goes on."""
        async with Redis.from_url(replica.url) as client:
            await client.execute_command("REPLICAOF", "127.0.0.1", master.port)

            async def linked() -> bool:
                return bool((await client.info("replication"))["master_link_status"] == "up")

            await wait_until(linked, description="the replica follows")

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

        await wait_until(begun, description="the Sentinel makes the replica the master")
        await self.changed(before)

    async def changed(self, before: int) -> None:
        """Returns once all Sentinels name another master than the one on port ``before``."""

        async def named() -> bool:
            return before not in {await self.master(n) for n in range(len(self.sentinels))}

        await wait_until(named, description="the Sentinels name another master")

    async def settled(self, replica: Valkey) -> None:
        """Returns once this server, a master before, follows the new one."""

        async def follows() -> bool:
            try:
                async with Redis.from_url(replica.url) as client:
                    info = await client.info("replication")
            except RedisError:  # it is starting
                return False
            return bool(info["role"] == "slave" and info["master_link_status"] == "up")

        await wait_until(follows, description="the old master follows the new one")

    def stop(self) -> None:
        for sentinel in self.sentinels:
            sentinel.process.kill()
        for server in self.servers:
            server.stop()
