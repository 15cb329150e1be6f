"""Waiting for a partition's lock: for whom, and when it is of no use."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from scoreboard.domain import ledger as records
from scoreboard.errors import Unavailable
from scoreboard.pg import partition_locks
from scoreboard.pg.failures import translated
from scoreboard.pg.ledger import Ledger
from tests.support.ledger_entries import PARTITION
from tests.support.waiting import PATIENCE, wait_until


@pytest.fixture
def looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition_locks, "LOOK", 0.02)
    monkeypatch.setattr(partition_locks, "HOPELESS", 0.1)


async def test_the_holder_of_a_lock_is_known_by_name_and_by_what_it_does(ledger: Ledger) -> None:
    assert await ledger.holder(PARTITION) is None
    async with ledger.locked(PARTITION) as session, session.connection.transaction():
        own = session.connection.get_server_pid()
        holder = await ledger.holder(PARTITION)
        assert holder is not None
        assert (holder.pid, holder.program) == (own, "scoreboard")
        assert (holder.address, holder.state) == ("127.0.0.1", "idle in transaction")
        assert not holder.stalled
        assert str(own) in str(holder)
    assert await ledger.holder(PARTITION) is None


@pytest.mark.usefixtures("looking_often")
async def test_a_lock_whose_holder_does_nothing_is_given_up_with_what_to_do(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "STALLED", 0.01)
    async with ledger.locked(PARTITION) as session:
        own = session.connection.get_server_pid()
        with capture_logs() as logs, pytest.raises(Unavailable) as given_up:
            async with ledger.locked(PARTITION):
                pass
        assert given_up.value.detail == "Another process works on this partition."
        assert f"SELECT pg_terminate_backend({own})" in given_up.value.words
        assert [line["event"] for line in logs] == ["partition_taken"]
        assert str(own) in logs[0]["holder"]
        blocked = await ledger.locks.blocked()
        assert [(number, at.pid) for number, at in blocked.items()] == [(PARTITION, own)]
    assert await ledger.locks.blocked() == {}


@pytest.mark.usefixtures("looking_often")
async def test_a_lock_whose_holder_works_is_waited_for(
    ledger: Ledger, database: asyncpg.Connection
) -> None:
    async def lock() -> None:
        async with ledger.locked(PARTITION):
            pass

    with capture_logs() as logs:
        async with ledger.locked(PARTITION) as session, database.transaction():
            await database.execute("LOCK TABLE board")
            working = asyncio.create_task(session.connection.execute("SELECT FROM board"))
            own = session.connection.get_server_pid()
            blocked = "SELECT count(*) FROM pg_locks WHERE pid = $1 AND NOT granted"
            await wait_until(
                lambda: database.fetchval(blocked, own), description="the holder is at work"
            )
            waiting = asyncio.create_task(lock())
            await wait_until(lambda: logs or waiting.done(), description="the wait is told")
            assert not waiting.done()
            await database.execute("SELECT pg_sleep(0.2)")
            assert not waiting.done()
            await database.execute("COMMIT; BEGIN")
            await working
        await asyncio.wait_for(waiting, PATIENCE)
    assert [line["event"] for line in logs] == ["partition_taken"]
    assert "active" in logs[0]["holder"]


async def test_who_stalls_amid_a_transaction_under_the_lock_loses_it(
    ledger: Ledger,
) -> None:
    async def stall(connection: Any) -> None:
        with translated():
            await connection.execute("SET idle_in_transaction_session_timeout = '20ms'")
            async with connection.transaction():
                async with ledger.locked(PARTITION):  # as soon as it is free
                    pass
                await connection.execute("SELECT 1")

    async with ledger.locked(PARTITION) as session:
        with pytest.raises(Unavailable):
            await stall(session.connection)
