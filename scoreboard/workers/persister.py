"""Moves events from Redis's streams into the ledger: reads a batch, commits it, acknowledges it.

The partition's lock is held from reading to acknowledging. A crash at any point leaves the batch in
the stream; the next holder of the lock writes it again, which changes nothing that was committed.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial

import structlog

from scoreboard.background import end, keep_running, unless_stopped
from scoreboard.backoff import Backoff
from scoreboard.domain.ledger import Overtaken
from scoreboard.errors import Unavailable, cause_of
from scoreboard.telemetry import metrics
from scoreboard.workers.batches import Batch, Round, decode
from scoreboard.workers.lock_watch import LockWatch
from scoreboard.workers.postgres_ports import LedgerSession, PartitionLocks
from scoreboard.workers.redis_ports import DuplicateReverter, EventStream, EventStreams
from scoreboard.workers.shared_rounds import LITTLE, SharedRounds, Skipped

log = structlog.get_logger(__name__)

LOOK = 2.0  # seconds between two looks for entries that a dead persister has left on quiet streams
QUIET = 30.0  # seconds for which a quiet stream is listened to; the looks cost less
ROUNDS = 8  # rounds at once, each on a connection to Postgres of its own
LOCK_WAIT = 0.05  # seconds until the next try at a partition that another process works on
STOP_TIMEOUT = 15.0  # seconds within which a batch must finish when the process ends
BATCHES_A_LOCK = 10  # rounds after which the lock is released, for a rebuild that may be waiting
# Least seconds between the starts of two rounds: a commit costs about 4 ms of CPU, half of it in
# Postgres, whether it has one event or fifty. The first event after a quiet time does not wait, nor
# do those behind events for whose commit somebody waited. While somebody has lately, rounds come
# closer, since the next who does may post behind others for which nobody waits.
SPACING = 0.05
CLOSER = 0.015
LATELY = 10.0  # seconds
LINGER = 0.02  # seconds for which the lock is kept for those who post again after they had waited
# Seconds, for each who waited, until the next batch is read: they post again one after another, and
# one commit for all of them costs little more than one for the first.
GATHER = 0.00006
CAUSES_LOGGED = 20  # causes of one outage that are logged


async def persist_batches(
    stream: EventStream,
    session: LedgerSession,
    reverter: DuplicateReverter,
    limit: int,
    *,
    most: int = 1,
) -> Round | None:
    """Moves up to ``most`` batches of ``limit`` entries into the ledger, under the partition's
    lock; None when there was none. While Postgres writes one full batch, the next is read. After
    one that somebody waited for, the next is waited for a moment: whoever waits posts again. Raises
    Unavailable when Redis or Postgres is away; entries that were read then stay in the stream."""
    try:
        return await _persist_batches(stream, session, reverter, limit, most=most, current=False)
    except Overtaken:
        # These events may come from a server that another has replaced, where the board is live
        # without them: then nobody may count them. Otherwise they are still in the stream, and are
        # read again.
        await stream.find_again()
        return await _persist_batches(stream, session, reverter, limit, most=1, current=True)


async def _persist_batches(
    stream: EventStream,
    session: LedgerSession,
    reverter: DuplicateReverter,
    limit: int,
    *,
    most: int,
    current: bool,
) -> Round | None:
    done: Round | None = None
    batch = decode(await stream.read(limit))
    for left in reversed(range(most)):
        if not batch.entries:
            break
        if left and len(batch.entries) == limit:
            ahead = asyncio.create_task(_read_ahead(stream, limit))
            try:
                done = await _persist(stream, session, reverter, batch, current)
                batch = await ahead
            except BaseException:
                await end(ahead)
                raise
        else:
            done = await _persist(stream, session, reverter, batch, current)
            if not (left and done.awaited):
                break
            await asyncio.sleep(min(len(batch.awaited) * GATHER, CLOSER))
            batch = await _read_ahead(stream, limit, LINGER)
    return done


async def _read_ahead(stream: EventStream, limit: int, wait: float = 0.0) -> Batch:
    return decode(await stream.read_ahead(limit, wait))


async def _persist(
    stream: EventStream,
    session: LedgerSession,
    reverter: DuplicateReverter,
    batch: Batch,
    current: bool,
) -> Round:
    started = time.perf_counter()
    written = await session.write(batch.events, batch.dead, current=current)
    for duplicate in written.late:
        live = await reverter.revert(duplicate)
        metrics.late_duplicates.inc()
        log.warning(
            "late_duplicate",
            board=duplicate.board,
            event_id=str(duplicate.event),
            reverted=live,
        )
    for events in written.erased:
        await reverter.take_out(events)
        metrics.erased_events.inc(len(events.action_ids))
        log.info("erased_events", board=events.board, count=len(events.action_ids))
    # Of any other batch some actions may not have counted: who waits for them asks the ledger.
    certain = batch.awaited if written.new and not written.late else ()
    left = await stream.acknowledge(batch.ids, certain)
    _measure(stream.partition, batch, len(written.dead), left, time.perf_counter() - started)
    awaited = bool(batch.awaited)
    shareable = written.plain and not awaited and len(batch.entries) <= LITTLE
    return Round(batch.last, awaited, shareable)


def _measure(partition: int, batch: Batch, dead: int, left: int, seconds: float) -> None:
    label = str(partition)
    metrics.persisted.labels(label).inc(len(batch.entries))
    metrics.persist_seconds.observe(seconds)
    metrics.backlog.labels(label).set(left)
    if dead:
        metrics.dead_events.inc(dead)
        log.error("events_buried", partition=partition, count=dead, remedy="scoreboard dead list")


class Pace:
    """How fast the rounds of a partition follow one another, and whether it goes with others."""

    def __init__(self) -> None:
        self._closer_until = 0.0
        self._shareable = False

    def pause(self, done: Round, started: float, now: float) -> float:
        """Seconds until the next round, after the one that ``started`` then and moved ``done``."""
        self._shareable = done.shareable
        if done.awaited:
            self._closer_until = now + LATELY
            return 0.0
        spacing = CLOSER if now < self._closer_until else SPACING
        return max(0.0, started + spacing - now)

    def part(self) -> None:
        """Lets it go alone until its next batch is one that could have gone with others."""
        self._shareable = False

    def shares(self, now: float) -> bool:
        """Whether it goes with others: when its last batch could have, and nobody has waited
        lately, who would wait for the others as well."""
        return self._shareable and now >= self._closer_until


class Persister:
    """Persists some partitions, each in its own task, for as long as ``run`` runs."""

    def __init__(
        self,
        streams: EventStreams,
        locks: PartitionLocks,
        reverter: DuplicateReverter,
        *,
        batch: int,
    ) -> None:
        self._streams = streams
        self._rounds = asyncio.Semaphore(ROUNDS)
        self._left = [
            asyncio.Event() for _ in range(len(streams))
        ]  # something is left on a quiet stream
        self._locks = locks
        self._reverter = reverter
        self._batch = batch
        self._outage = _Outage()
        self._watch = LockWatch(locks)
        self._shared = SharedRounds(streams, locks, self._rounds, spacing=SPACING)

    @property
    def troubles(self) -> list[str]:
        """What keeps it from persisting now, in words that anybody may read; empty when nothing
        does."""
        blocked = [
            f"Partition {partition} is locked by a session of Postgres that does nothing "
            f"(process {holder.pid})."
            for partition, holder in sorted(self._watch.blocked.items())
        ]
        return sorted(self._outage.reasons) + blocked

    async def run(self, stopping: asyncio.Event) -> None:
        """Persists until ``stopping`` is set; batches under way are finished, within a time limit.
        Waits for servers that are away."""
        async with asyncio.TaskGroup() as tasks:
            consumers = [
                tasks.create_task(
                    keep_running(
                        f"partition {stream.partition}",
                        partial(self._consume, stream, left, stopping),
                        until=stopping,
                    )
                )
                for stream, left in zip(self._streams, self._left, strict=True)
            ]
            looks = tasks.create_task(keep_running("looks for what is left", self._look))
            shared = tasks.create_task(keep_running("shared rounds", self._shared.run))
            await stopping.wait()
            self._shared.stop()
            _, late = await asyncio.wait(consumers, timeout=STOP_TIMEOUT)
            await end(looks, shared, *late)  # what they have read stays in the stream

    async def _look(self) -> None:
        """Lets quiet partitions be read that are not empty: of what they hold a dead persister may
        have read some, and a Redis that was emptied may count from below. When that can't be known,
        all find out for themselves."""
        while True:
            await asyncio.sleep(LOOK)
            try:
                lengths = await self._streams.lengths()
            except Unavailable:
                lengths = [1] * len(self._left)
            for left, length in zip(self._left, lengths, strict=True):
                if length:
                    left.set()

    async def _consume(
        self, stream: EventStream, left: asyncio.Event, stopping: asyncio.Event
    ) -> None:
        loop = asyncio.get_running_loop()
        pace = Pace()
        heard = False  # of something in a stream that was quiet
        while not stopping.is_set():
            started = loop.time()
            left.clear()
            try:
                shares = pace.shares(started)
                if shares:
                    came = await self._shared.turn(stream, hurry=heard)
                else:
                    came = await self._alone(stream)
                heard = False
                self._outage.over(stream.partition)
                if came is Skipped.TAKEN:
                    await self._watch.missed(stream.partition)
                    await unless_stopped(stopping, asyncio.sleep(LOCK_WAIT))
                    continue
                self._watch.had(stream.partition)
                if came is Skipped.ALONE:
                    pace.part()
                    continue
                if isinstance(came, Round):
                    pause = pace.pause(came, started, loop.time())
                    if shares and came.shareable:
                        continue  # shared rounds have pauses of their own, and look by themselves
                    if pause:
                        await unless_stopped(stopping, asyncio.sleep(pause))
                listened = loop.time()
                await unless_stopped(stopping, unless_stopped(left, stream.wait(QUIET)))
                heard = loop.time() < listened + QUIET
                if not heard:
                    pace.part()  # a round of its own tells whether the lock can be had
            except Exception as error:  # noqa: BLE001 (whatever it is, the others go on)
                pace.part()
                await unless_stopped(
                    stopping, asyncio.sleep(self._outage.pause(stream.partition, error))
                )

    async def _alone(self, stream: EventStream) -> Round | Skipped:
        """Rounds of one partition, under its lock."""
        async with self._rounds, self._locks.locked_if_free(stream.partition) as session:
            if session is None:
                return Skipped.TAKEN
            done = await persist_batches(
                stream, session, self._reverter, self._batch, most=BATCHES_A_LOCK
            )
            return done or Skipped.EMPTY


class _Outage:
    """Logs the beginning, the end and each cause of an outage, once for all partitions, and spaces
    each partition's attempts during it."""

    def __init__(self) -> None:
        self._backoffs: dict[int, Backoff] = {}
        self._causes: set[tuple[str, str]] = set()
        self._reasons: dict[int, str] = {}

    @property
    def reasons(self) -> set[str]:
        """Why partitions wait now."""
        return set(self._reasons.values())

    def pause(self, partition: int, error: Exception) -> float:
        """Seconds until the partition's next attempt."""
        cause = repr(error), cause_of(error)
        self._reasons[partition] = (
            error.detail if isinstance(error, Unavailable) else type(error).__name__
        )
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
        self._reasons.pop(partition, None)
        if self._backoffs.pop(partition, None) is not None and not self._backoffs:
            self._causes.clear()
            log.info("persister_resumes")
