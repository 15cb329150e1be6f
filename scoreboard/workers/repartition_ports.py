"""What the change of the number of partitions needs of both servers, whose rooms workers may not
import. Every method raises Unavailable when its server is away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from scoreboard.domain.ledger import LockHolder
from scoreboard.domain.repartition import PartitionCount


class PartitionRecord(Protocol):
    """The number as Postgres keeps it. Implemented in pg/partition_count.py."""

    async def take_turn(self) -> bool:
        """Whether no other process changes the number now."""

    async def count(self) -> PartitionCount | None:
        """None while no process has worked on the database."""

    async def others(self) -> Sequence[LockHolder]:
        """The sessions of the service's other processes."""

    async def begin(self, partitions: int) -> None:
        """From now on no process starts, and none makes a board live under another number."""

    async def end(self) -> None:
        """Processes may start again."""

    async def dead_letters(self) -> int:
        """How many entries could not be written."""

    async def boards(self) -> Sequence[str]:
        """The names of all boards."""

    async def removed(self) -> Sequence[str]:
        """The names of boards that were deleted or cleared, or are being so."""

    async def written_since(self, ms: int) -> Sequence[str]:
        """The boards with an event after this moment (Unix ms)."""

    async def switch(self, placed: Mapping[str, int]) -> None:
        """Makes the number that was begun the present one, at once or not at all. ``placed`` are
        the partitions from now on of all boards, also of those that were removed."""


class PartitionRemains(Protocol):
    """What Redis has of all partitions, however many there were. Implemented in
    redisio/partition_keys.py."""

    async def boards(self) -> set[str]:
        """The boards that it has, live or not."""

    async def sweep(self, *, streams: bool, tell: Callable[[int], None]) -> None:
        """Unlinks all of it, streams only if asked to; boards stop answering before any of the rest
        goes. ``tell`` is told how many keys have gone since its last call."""
