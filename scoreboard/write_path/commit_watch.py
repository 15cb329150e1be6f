"""Follows what of each partition's events is in Postgres, which the persister publishes after every
commit; for replies that promise Postgres.

It names the attempts that are known to be awaited, and tells how far it has come. Only the first
proves that an action was committed: Redis may have lost an event before it was persisted, and gone
on. A persister of an older version tells only the second.
"""

from __future__ import annotations

import asyncio
import enum
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import structlog

from scoreboard.redisio.cluster_updates import Updates
from scoreboard.wire.events import split_id
from scoreboard.wire.keys import PartitionKeys

log = structlog.get_logger(__name__)


class Commit(enum.Enum):
    """What became known of some actions in time: all were named as committed; the persister was
    told to be past them; nothing."""

    NAMED = "named"
    PASSED = "passed"
    UNKNOWN = "unknown"


class CommitWatch:
    """Knows the highest committed event of every partition, and who waits for what.

    A partition's channels are subscribed to only once somebody waits. ``subscriptions`` are by the
    names of channels. Messages that were published while Redis was away are missed. The next commit
    makes up for them; until then a wait may end with UNKNOWN although the event is committed, which
    promises too little but nothing false.
    """

    def __init__(self, subscriptions: Updates) -> None:
        self._subscriptions = subscriptions
        self._partitions: dict[str, int] = {}  # by the channel that tells how far it has come
        self._subscribed: set[int] = set()
        self._highest: dict[int, tuple[int, int]] = {}
        self._passing: defaultdict[int, dict[asyncio.Event, tuple[int, int]]] = defaultdict(dict)
        self._unnamed: dict[str, Expected] = {}  # by attempt

    async def run(self) -> None:
        """Listens until cancelled."""
        await self._subscriptions.run(self._on_commit, lambda _: None)

    async def watch(self, partition: int) -> None:
        """Subscribes to the partition's commits. Call it before the event is written, or the
        event's commit may be missed."""
        if partition not in self._subscribed:
            keys = PartitionKeys(partition)
            self._partitions[keys.persisted] = partition
            await self._subscriptions.subscribe(keys.committed)
            await self._subscriptions.subscribe(keys.persisted)
            self._subscribed.add(partition)

    @contextmanager
    def expecting(self, attempts: Sequence[str]) -> Iterator[Expected]:
        """Notes which of these attempts are named as committed, from before they are written."""
        expected = Expected(attempts)
        self._unnamed.update(dict.fromkeys(attempts, expected))
        try:
            yield expected
        finally:
            for attempt in expected.unnamed:
                self._unnamed.pop(attempt, None)

    async def wait(
        self,
        partition: int,
        last: str,
        expected: Expected,
        attempts: Sequence[str],
        timeout: float,
    ) -> Commit:
        """Waits until all ``attempts``, some of those that are expected, are committed; ``last`` is
        the last one's event. UNKNOWN after ``timeout`` seconds."""
        wanted, event = set(attempts), split_id(last)
        passing = self._passing[partition]
        passing[expected.changed] = event
        try:
            async with asyncio.timeout(timeout):
                while wanted & expected.unnamed:
                    if self._highest.get(partition, (0, 0)) >= event:
                        return Commit.PASSED
                    expected.changed.clear()
                    await expected.changed.wait()
        except TimeoutError:
            return Commit.UNKNOWN
        finally:
            del passing[expected.changed]
        return Commit.NAMED

    def _on_commit(self, channel: str, text: bytes) -> None:
        partition = self._partitions.get(channel)
        if partition is None:
            self._name(text.decode(errors="replace").split())
            return
        try:
            committed = split_id(text)
        except ValueError:
            log.error("commit_unreadable", partition=partition, text=repr(text[:80]))
            return
        self._highest[partition] = max(committed, self._highest.get(partition, committed))
        for changed, wanted in self._passing[partition].items():
            if wanted <= committed:
                changed.set()

    def _name(self, attempts: Iterable[str]) -> None:
        for attempt in attempts:
            expected = self._unnamed.pop(attempt, None)
            if expected is not None:
                expected.unnamed.discard(attempt)
                expected.changed.set()


class Expected:
    """Attempts of one caller: those that are ``unnamed`` were not yet named as committed;
    ``changed`` is set when one more is."""

    __slots__ = ("changed", "unnamed")

    def __init__(self, attempts: Iterable[str]) -> None:
        self.unnamed = set(attempts)
        self.changed = asyncio.Event()
