"""Moves events from Redis's streams into the ledger: reads a batch, commits it, acknowledges it.

The partition's lock is held from reading to acknowledging. A crash at any point leaves the batch
pending; the next holder of the lock writes it again, which changes nothing that was committed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple

import structlog

from scoreboard.background import end, unless_stopped
from scoreboard.backoff import Backoff
from scoreboard.domain.ledger import DeadEntry, Entry, EventId
from scoreboard.errors import Unavailable, cause_of
from scoreboard.telemetry import metrics
from scoreboard.wire.events import Event, PoisonEvent, decode_event, split_id
from scoreboard.workers.ports import DuplicateReverter, EventStream, LedgerSession, PartitionLocks

log = structlog.get_logger(__name__)

IDLE_WAIT = 2.0  # seconds; on a quiet stream a dead persister's entries are found within this time
LOCK_WAIT = 0.05  # seconds until the next try at a partition that another process works on
STOP_TIMEOUT = 15.0  # seconds within which a batch must finish when the process ends
BATCHES_A_LOCK = 10  # rounds after which the lock is released, for a rebuild that may be waiting
# Least seconds between the starts of two rounds: a commit costs about 6 ms of CPU, half of it in
# Postgres, whether it has one event or fifty. The first event after a quiet time does not wait.
SPACING = 0.015
CAUSES_LOGGED = 20  # causes of one outage that are logged


class Batch(NamedTuple):
    """One batch: all entries, the events decoded from them, and the entries that are not events."""

    entries: Sequence[Entry]
    events: list[tuple[Event, Entry]]
    dead: list[DeadEntry]


def decode(entries: Sequence[Entry]) -> Batch:
    """Decodes the entries and sets aside those that can't be decoded."""
    batch = Batch(entries, [], [])
    for entry in entries:
        try:
            batch.events.append((decode_event(*entry), entry))
        except PoisonEvent as error:
            batch.dead.append(DeadEntry(entry, str(error)))
    return batch


async def persist_batches(
    stream: EventStream,
    session: LedgerSession,
    reverter: DuplicateReverter,
    limit: int,
    *,
    most: int = 1,
) -> EventId | None:
    """Moves up to ``most`` batches of ``limit`` entries into the ledger, under the partition's
    lock. Returns the last entry's id, None when there was none. While Postgres writes one full
    batch, the next is read. Raises Unavailable when Redis or Postgres is away; entries that were
    read then stay pending."""
    last: EventId | None = None
    batch = decode(await stream.read(limit))
    for left in reversed(range(most)):
        if not batch.entries:
            break
        if left and len(batch.entries) == limit:
            ahead = asyncio.create_task(_read_ahead(stream, limit))
            try:
                last = await _persist(stream, session, reverter, batch)
            except BaseException:
                await end(ahead)
                raise
            batch = await ahead
        else:
            last = await _persist(stream, session, reverter, batch)
            break
    return last


async def _read_ahead(stream: EventStream, limit: int) -> Batch:
    return decode(await stream.read_ahead(limit))


async def _persist(
    stream: EventStream, session: LedgerSession, reverter: DuplicateReverter, batch: Batch
) -> EventId:
    started = time.perf_counter()
    written = await session.write(batch.events, batch.dead)
    for duplicate in written.late:
        live = await reverter.revert(duplicate)
        metrics.late_duplicates.inc()
        log.warning(
            "late_duplicate",
            board=duplicate.board,
            user=duplicate.original.user_id,
            action=duplicate.original.action_id,
            event_id=str(duplicate.event),
            reverted=live,
        )
    left = await stream.acknowledge([entry_id for entry_id, _ in batch.entries])
    _measure(stream.partition, batch, len(written.dead), left, time.perf_counter() - started)
    return EventId(*split_id(batch.entries[-1][0]))


def _measure(partition: int, batch: Batch, dead: int, left: int, seconds: float) -> None:
    label = str(partition)
    metrics.persisted.labels(label).inc(len(batch.entries))
    metrics.persist_seconds.observe(seconds)
    metrics.backlog.labels(label).set(left)
    if dead:
        metrics.dead_events.inc(dead)
        log.error("events_buried", partition=partition, count=dead, remedy="scoreboard dead list")


class Persister:
    """Persists some partitions, each in its own task, for as long as ``run`` runs."""

    def __init__(
        self,
        streams: Sequence[EventStream],
        locks: PartitionLocks,
        reverter: DuplicateReverter,
        *,
        batch: int,
    ) -> None:
        self._streams = streams
        self._locks = locks
        self._reverter = reverter
        self._batch = batch
        self._outage = _Outage()

    async def run(self, stopping: asyncio.Event) -> None:
        """Persists until ``stopping`` is set; batches under way are finished, within a time limit.
        Waits for servers that are away."""
        async with asyncio.TaskGroup() as tasks:
            consumers = [
                tasks.create_task(self._consume(stream, stopping)) for stream in self._streams
            ]
            await stopping.wait()
            _, late = await asyncio.wait(consumers, timeout=STOP_TIMEOUT)
            await end(*late)  # what they have read stays pending

    async def _consume(self, stream: EventStream, stopping: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        while not stopping.is_set():
            started = loop.time()
            try:
                async with self._locks.locked_if_free(stream.partition) as session:
                    last = session and await persist_batches(
                        stream, session, self._reverter, self._batch, most=BATCHES_A_LOCK
                    )
                self._outage.over(stream.partition)
                if session is None:
                    await unless_stopped(stopping, asyncio.sleep(LOCK_WAIT))
                elif last is None:
                    await unless_stopped(stopping, stream.wait(IDLE_WAIT))
                elif (early := started + SPACING - loop.time()) > 0:
                    await unless_stopped(stopping, asyncio.sleep(early))
            except Exception as error:  # noqa: BLE001 (whatever it is, the others go on)
                await unless_stopped(
                    stopping, asyncio.sleep(self._outage.pause(stream.partition, error))
                )


class _Outage:
    """Logs the beginning, the end and each cause of an outage, once for all partitions, and spaces
    each partition's attempts during it."""

    def __init__(self) -> None:
        self._backoffs: dict[int, Backoff] = {}
        self._causes: set[tuple[str, str]] = set()

    def pause(self, partition: int, error: Exception) -> float:
        """Seconds until the partition's next attempt."""
        cause = repr(error), cause_of(error)
        if cause not in self._causes and len(self._causes) < CAUSES_LOGGED:
            self._causes.add(cause)
            expected = isinstance(error, Unavailable)
            log.warning(
                "persister_waits",
                partition=partition,
                reason=str(error),
                cause=cause_of(error),
                exc_info=None if expected else error,
            )
        return self._backoffs.setdefault(partition, Backoff()).next()

    def over(self, partition: int) -> None:
        if self._backoffs.pop(partition, None) is not None and not self._backoffs:
            self._causes.clear()
            log.info("persister_resumes")
