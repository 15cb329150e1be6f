"""The number of partitions that the data was written with, and its change, which goes on while no
other process of the service is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scoreboard.domain.ledger import LockHolder
from scoreboard.domain.repartition import PartitionCount
from scoreboard.pg.failures import translated
from scoreboard.pg.partition_locks import LOCK_SPACE, REPARTITION_LOCK
from scoreboard.pg.sql import statements

_sql = statements("partition_count")


class PartitionRecord:
    """On a connection of the database's owner. Every method raises Unavailable when Postgres is
    away."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def take_turn(self) -> bool:
        """Whether no other connection changes the number now; this one may until it is closed."""
        with translated():
            sql = _sql["take_turn"]
            return bool(await self._connection.fetchval(sql, LOCK_SPACE, REPARTITION_LOCK))

    async def count(self) -> PartitionCount | None:
        """None while no process has worked on the database."""
        with translated():
            row = await self._connection.fetchrow(_sql["count"])
        return None if row is None else PartitionCount(*row)

    async def others(self) -> list[LockHolder]:
        """The sessions of the service's processes, this one apart."""
        with translated():
            return [LockHolder(*row) for row in await self._connection.fetch(_sql["others"])]

    async def begin(self, partitions: int) -> None:
        """From now on no process starts, and none makes a board live under another number."""
        with translated():
            await self._connection.execute(_sql["begin"], partitions)

    async def end(self) -> None:
        """Processes may start again."""
        with translated():
            await self._connection.execute(_sql["end"])

    async def dead_letters(self) -> int:
        """How many entries could not be written."""
        with translated():
            return int(await self._connection.fetchval(_sql["dead_letters"]))

    async def boards(self) -> list[str]:
        """The names of all boards."""
        with translated():
            return [row[0] for row in await self._connection.fetch(_sql["boards"])]

    async def removed(self) -> list[str]:
        """The names of boards that were deleted or cleared, or are being so."""
        with translated():
            return [row[0] for row in await self._connection.fetch(_sql["removed"])]

    async def written_since(self, ms: int) -> list[str]:
        """The boards with an event after this moment (Unix ms)."""
        with translated():
            return [row[0] for row in await self._connection.fetch(_sql["written_since"], ms)]

    async def switch(self, placed: Mapping[str, int]) -> None:
        """Makes the number that was begun the present one, in one transaction. ``placed`` are the
        partitions from now on of all boards, also of those that were removed. Ids of events go on
        above all that were given."""
        names, partitions = list(placed), list(placed.values())
        with translated():
            async with self._connection.transaction():
                count = await self._connection.fetchval(_sql["switch"])
                for name in ("place_boards", "place_removals"):
                    await self._connection.execute(_sql[name], names, partitions)
                for name in ("advance_all", "forget_rest"):
                    await self._connection.execute(_sql[name], count)
