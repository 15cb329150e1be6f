"""The service's processes and Postgres, over whatever Redis a run is about."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import sys
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

from scoreboard.api import tokens
from scoreboard.local.child_processes import Child, stop_together
from scoreboard.local.embedded_servers import Postgres, free_port
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


class Service(ABC):
    """Servers and processes in ``folder``; ``settings`` are SCOREBOARD_* variables over SETTINGS.
    ``REDIS_SERVER`` in the environment names another server than the embedded Valkey."""

    def __init__(
        self, folder: Path, *, servers: int, persisters: int, settings: Mapping[str, str]
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.postgres = Postgres(folder / "postgres")
        self.ports = [free_port() for _ in range(servers)]
        self.environment: dict[str, str] = {}
        self.servers: list[Child] = []
        self.persisters: list[Child] = []
        self._persister_count = persisters
        self._settings = {**SETTINGS, **settings}
        self._keys = tokens.local_keys(secrets.token_hex(32))

    @abstractmethod
    async def start_redis(self) -> None:
        """Starts Redis and waits until it is well."""

    @abstractmethod
    async def stop_redis(self) -> None:
        """Ends it, whatever runs of it."""

    @property
    @abstractmethod
    def redis_url(self) -> str:
        """For commands, once Redis is there."""

    def urls_of_roles(self) -> tuple[str, str]:
        """For servers and for persisters."""
        return self.redis_url, self.redis_url

    @abstractmethod
    def client(self) -> AbstractAsyncContextManager[Any]:
        """A client of redis-py that finds what the service finds."""

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

    async def start(self) -> None:
        """Starts all and waits until the service is ready."""
        await asyncio.gather(self.start_redis(), asyncio.to_thread(self.postgres.start))
        self.environment = servers.environment(
            self.redis_url, self.postgres.url, self._keys, **self._settings
        )
        await self.command("migrate")
        serving, persisting = self.urls_of_roles()
        self.servers = [
            self._role("serve", n, {"REDIS_URL": serving, "PORT": str(port)})
            for n, port in enumerate(self.ports)
        ]
        self.persisters = [
            self._role("persist", n, {"REDIS_URL": persisting})
            for n in range(self._persister_count)
        ]
        await asyncio.gather(
            *(self.start_server(n) for n in range(len(self.servers))),
            *(self.start_persister(n) for n in range(self._persister_count)),
        )

    async def stop(self) -> None:
        """Stops all that runs, in the order of their dependence."""
        await asyncio.to_thread(stop_together, [*self.servers, *self.persisters])
        await self.stop_redis()
        await asyncio.to_thread(self.postgres.stop)

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
        """Exit code and output of ``scoreboard ...``, which gives Redis its time; raises
        RuntimeError when the code is not 0, but for ``verify``, whose code says something."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "scoreboard", *arguments),
            env={**self.environment, "SCOREBOARD_REDIS_TIMEOUT": str(START_TIMEOUT)},
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
            environment={
                **self.environment,
                **{f"SCOREBOARD_{name}": value for name, value in changes.items()},
            },
        )


def still_there(child: Child) -> None:
    """Raises RuntimeError, with what it said last, when it has ended."""
    if not child.running:
        raise RuntimeError(f"{child.name} did not start: {child.last_words()}")


S = TypeVar("S", bound=Service)


@contextlib.asynccontextmanager
async def running(stack: S) -> AsyncIterator[S]:
    """The stack, stopped at the end whatever happens."""
    try:
        await stack.start()
        yield stack
    finally:
        await stack.stop()
