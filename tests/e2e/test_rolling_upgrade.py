"""Processes of the version before boards had rules, beside new ones on the same servers. Redis is a
server by itself, since that version knows no cluster."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import tarfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiohttp import ClientConnectionError, ClientSession, TCPConnector

from scoreboard.api.tokens import keys_from, mint
from scoreboard.local.embedded_servers import Valkey
from scoreboard.settings import Settings
from tests.support.command import environment, named, scoreboard
from tests.support.extent import further
from tests.support.programs import lacking
from tests.support.trace_receiver import receiving_traces
from tests.support.waiting import wait_until

BEFORE_RULES = "d37794fa83e7a0f88c842c307a786d6e822fab5e"  # a commit of that version
# Since this one a version starts on a schema that is newer than itself.
OF_NEWER_SCHEMAS = "1ca3abc145da0dd3f8f7416166b17c9bdeff4a27"
COUNT = "SELECT count(*) FROM score_action"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def old_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tree(BEFORE_RULES, tmp_path_factory.mktemp("old"))


@pytest.fixture(scope="module")
def version_to_go_back_to(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tree(OF_NEWER_SCHEMAS, tmp_path_factory.mktemp("before"))


def tree(commit: str, folder: Path) -> Path:
    """The tree of an old version, which the present environment can run."""
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", commit, "scoreboard", "lua"],
        capture_output=True,
        check=False,
    )
    if archive.returncode:
        lacking("the old version is in git's history, which is not here")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


@dataclass
class Server:
    """A `serve` of some version, and calls of it."""

    url: str
    http: ClientSession
    token: str

    async def call(self, method: str, path: str, **body: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.http.request(method, self.url + path, headers=headers, **body) as answer:
            return answer.status, await answer.json(content_type=None)

    async def score(self, board: str, user: str, action: str, points: int) -> tuple[int, Any]:
        action_ = {"userId": user, "actionId": action, "points": points}
        return await self.call("POST", f"/api/boards/{board}/score", json=action_)

    async def ready(self) -> bool:
        try:
            return (await self.call("GET", "/readyz"))[0] == 200
        except ClientConnectionError:
            return False


async def migrate(folder: Path, variables: dict[str, str]) -> None:
    """Brings the database to the schema of the version in ``folder``."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scoreboard", "migrate"),
        cwd=folder,
        env=environment(**variables),
        stdout=DEVNULL,
    )
    assert await process.wait() == 0


