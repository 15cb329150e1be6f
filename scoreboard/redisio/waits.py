"""Durability waits: what is sent behind a script so that its reply means more than "in memory".

``disk`` rests on ``appendfsync always``, with which a server syncs the file before it answers: a
trace of Valkey 9.1 and Redis 7.0 shows fdatasync between the append and the reply. WAITAOF is not
used: under ``everysec`` Valkey 9.1 answers it before the sync (docs/durability.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from scoreboard.domain.durability import Durability
from scoreboard.domain.submissions import Outcome, Result
from scoreboard.redisio.connections import pack
from scoreboard.wire.events import split_id

_COUNTED = (Outcome.ACCEPTED, Outcome.DUPLICATE)


class Commits(Protocol):
    """Knows how far a partition's events are in Postgres."""

    async def watch(self, partition: int) -> None:
        """To be called before the event is written."""

    async def wait(self, partition: int, event: str, timeout: float) -> bool:
        """True when the event is committed, False after ``timeout`` seconds."""


class DurabilityWaits:
    """Waits for a level and tells which one was reached.

    WAIT speaks of what its own connection wrote, so it travels behind the script.
    """

    def __init__(self, commits: Commits, *, timeout: float) -> None:
        self._commits = commits
        self._timeout = timeout
        self._commands: dict[Durability, tuple[bytes, ...]] = {
            Durability.REDIS: (),
            Durability.REPLICA: (pack((b"WAIT", b"1", b"%d" % round(timeout * 1000))),),
            Durability.DISK: (pack((b"CONFIG", b"GET", b"appendonly", b"appendfsync")),),
            Durability.POSTGRES: (),
        }

    def command(self, durability: Durability) -> tuple[bytes, ...]:
        """The packed commands to send behind the script."""
        return self._commands[durability]

    def reached(self, durability: Durability, waited: Sequence[Any]) -> Durability:
        """The level that ``waited``, the replies of ``command``, tell of. An error among them, such
        as a forbidden CONFIG, promises nothing."""
        if waited and not isinstance(waited[0], Exception):
            if durability is Durability.REPLICA and waited[0] >= 1:
                return Durability.REPLICA
            if durability is Durability.DISK and _synced_before_answering(waited[0]):
                return Durability.DISK
        return Durability.REDIS

    async def watch_commits(self, partition: int) -> None:
        """To be called before a script whose commit will be waited for."""
        await self._commits.watch(partition)

    async def committed(self, partition: int, results: Sequence[Result]) -> Durability:
        """Waits until Postgres has all that counts among ``results``."""
        events = [r.event for r in results if r.outcome in _COUNTED and r.event]
        if events:
            last = max(events, key=split_id)
            if not await self._commits.wait(partition, last, self._timeout):
                return Durability.REDIS
        return Durability.POSTGRES


def _synced_before_answering(pairs: Sequence[bytes]) -> bool:
    config = dict(zip(pairs[::2], pairs[1::2], strict=True))
    return config.get(b"appendonly") == b"yes" and config.get(b"appendfsync") == b"always"
