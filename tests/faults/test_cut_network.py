"""A host is cut off amid its work, without a word: neither side keeps what belongs to the other."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from scoreboard.errors import Unavailable
from scoreboard.local.embedded_servers import Postgres
from scoreboard.pg.failures import translated
from scoreboard.pg.ledger import Ledger
from scoreboard.pg.pool import open_pool
from scoreboard.settings import Settings
from scripts.load.network import Host
from tests.faults.lock_keepers import IDLE, IN_COPY, IN_TRANSACTION
from tests.support import servers
from tests.support.cut_network import cut_network
from tests.support.extent import kept
from tests.support.waiting import PATIENCE, wait_until
from tests.support.whole_service import service

PROMISED = 15.0  # seconds after which a vanished client's locks are free
DURABILITY_TIMEOUT, DATABASE_TIMEOUT = 2.0, 5.0  # the defaults, in seconds
COMES_BACK = 10.0  # seconds after which nobody waits for connections that died

Start = Callable[..., Awaitable[tuple[bytes, Process]]]


@pytest.fixture(scope="module")
def whole_network() -> Iterator[Host]:
    with cut_network() as made:
        yield made


@pytest.fixture
async def network(whole_network: Host) -> AsyncIterator[Host]:
    yield whole_network
    await whole_network.mend()


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts a process, killed at the end of the test; the first line that it says, and itself."""
    started: list[Process] = []

    async def start(*command: str) -> tuple[bytes, Process]:
        process = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
        started.append(process)
        assert process.stdout is not None
        return await process.stdout.readline(), process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture(scope="module")
def server(whole_network: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A cluster that the processes inside may log in to."""
    made = servers.new_postgres(
        tmp_path_factory.mktemp("postgres"),
        listen_addresses=f"127.0.0.1,{whole_network.here}",
        **servers.NOT_DURABLE,
    )
    made.make()
    with (made.data / "pg_hba.conf").open("a", encoding="utf-8") as logins:
        logins.write(f"host all all {whole_network.there}/32 scram-sha-256\n")
    made.start()
    yield made
    made.stop()


async def test_a_vanished_persisters_locks_are_free_within_15_seconds(
    network: Host, server: Postgres, start: Start
) -> None:
    inside = server.url.replace("127.0.0.1", network.here)
    said, keepers = await start(
        *network.inside(sys.executable, "-m", "tests.faults.lock_keepers", inside)
    )
    assert said == b"keeping\n"
    pool = await open_pool(server.url, connections=4, timeout=PATIENCE)
    ledger = Ledger(pool)
    held = {await _pid(ledger, partition) for partition in (IDLE, IN_TRANSACTION, IN_COPY)}
    assert len(held - {None}) == 3

    await network.cut()
    keepers.kill()  # its farewell does not arrive
    await keepers.wait()
    cut = time.monotonic()
    for partition in (IDLE, IN_TRANSACTION, IN_COPY):
        async with ledger.locked(partition):
            pass
    waited = time.monotonic() - cut
    await pool.close()

    assert waited < 2 * PROMISED, waited  # the timers are the kernel's; the rest is the machine


async def test_connections_that_died_silently_are_given_up_within_10_seconds_for_another_host(
    network: Host, server: Postgres, start: Start
) -> None:
    own = urlsplit(server.url)
    said, _ = await start(
        *network.inside(sys.executable, "-m", "tests.faults.forwarder", network.there),
        *(network.here, str(server.port)),
    )
    port = int(said)
    through = f"{network.there}:{port}"
    await wait_until(lambda: _listens(network.there, port), description="the network is there")
    user = own.netloc.rpartition("@")[0]
    both = own._replace(netloc=f"{user}@{through},127.0.0.1:{server.port}").geturl()
    pool = await open_pool(both, connections=8, timeout=5)
    await asyncio.gather(*(pool.fetchval("SELECT inet_client_addr()") for _ in range(8)))
    seen = {str(await pool.fetchval("SELECT inet_client_addr()")) for _ in range(8)}
    assert seen == {network.there}

    await network.cut()
    cut = time.monotonic()
    failures = 0

    async def answers() -> str | None:
        nonlocal failures
        try:
            with translated():
                return str(await pool.fetchval("SELECT inet_client_addr()"))
        except Unavailable:
            failures += 1
            return None

    assert await wait_until(answers, description="another host answers") == "127.0.0.1"
    waited = time.monotonic() - cut
    pool.terminate()
    assert failures
    assert waited < 2 * COMES_BACK, waited


@pytest.mark.parametrize(
    "elsewhere", kept([True, False], False), ids=["another host", "the network is back"]
)
async def test_posts_are_committed_again_soon_after_a_silent_loss(
    network: Host, server: Postgres, start: Start, settings: Settings, elsewhere: bool
) -> None:
    name = f"cut_{elsewhere}".lower()
    own = urlsplit(await servers.create_database(server.database_url(""), name))
    said, _ = await start(
        *network.inside(sys.executable, "-m", "tests.faults.forwarder", network.there),
        *(network.here, str(server.port)),
    )
    through = f"{network.there}:{int(said)}"
    await wait_until(lambda: _listens(network.there, int(said)), description="the network is there")
    user = own.netloc.rpartition("@")[0]
    hosts = f"{through},127.0.0.1:{server.port}" if elsewhere else through
    url = own._replace(netloc=f"{user}@{hosts}").geturl()
    quick: dict[str, Any] = {
        "durability_timeout": DURABILITY_TIMEOUT,
        "database_timeout": DATABASE_TIMEOUT,
    }
    numbers = itertools.count()
    async with (
        service(settings, database_url=url, **quick) as running,
        running.persisting(),
        ClientSession() as http,
    ):
        headers = {
            "Authorization": f"Bearer {running.token()}",
            "Prefer": "durability=postgres",
        }

        async def post() -> int:
            body = {"userId": "ann", "actionId": f"a{next(numbers)}", "points": 1}
            async with http.post(f"{running.url}/api/score", json=body, headers=headers) as answer:
                return answer.status

        async def committed() -> bool:
            return await post() == 200

        await wait_until(committed, description="an action is committed")
        with capture_logs() as logs:
            await network.cut()
            since = time.monotonic()
            if not elsewhere:
                await wait_until(
                    lambda: "persister_waits" in [entry["event"] for entry in logs],
                    description="the connections have died",
                )
                assert await post() == 202
                await network.mend()
                since = time.monotonic()
            await wait_until(committed, description="an action is committed again")
            waited = time.monotonic() - since
    # A lock that was held when the network was cut takes Postgres up to 15 s to free.
    assert waited < 2 * (PROMISED if elsewhere else COMES_BACK), waited


async def _listens(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def _pid(ledger: Ledger, partition: int) -> int | None:
    holder = await ledger.holder(partition)
    return holder and holder.pid
