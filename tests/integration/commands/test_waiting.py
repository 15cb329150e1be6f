"""What the operator's commands say while somebody else has the partition."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from scoreboard.assembly.operator import operator
from scoreboard.commands import rebuild, verify
from scoreboard.pg import partition_locks
from scoreboard.pg.ledger import Ledger
from scoreboard.settings import Settings
from scoreboard.wire.keys import Keyspace
from tests.support.arena import Arena
from tests.support.waiting import PATIENCE, wait_until

Command = Callable[[Settings], Coroutine[Any, Any, Any]]


@pytest.mark.parametrize(
    "command",
    [
        lambda settings: rebuild._rebuild(settings, "arena"),
        lambda settings: verify._verify(settings, "arena", False),
    ],
    ids=["rebuild", "verify"],
)
async def test_a_wait_is_told_in_one_plain_line(
    command: Command,
    arena: Arena,
    pool: asyncpg.Pool,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(partition_locks, "LOOK", 0.01)
    await arena.submit(("ann", "a1", 5))
    await arena.persist()
    said = ""

    def is_told() -> bool:
        nonlocal said
        said += capsys.readouterr().err
        return "waiting" in said

    with capture_logs() as logs:
        partition = Keyspace(settings.partitions).partition_of("arena")
        async with Ledger(pool).locked(partition):
            running = asyncio.create_task(command(settings))
            await wait_until(is_told, description="the wait is told")
        await running
    said += capsys.readouterr().err

    (line,) = [line for line in said.splitlines() if "waiting" in line]
    assert re.fullmatch(
        r"waiting for scoreboard at \S+ \(process \d+ of Postgres, .*\),"
        r" which works on the same boards \(\d+ s\)",
        line,
    )
    assert "partition_taken" not in [entry["event"] for entry in logs]


async def test_a_load_that_waits_for_the_partition_does_not_outlive_the_command(
    pool: asyncpg.Pool, settings: Settings
) -> None:
    partition = Keyspace(settings.partitions).partition_of("arena")
    async with Ledger(pool).locked(partition):
        async with asyncio.timeout(PATIENCE), operator(settings) as tools:
            rebuilder = tools.durable.rebuilder
            opening = asyncio.create_task(rebuilder.ensure("arena", create=True))
            await wait_until(lambda: rebuilder._running, description="the load has begun")
        assert not rebuilder._running
    await asyncio.gather(opening, return_exceptions=True)
