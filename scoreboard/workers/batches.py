"""What is read from a stream at once, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scoreboard.domain.ledger import DeadEntry, Entry, EventId
from scoreboard.wire.events import Event, PoisonEvent, decode_event, split_id


class Batch(NamedTuple):
    """One batch: all entries, the events decoded from them, the entries that are not events, and
    the attempts whose commit somebody waits for."""

    entries: Sequence[Entry]
    events: list[tuple[Event, Entry]]
    dead: list[DeadEntry]
    awaited: list[str]

    @property
    def ids(self) -> list[bytes]:
        """Those of the entries, in order."""
        return [entry_id for entry_id, _ in self.entries]

    @property
    def last(self) -> EventId:
        """That of the last entry, of which there must be one."""
        return EventId(*split_id(self.entries[-1][0]))


class Round(NamedTuple):
    """What a round has moved: the last entry's id, whether somebody waited for the last batch, and
    whether partitions can write batches like that together."""

    last: EventId
    awaited: bool
    shareable: bool = False


def decode(entries: Sequence[Entry]) -> Batch:
    """Decodes the entries and sets aside those that can't be decoded. Raises Unavailable for an
    event of a newer version."""
    batch = Batch(entries, [], [], [])
    for entry in entries:
        try:
            event = decode_event(*entry)
            batch.events.append((event, entry))
            if event.body.r:
                batch.awaited.append(event.body.t)
        except PoisonEvent as error:
            batch.dead.append(DeadEntry(entry, str(error)))
    return batch
