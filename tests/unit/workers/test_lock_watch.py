"""A partition that nobody can work on is told apart from one that others work on."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from scoreboard.domain.ledger import LockHolder
from scoreboard.workers import lock_watch
from scoreboard.workers.lock_watch import LockWatch

AT_WORK = LockHolder(7, "10.0.0.1", "scoreboard", "active", 0.0)
STALLED = LockHolder(7, "10.0.0.1", "scoreboard", "idle in transaction", 60.0)


class Locks:
    """``held`` says who holds the lock."""

    def __init__(self, held: LockHolder | None) -> None:
        self.held = held
        self.looks = 0

    async def holder(self, partition: int) -> LockHolder | None:
        self.looks += 1
        return self.held

    def locked(self, partition: int) -> Any:
        raise AssertionError("it only watches")

    def locked_where_free(self, partitions: Any) -> Any:
        raise AssertionError("it only watches")

    locked_if_free = locked


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_watch, "SUSPICIOUS", 0.0)
    monkeypatch.setattr(lock_watch, "LOOK", 0.0)


async def test_a_lock_that_others_had_for_a_moment_costs_no_query() -> None:
    locks = Locks(STALLED)
    watch = LockWatch(locks)
    for _ in range(100):
        await watch.missed(3)
    assert (locks.looks, watch.blocked) == (0, {})


@pytest.mark.usefixtures("at_once")
async def test_a_stalled_holder_is_told_once_with_what_to_do_and_again_when_it_is_gone() -> None:
    locks = Locks(STALLED)
    watch = LockWatch(locks)
    with capture_logs() as logs:
        for _ in range(3):
            await watch.missed(3)
        assert watch.blocked == {3: STALLED}
        watch.had(3)
    assert watch.blocked == {}
    assert [line["event"] for line in logs] == ["partition_blocked", "partition_free"]
    assert logs[0]["remedy"] == "End it with: SELECT pg_terminate_backend(7)"
    assert "10.0.0.1" in logs[0]["holder"]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("held", [AT_WORK, None])
async def test_a_holder_that_works_is_no_trouble(held: LockHolder | None) -> None:
    watch = LockWatch(Locks(held))
    with capture_logs() as logs:
        await watch.missed(3)
    assert (watch.blocked, logs) == ({}, [])


@pytest.mark.usefixtures("at_once")
async def test_a_holder_that_works_on_ends_the_alarm() -> None:
    locks = Locks(STALLED)
    watch = LockWatch(locks)
    await watch.missed(3)
    locks.held = AT_WORK
    await watch.missed(3)
    assert watch.blocked == {}
