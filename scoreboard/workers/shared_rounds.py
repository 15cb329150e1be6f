"""Rounds that several partitions of a persister share.

A transaction costs nearly the same for one event as for fifty. So partitions that have little to
persist, for which nobody waits, go into Postgres together: one look at their streams, one statement
for their locks, one that writes and commits their events. Each is acknowledged by itself behind the
commit. Whatever can't go so goes alone, as it would without the others, and nothing of it is done
here: a batch that needs more than one statement, and all batches of a statement that Postgres
refuses.
"""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from scoreboard.domain.ledger import Entry
from scoreboard.errors import Unavailable
from scoreboard.telemetry import metrics
from scoreboard.workers.batches import Batch, Round, decode
from scoreboard.workers.postgres_ports import PartitionLocks, SharedSession
from scoreboard.workers.redis_ports import EventStream, EventStreams

LITTLE = 100  # entries; a partition that has more goes alone, beside the others
MOST = 500  # entries of one round; what is more goes with the next one, at once
# Seconds for which a partition that has nothing is looked at while others have something.
STAY = 1.0


class Skipped(enum.Enum):
    """Why nothing of a partition was moved: it has nothing, another process has its lock, or it has
    to go alone."""

    EMPTY = "empty"
    TAKEN = "taken"
    ALONE = "alone"


Came = Round | Skipped | Exception  # what came of a partition's round


class _Seat:
    """A partition that takes part in the next round. It is told once what came of it."""

    def __init__(self, stream: EventStream) -> None:
        loop = asyncio.get_running_loop()
        self.partition = stream.partition
        self.since = loop.time()
        self.came: asyncio.Future[Round | Skipped] = loop.create_future()

    def tell(self, came: Came) -> None:
        if self.came.done():
            return  # nobody waits any more
        if isinstance(came, Exception):
            self.came.set_exception(came)
        else:
            self.came.set_result(came)


class SharedRounds:
    """Rounds begin ``spacing`` seconds apart, as long as there is something, each in one of the
    ``slots`` of the process."""

    def __init__(
        self,
        streams: EventStreams,
        locks: PartitionLocks,
        slots: asyncio.Semaphore,
        *,
        spacing: float,
    ) -> None:
        self._streams = streams
        self._locks = locks
        self._slots = slots
        self._spacing = spacing
        self._due = 0.0  # when the next round may begin
        self._seats: dict[int, _Seat] = {}  # by partition
        self._seated = asyncio.Event()
        self._hurried = asyncio.Event()
        self._stopped = False

    async def turn(self, stream: EventStream, *, hurry: bool) -> Round | Skipped:
        """Takes part in the next round, which begins at once when the partition is in a ``hurry``.
        A partition that has nothing is told so when no other has anything either, or after STAY
        seconds. Raises what a round by itself would raise."""
        if self._stopped:
            return Skipped.EMPTY
        seat = self._seats[stream.partition] = _Seat(stream)
        self._seated.set()
        if hurry:
            self._hurried.set()
        try:
            return await seat.came
        finally:
            self._leave(seat)

    def stop(self) -> None:
        """Lets nobody take part any more. A round under way goes on to its end."""
        self._stopped = True
        for seat in tuple(self._seats.values()):
            self._leave(seat).tell(Skipped.EMPTY)

    async def run(self) -> None:
        """Makes the rounds, until cancelled."""
        while True:
            await self._seated.wait()
            await self._pause()
            await self._round()
            if not self._seats:
                self._seated.clear()

    async def _pause(self) -> None:
        pause = self._due - asyncio.get_running_loop().time()
        if pause > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._hurried.wait()
        self._hurried.clear()

    async def _round(self) -> None:
        self._due = asyncio.get_running_loop().time() + self._spacing
        async with self._slots:
            if not self._seats:
                return  # who was seated has left
            going = self._going(await self._streams.lengths_of(list(self._seats)))
            came: dict[int, Came] = {}
            try:
                if going:
                    await self._persist(
                        {partition: length for partition, (_, length) in going.items()}, came
                    )
            except Exception as error:  # noqa: BLE001 (whatever it is, each partition is told)
                came = dict.fromkeys(going, error) | came
            finally:  # when the locks are free again
                for partition, (seat, _) in going.items():
                    seat.tell(came.get(partition, Skipped.ALONE))

    def _going(self, lengths: Mapping[int, int | Exception]) -> dict[int, tuple[_Seat, int]]:
        """Who goes with this round, with how many entries; others that need not wait for the next
        one are told why."""
        now = asyncio.get_running_loop().time()
        going: dict[int, tuple[_Seat, int]] = {}
        room = MOST
        quiet = not any(lengths.values())
        for partition, length in lengths.items():
            seat = self._seats.get(partition)
            if seat is None:
                continue  # its task has ended meanwhile
            if isinstance(length, Exception):
                self._leave(seat).tell(length)
                continue
            metrics.backlog.labels(str(partition)).set(length)
            if not length:
                if quiet or now - seat.since > STAY:
                    self._leave(seat).tell(Skipped.EMPTY)
            elif length > LITTLE:
                self._leave(seat).tell(Skipped.ALONE)
            elif length <= room:
                going[partition] = self._leave(seat), length
                room -= length
            else:
                self._due = now
        return going

    async def _persist(self, counts: Mapping[int, int], came: dict[int, Came]) -> None:
        """Moves so many entries of these partitions, and notes in ``came`` what came of each; of
        one that is not noted, nothing was done."""
        async with self._locks.locked_where_free(list(counts)) as session:
            free = {partition: counts[partition] for partition in session.partitions}
            came.update(dict.fromkeys(counts.keys() - free.keys(), Skipped.TAKEN))
            batches: dict[int, Batch] = {}
            for partition, read in (await self._streams.read_each(free)).items():
                batch = _decoded(read)
                if isinstance(batch, Batch):
                    batches[partition] = batch
                else:
                    came[partition] = batch
            came.update(await self._write(session, batches))

    async def _write(
        self, session: SharedSession, batches: Mapping[int, Batch]
    ) -> Mapping[int, Came]:
        started = time.perf_counter()
        written = await session.write({number: one.events for number, one in batches.items()})
        acknowledged = await self._streams.acknowledge_each(
            {number: (batches[number].ids, batches[number].awaited) for number in written}
        )
        came: dict[int, Came] = {}
        for partition, error in acknowledged.items():
            if error is not None:
                came[partition] = error
                continue
            batch = batches[partition]
            metrics.persisted.labels(str(partition)).inc(len(batch.entries))
            awaited = bool(batch.awaited)
            came[partition] = Round(batch.last, awaited, shareable=not awaited)
        if came:
            metrics.persist_seconds.observe(time.perf_counter() - started)
        return came

    def _leave(self, seat: _Seat) -> _Seat:
        if self._seats.get(seat.partition) is seat:
            del self._seats[seat.partition]
        return seat


def _decoded(read: Sequence[Entry] | Exception) -> Batch | Skipped | Exception:
    """The batch, if it consists of events that this version knows."""
    if isinstance(read, Exception):
        return read
    try:
        batch = decode(read)
    except Unavailable as error:
        return error
    if batch.dead:
        return Skipped.ALONE
    return batch if batch.entries else Skipped.EMPTY