@asynccontextmanager
async def role(name: str, folder: Path, **variables: str) -> AsyncIterator[Process]:
    """A role of the version in ``folder``, for as long as the block lasts, and no shorter. What it
    says is shown when the test fails."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scoreboard", name), cwd=folder, env=environment(**variables)
    )
    try:
        yield process
        assert process.returncode is None, f"{name} has ended"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@dataclass
class Upgrade:
    """Old processes and new ones on the same servers; ``end_old`` ends the old ones."""

    old: Server
    new: Server
    database: asyncpg.Connection
    variables: dict[str, str]
    end_old: Callable[[], Awaitable[None]]

    async def in_ledger(self, actions: int) -> None:
        """Returns once the ledger has so many actions."""

        async def written() -> bool:
            return bool(await self.database.fetchval(COUNT) == actions)

        await wait_until(written, description=f"the ledger has {actions} actions")

    async def adds_up(self) -> None:
        verified = await scoreboard("verify", **self.variables)
        assert verified.code == 0, verified.out + verified.err


@pytest.fixture
async def upgrade(
    settings: Settings,
    valkey: Valkey,
    old_version: Path,
    bare_url: str,
    unused_tcp_port_factory: Callable[[], int],
) -> AsyncIterator[Upgrade]:
    variables = named(settings.redis_url, bare_url)
    token = mint(
        keys_from(settings), "HS256", subject="game", scope="score:write board:read admin", ttl=600
    )
    # A connection for each call: a busy server may close one that waits for the next.
    connector = TCPConnector(force_close=True)
    async with (
        ClientSession(connector=connector) as http,
        AsyncExitStack() as stack,
        AsyncExitStack() as old,
    ):
        servers = []
        for folder, roles in ((old_version, old), (ROOT, stack)):
            await migrate(folder, variables)
            port = unused_tcp_port_factory()
            await roles.enter_async_context(
                role("serve", folder, **variables | {"SCOREBOARD_PORT": str(port)})
            )
            await roles.enter_async_context(role("persist", folder, **variables))
            servers.append(Server(f"http://127.0.0.1:{port}", http, token))
            await wait_until(servers[-1].ready, description=f"{servers[-1].url} serves")
        database = await asyncpg.connect(bare_url)
        stack.push_async_callback(database.close)
        yield Upgrade(servers[0], servers[1], database, variables, old.aclose)


async def test_old_and_new_processes_side_by_side_lose_nothing(upgrade: Upgrade) -> None:
    for number in range(40):
        server = (upgrade.old, upgrade.new)[number % 2]
        status, _ = await server.score("arena", f"u{number % 3}", f"a{number}", 1)
        assert status == 200
    await upgrade.in_ledger(40)
    assert await upgrade.database.fetchval("SELECT count(*) FROM dead_event") == 0
    await upgrade.adds_up()


@further
async def test_an_earlier_version_starts_again_on_the_new_schema_and_goes_on(
    upgrade: Upgrade, version_to_go_back_to: Path, unused_tcp_port: int
) -> None:
    await upgrade.end_old()
    assert (await upgrade.new.score("arena", "ada", "before", 5))[0] == 200

    variables = upgrade.variables | {"SCOREBOARD_PORT": str(unused_tcp_port)}
    earlier = version_to_go_back_to
    async with role("serve", earlier, **variables), role("persist", earlier, **variables):
        url = f"http://127.0.0.1:{unused_tcp_port}"
        again = Server(url, upgrade.old.http, upgrade.old.token)
        await wait_until(again.ready, description="the earlier version serves")
        status, answer = await again.score("arena", "ada", "after", 2)
        assert (status, answer["score"]) == (200, 7)
        await upgrade.in_ledger(2)
    await upgrade.adds_up()


@further
async def test_rules_that_are_set_too_early_count_nothing_wrong(upgrade: Upgrade) -> None:
    rules = {"operator": "best", "order": "asc"}
    assert (await upgrade.new.call("PUT", "/api/admin/boards/laps", json=rules))[0] == 200
    for number in range(20):
        refused, _ = await upgrade.old.score("laps", "ada", f"lap{number}", 90 - number)
        assert refused == 500, "it can't read such rules"
        status, answer = await upgrade.new.score("laps", "ada", f"lap{number}", 90 - number)
        assert (status, answer["score"]) == (200, 90 - number)
        assert (await upgrade.old.score("arena", "u0", f"b{number}", 1))[0] == 200
    # What an old persister can't read it puts aside, and a new one takes it up.
    await upgrade.end_old()

    async def taken_up() -> bool:
        await scoreboard("dead", "retry", "--all", **upgrade.variables)
        return bool(await upgrade.database.fetchval(COUNT) == 40)

    await wait_until(taken_up, description="the ledger has every action")
    await upgrade.adds_up()


@further
async def test_an_old_persister_stores_what_a_new_server_traces(
    settings: Settings,
    valkey: Valkey,
    old_version: Path,
    bare_url: str,
    unused_tcp_port_factory: Callable[[], int],
) -> None:
    variables = named(settings.redis_url, bare_url)
    token = mint(keys_from(settings), "HS256", subject="game", scope="score:write", ttl=600)
    async with ClientSession() as http, receiving_traces() as receiver, AsyncExitStack() as stack:
        database = await asyncpg.connect(bare_url)
        stack.push_async_callback(database.close)

        async def serves(folder: Path, **more: str) -> Server:
            await migrate(folder, variables)
            port = unused_tcp_port_factory()
            environment = variables | more | {"SCOREBOARD_PORT": str(port)}
            await stack.enter_async_context(role("serve", folder, **environment))
            server = Server(f"http://127.0.0.1:{port}", http, token)
            await wait_until(server.ready, description=f"{server.url} serves")
            return server

        async def has_stored(actions: int) -> None:
            async def stored() -> bool:
                return bool(await database.fetchval(COUNT) == actions)

            await wait_until(stored, description=f"the old persister has stored {actions}")

        old = await serves(old_version)
        await stack.enter_async_context(role("persist", old_version, **variables))
        assert (await old.score("arena", "ada", "first", 1))[0] == 200
        await has_stored(1)  # so it is at work before the schema is a newer one
        new = await serves(ROOT, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
        for number in range(5):
            assert (await new.score("arena", "ada", f"a{number}", 1))[0] == 200
        await has_stored(6)
        assert await database.fetchval("SELECT count(*) FROM dead_event") == 0

        def sent() -> bool:
            return sum(span.name == "submit_scores" for span in receiver.spans) == 5

        await wait_until(sent, description="the new server's spans are there")
