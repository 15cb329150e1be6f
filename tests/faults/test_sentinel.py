"""Redis behind Sentinels: whoever is the master is written to, and after a failover nothing that
was promised is lost and nothing counts twice."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest
from aiohttp import ClientSession

from scoreboard.local.embedded_servers import Valkey
from scoreboard.settings import Settings
from scripts.load.sentinels import Watched
from tests.faults.test_cluster import ready
from tests.support.extent import further, kept
from tests.support.steady_posts import Posters, audited, heard
from tests.support.whole_service import Service, service

BOARDS = ["global", "arena"]

Strike = Callable[[Valkey], None]


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    watched = Watched(tmp_path)
    try:
        await watched.start()
        yield watched
    finally:
        watched.stop()


@pytest.fixture
async def running(watched: Watched, settings: Settings) -> AsyncIterator[Service]:
    changed = msgspec.structs.replace(
        settings, redis_url=watched.url, redis_timeout=2.0, durability_timeout=0.5
    )
    async with service(changed) as running, running.persisting():
        yield running


@further
async def test_a_planned_failover_is_followed_and_loses_nothing(
    watched: Watched, running: Service, http: ClientSession
) -> None:
    posters = Posters(running, http, BOARDS, "replica")
    async with posters.at_work() as posted:
        await posters.more()
        watching = await http.ws_connect(f"{running.url}/ws/leaderboard")
        await watched.fail_over()
        await posters.more()
        await watched.fail_over()
        await posters.more()

    counted = await audited(running.settings, posted)
    await heard(watching, counted["global"])  # its relay, too, has gone on with the new master
    await watching.close()
    await ready(running, http)


def killed(server: Valkey) -> None:
    server.kill()


def frozen(server: Valkey) -> None:
    """It says nothing, and nobody tells its clients that it is gone."""
    assert server.process.pid is not None
    os.kill(server.process.pid, signal.SIGSTOP)


@pytest.mark.parametrize("struck", kept([killed, frozen], killed))
async def test_a_master_that_is_gone_is_replaced_and_what_replicas_had_is_kept(
    watched: Watched, running: Service, http: ClientSession, struck: Strike
) -> None:
    posters = Posters(running, http, BOARDS, "replica")
    async with posters.at_work() as posted:
        await posters.more()
        before = await watched.master()
        (master,) = [server for server in watched.servers if server.port == before]
        struck(master)
        await watched.changed(before)
        await posters.more()  # at the level redis only: there is no replica now
        if struck is frozen:
            # It still takes itself for the master, until a Sentinel tells it otherwise.
            assert master.process.pid is not None
            os.kill(master.process.pid, signal.SIGCONT)
        else:
            master.start()
        await watched.settled(master)
        await posters.more()

    await audited(running.settings, posted)
