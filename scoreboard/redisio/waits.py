"""Durability waits: what is sent behind a script so that its reply means more than "in memory"."""

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

    WAIT and WAITAOF speak of what their own connection wrote, so they travel behind the script.
    """

    def __init__(self, commits: Commits, *, timeout: float, disk_by_waitaof: bool) -> None:
        self._commits = commits
        self._timeout = timeout
        milliseconds = b"%d" % round(timeout * 1000)
        disk = (pack((b"WAITAOF", b"1", b"0", milliseconds)),) if disk_by_waitaof else ()
        self._commands: dict[Durability, tuple[bytes, ...]] = {
            Durability.REDIS: (),
            Durability.REPLICA: (pack((b"WAIT", b"1", milliseconds)),),
            Durability.DISK: disk,
            Durability.POSTGRES: (),
        }

    def command(self, durability: Durability) -> tuple[bytes, ...]:
        """The packed commands to send behind the script."""
        return self._commands[durability]

    def reached(self, durability: Durability, waited: Sequence[Any]) -> Durability:
        """The level that ``waited``, the replies of ``command``, tell of."""
        if durability is Durability.REPLICA and waited[0] >= 1:
            return Durability.REPLICA
        if durability is Durability.DISK and (not waited or waited[0][0] >= 1):
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
