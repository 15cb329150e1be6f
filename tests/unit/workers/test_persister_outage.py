"""What the persister's log says while its servers are away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from scoreboard.backoff import Backoff
from scoreboard.domain.ledger import Entry, EventId
from scoreboard.errors import Unavailable
from scoreboard.workers import persister
from scoreboard.workers.persister import Persister
from tests.support.stand_ins import NoReverter
from tests.support.waiting import wait_until

ERRORS = ["Redis is away.", "Redis is away.", "Postgres is away.", "Redis is away."]


class Stream:
    partition = 0

    async def read(self, count: int) -> list[Entry]:
        return []

    async def read_ahead(self, count: int, wait: float = 0.0) -> list[Entry]:
        raise AssertionError("there is nothing to read ahead of")

    async def last_id(self) -> EventId:
        raise AssertionError("nobody drains the stream")

    async def find_again(self) -> None:
        raise AssertionError("nothing was written")

    async def acknowledge(self, ids: Sequence[bytes], awaited: Sequence[str] = ()) -> int:
        raise AssertionError("nothing was written")

    async def wait(self, timeout: float) -> None:
        await asyncio.sleep(0)


class Streams:
    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[Stream]:
        return iter([Stream()])

    def __getitem__(self, place: int) -> Stream:
        raise AssertionError("nobody drains a stream")

    async def lengths(self) -> list[int]:
        return [0]

    async def lengths_of(self, partitions: Any) -> Any:
        raise AssertionError("nothing was written that could have gone with others")

    async def read_each(self, counts: Any) -> Any:
        raise AssertionError("likewise")

    async def acknowledge_each(self, committed: Any) -> Any:
        raise AssertionError("likewise")


class Ledger:
    """Away as often as there are ``errors`` left."""

    def __init__(self, errors: list[str]) -> None:
        self.errors = errors

    def locked_if_free(self, partition: int) -> Any:
        return self  # and so the session, of which only that there is one matters

    def locked(self, partition: int) -> Any:
        raise AssertionError("it never waits for a lock")

    def locked_where_free(self, partitions: Sequence[int]) -> Any:
        raise AssertionError("nothing was written that could have gone with others")

    async def holder(self, partition: int) -> Any:
        raise AssertionError("the lock is always free")

    async def __aenter__(self) -> Ledger:
        if self.errors:
            raise Unavailable(self.errors.pop(0))
        return self

    async def __aexit__(self, *_: object) -> None: ...


async def test_each_cause_of_an_outage_is_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persister, "Backoff", lambda: Backoff(longest=0))
    ledger, stopping = Ledger([*ERRORS]), asyncio.Event()
    with capture_logs() as logs:
        waiting = Persister(Streams(), ledger, NoReverter(), batch=1)
        task = asyncio.create_task(waiting.run(stopping))
        await wait_until(lambda: _resumed(logs) == 1, description="the first outage is over")
        ledger.errors.extend(ERRORS)
        await wait_until(lambda: _resumed(logs) == 2, description="the second outage is over")
        stopping.set()
        await task

    said = [(entry["event"], entry.get("reason")) for entry in logs]
    outage = [
        ("persister_waits", "Redis is away."),
        ("persister_waits", "Postgres is away."),
        ("persister_resumes", None),
    ]
    assert said == outage * 2


def _resumed(logs: list[MutableMapping[str, Any]]) -> int:
    return sum(entry["event"] == "persister_resumes" for entry in logs)
