"""The processes of a run: Valkey, Postgres, the proxy, two servers and two persisters."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from redis.asyncio import Redis

from scoreboard.api import tokens
from scoreboard.local.child_processes import Child, stop_together
from scoreboard.local.embedded_servers import Postgres, Valkey, free_port
from scripts.chaos.disk import AppendOnlyFile
from scripts.chaos.proxy import Proxy
from scripts.load import servers
from scripts.load.api import Api, NoAnswer
from scripts.load.target import Target

PARTITIONS = 4
START_TIMEOUT = 60.0
TIMEOUT = 15.0  # of a game server's calls
SETTINGS = {
    "PARTITIONS": str(PARTITIONS),
    "REDIS_TIMEOUT": "1",
    "DURABILITY_TIMEOUT": "1",
    "PERSIST_BATCH": "500",
    "SHUTDOWN_GRACE": "0.2",
    "DEFAULT_BOARD": "board0",
}
# Nothing may be synced but by the harness (chaos/disk.py).
VALKEY = {"appendfsync": "no"}


class Stack:
    """Servers and processes in ``folder``; ``settings`` are SCOREBOARD_* variables over SETTINGS.
    With ``with_replica`` Valkey has one, and all go through the proxy, which can be pointed at
    it. ``REDIS_SERVER`` in the environment names another server than the embedded Valkey."""

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
        given = os.environ.get("REDIS_SERVER")
        self._binary = Path(given) if given else None
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
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
        self.postgres = Postgres(folder / "postgres")
        self.proxy = Proxy(self.valkey.port)
        self.file = AppendOnlyFile(self.valkey.directory)
        self.ports = [free_port() for _ in range(servers)]
        self.environment: dict[str, str] = {}
        self._leaves_open_multi = False
        self.servers: list[Child] = []
        self.persisters: list[Child] = []
        self._persister_count = persisters
        self._settings = {**SETTINGS, **(settings or {})}
        self._keys = tokens.local_keys(secrets.token_hex(32))

    @property
    def urls(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    @property
    def token(self) -> str:
        """A game server's."""
        return tokens.mint(self._keys, "HS256", subject="game", scope="score:write", ttl=86_400)

    @property
    def headers(self) -> dict[str, str]:
        """Of a game server's requests."""
        return {"Authorization": f"Bearer {self.token}"}

    @contextlib.asynccontextmanager
    async def apis(self) -> AsyncIterator[list[Api]]:
        """Each server's API, for a game server."""
        async with contextlib.AsyncExitStack() as opened:
            targets = [Target(url, self.token) for url in self.urls]
            yield [await opened.enter_async_context(Api(target, TIMEOUT)) for target in targets]

    @property
    def proxied_url(self) -> str:
        return self.valkey.url.replace(f":{self.valkey.port}/", f":{self.proxy.port}/")

    def redis(self, *, through_proxy: bool = False) -> Redis:
        """A client that goes past the proxy, or through it to whatever is behind it now."""
        url = self.proxied_url if through_proxy else self.valkey.url
        return Redis.from_url(url, socket_timeout=10)

    async def start(self) -> None:
        """Starts all and waits until the service is ready."""
        await asyncio.gather(
            asyncio.to_thread(self.valkey.start),
            asyncio.to_thread(self.postgres.start),
            self.proxy.start(),
        )
        self.environment = servers.environment(
            self.valkey.url, self.postgres.url, self._keys, **self._settings
        )
        async with self.redis() as redis:
            version: str = (await redis.info("server"))["redis_version"]
            self._leaves_open_multi = version.startswith("7.0.")
        if self.replica is not None:
            await asyncio.to_thread(self.replica.start)
            await _follows(self.replica)
        await self.command("migrate")
        proxied = {"SCOREBOARD_REDIS_URL": self.proxied_url}
        self.servers = [
            self._role("serve", n, {"SCOREBOARD_PORT": str(port), **proxied})
            for n, port in enumerate(self.ports)
        ]
        self.persisters = [
            self._role("persist", n, proxied if self.replica else {})
            for n in range(self._persister_count)
        ]
        await asyncio.gather(
            *(self.start_server(n) for n in range(len(self.servers))),
            *(self.start_persister(n) for n in range(self._persister_count)),
        )

    async def stop(self) -> None:
        """Stops all that runs, in the order of their dependence."""
        await asyncio.to_thread(stop_together, [*self.servers, *self.persisters])
        await self.proxy.stop()
        servers = [self.valkey.process, self.postgres.process]
        if self.replica is not None:
            servers.append(self.replica.process)
        await asyncio.to_thread(stop_together, servers)

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

    async def start_server(self, number: int) -> None:
        """Starts a server and waits until it takes requests."""
        child = self.servers[number]
        child.start()
        async with asyncio.timeout(START_TIMEOUT), self.apis() as apis:
            while True:
                with contextlib.suppress(NoAnswer):
                    await apis[number].alive()
                    return
                still_there(child)
                await asyncio.sleep(0.02)

    async def start_persister(self, number: int) -> None:
        """Starts a persister; it may wait for servers that are away."""
        child = self.persisters[number]
        child.start()
        async with asyncio.timeout(START_TIMEOUT):
            while not (child.said("persisting") or child.said("waiting_for_servers")):
                still_there(child)
                await asyncio.sleep(0.02)

    def errors(self) -> list[str]:
        """What the service's processes have logged as errors: the event and the exception."""
        found: list[str] = []
        for log in sorted(self.folder.glob("*.log")):
            for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
                if '"level": "error"' in line:
                    entry = json.loads(line)
                    exception = entry.get("exception", "").strip().splitlines()[-8:]
                    found.append(" | ".join([log.name, entry["event"], *exception]))
        return found

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Exit code and output of ``scoreboard ...``; raises RuntimeError when it is not 0, but
        for ``verify``, whose code says something."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "scoreboard", *arguments),
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        text = output.decode(errors="replace")
        if process.returncode and arguments[0] != "verify":
            raise RuntimeError(f"scoreboard {arguments[0]}: {text}")
        return process.returncode or 0, text

    def _role(self, role: str, number: int, changes: Mapping[str, str]) -> Child:
        return Child(
            f"{role} {number}",
            [sys.executable, "-m", "scoreboard", role],
            log=self.folder / f"{role}-{number}.log",
            environment={**self.environment, **changes},
        )


async def _follows(replica: Valkey) -> None:
    """Returns once the replica has what its master has."""
    async with asyncio.timeout(START_TIMEOUT), Redis.from_url(replica.url) as redis:
        while (await redis.info("replication"))["master_link_status"] != "up":  # noqa: ASYNC110
            await asyncio.sleep(0.02)


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


def still_there(child: Child) -> None:
    """Raises RuntimeError, with what it said last, when it has ended."""
    if not child.running:
        raise RuntimeError(f"{child.name} did not start: {child.last_words()}")


@contextlib.asynccontextmanager
async def running(stack: Stack) -> AsyncIterator[Stack]:
    """The stack, stopped at the end whatever happens."""
    try:
        await stack.start()
        yield stack
    finally:
        await stack.stop()
