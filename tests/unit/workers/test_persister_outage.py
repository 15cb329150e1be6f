"""What the persister's log says while its servers are away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from scoreboard.backoff import Backoff
from scoreboard.errors import Unavailable
from scoreboard.workers import persister
from scoreboard.workers.persister import Persister
from tests.support.waiting import wait_until

ERRORS = ["Redis is away.", "Redis is away.", "Postgres is away.", "Redis is away."]


class Stream:
    partition = 0

    async def read(self, count: int) -> list[Any]:
        return []

    async def wait(self, timeout: float) -> None:
        await asyncio.sleep(0)


class Ledger:
    """Away as often as there are ``errors`` left."""

    def __init__(self, errors: list[str]) -> None:
        self.errors = errors

    def locked_if_free(self, partition: int) -> Ledger:
        return self

    async def __aenter__(self) -> Ledger:
        if self.errors:
            raise Unavailable(self.errors.pop(0))
        return self

    async def __aexit__(self, *_: object) -> None: ...


async def test_each_cause_of_an_outage_is_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persister, "Backoff", lambda: Backoff(longest=0))
    ledger, stopping = Ledger([*ERRORS]), asyncio.Event()
    streams: Any = [Stream()]
    with capture_logs() as logs:
        task = asyncio.create_task(
            Persister(streams, ledger, None, batch=1).run(stopping)  # type: ignore[arg-type]
        )
        for outage in (1, 2):
            await wait_until(
                lambda outage=outage: _resumed(logs) == outage,  # type: ignore[misc]
                description="the outage is over",
            )
            if outage == 1:
                ledger.errors.extend(ERRORS)
        stopping.set()
        await task

    said = [(entry["event"], entry.get("reason")) for entry in logs]
    outage = [
        ("persister_waits", "Redis is away."),
        ("persister_waits", "Postgres is away."),
        ("persister_resumes", None),
    ]
    assert said == outage * 2


def _resumed(logs: list[Any]) -> int:
    return sum(entry["event"] == "persister_resumes" for entry in logs)
