"""Batches of several partitions, which one statement writes and commits."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scoreboard.domain.ledger import Entry
from scoreboard.pg import erased_events, plain_batches
from scoreboard.pg.failures import translated
from scoreboard.pg.progress import progress_of
from scoreboard.wire.events import Event

if TYPE_CHECKING:
    from scoreboard.telemetry.tracing import Tracer


class SharedSession:
    """A connection that holds the locks of ``partitions``. ``reach`` is how far back an action is
    known, ms."""

    def __init__(
        self, connection: Any, partitions: Sequence[int], reach: int, tracer: Tracer | None
    ) -> None:
        self.partitions = partitions
        self._connection = connection
        self._reach = reach
        self._tracer = tracer

    async def write(self, batches: Mapping[int, Sequence[tuple[Event, Entry]]]) -> Collection[int]:
        """Commits batches of these partitions, those that only add new actions, in one statement.
        Returns the partitions whose batch it was; nothing was done of the others, nor of any, when
        Postgres refuses one of the events. Raises Unavailable when Postgres is away."""
        began = time.time_ns()
        with translated():
            written = await self._write(batches)
        for partition in written if self._tracer is not None else ():
            assert self._tracer is not None
            events = batches[partition]
            self._tracer.committed(
                {event.body.x for event, _ in events if event.body.x},
                partition=partition,
                events=len(events),
                began=began,
            )
        return written

    async def _write(self, batches: Mapping[int, Sequence[tuple[Event, Entry]]]) -> Collection[int]:
        plain = {
            partition: events
            for partition, batch in batches.items()
            if plain_batches.fits(events := [event for event, _ in batch])
        }
        if not plain:
            return ()
        latest = max(events[-1].ms for events in plain.values())
        progress = await progress_of(self._connection, list(plain), latest, None)
        together = [one for partition in plain for one in batches[partition]]
        kept, _, _ = await erased_events.leave_out(
            self._connection, together, [], progress.secret, timeout=None
        )
        if len(kept) < len(together):
            return ()
        new = {
            partition: events
            for partition, events in plain.items()
            if progress.is_behind(partition, events[0])
        }
        done = new and await plain_batches.write(self._connection, new, progress, self._reach, None)
        return new.keys() if done else ()
