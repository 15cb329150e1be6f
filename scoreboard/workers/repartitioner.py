"""Changes the number of partitions, while no other process of the service is there.

The partition is part of every key, so Redis begins anew: the streams are carried to Postgres, which
then has everything; Redis is compared with it and emptied; one transaction moves the boards; they
are loaded under their new keys and compared again. Each step may be repeated, so a change that was
interrupted is finished by the same call.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scoreboard.domain.audit import Difference
from scoreboard.domain.quantities import quantity
from scoreboard.domain.repartition import Outcome, PartitionCount
from scoreboard.errors import ConfigurationError
from scoreboard.wire.keys import Keyspace
from scoreboard.workers.postgres_ports import PartitionLocks
from scoreboard.workers.rebuilder import Rebuilder
from scoreboard.workers.repartition_ports import PartitionRecord, PartitionRemains
from scoreboard.workers.verifier import Verifier

LEAVING = 5.0  # seconds for which the sessions of processes that have just ended may still be there
MOST_NAMED = 3  # of them
LOOK = 0.1  # seconds between two looks at them

Tell = Callable[[str, int, int], None]  # a stage, how much of it is done, of how much


@dataclass(frozen=True, slots=True)
class PartedWorkers:
    """The parts that work with one number of partitions."""

    keyspace: Keyspace
    locks: PartitionLocks
    rebuilder: Rebuilder
    verifier: Verifier


class Repartitioner:
    """``workers_of`` makes the parts for a number of partitions; ``board_idle`` is how many seconds
    after its last write a board leaves Redis (0: never); ``tell`` is told how far a stage is, and
    ``on_difference`` what the ledger and the totals, or Redis, do not agree on."""

    def __init__(
        self,
        record: PartitionRecord,
        remains: PartitionRemains,
        workers_of: Callable[[int], PartedWorkers],
        *,
        board_idle: float,
        tell: Tell,
        on_difference: Callable[[Difference], None],
    ) -> None:
        self._record = record
        self._remains = remains
        self._workers_of = workers_of
        self._board_idle = board_idle
        self._tell = tell
        self._on_difference = on_difference

    async def change(self, partitions: int) -> Outcome:
        """Makes it so many, finishes a change to so many, or gives up a change to another number
        that has not come far. Raises ConfigurationError when it can't be done, and then nothing is
        changed, or Unavailable, after which the same call goes on."""
        if not await self._record.take_turn():
            raise ConfigurationError("another process changes the number of partitions now")
        count = await self._record.count()
        if count is None:
            raise ConfigurationError(
                "there are no data yet; set SCOREBOARD_PARTITIONS before the first start"
            )
        if partitions == count.present and not count.switched:
            await self._record.end()
            return Outcome.UNCHANGED if count.target is None else Outcome.GIVEN_UP
        await self._begin(count, partitions)
        if not count.switched:
            former = self._workers_of(count.present)
            try:
                await self._check(former)
            except ConfigurationError:
                await self._record.end()
                raise
            await self._switch(former, partitions)
        await self._sweep(streams=True)
        differs = await self._load(self._workers_of(partitions))
        await self._record.end()
        return Outcome.DIFFERS if differs else Outcome.DONE

    async def _begin(self, count: PartitionCount, partitions: int) -> None:
        if count.target not in (None, partitions):
            begun = f"a change to {count.target} partitions is not finished; finish it with "
            giving_up = f", or give it up with `scoreboard repartition {count.present}`"
            raise ConfigurationError(
                f"{begun}`scoreboard repartition {count.target}`"
                + ("" if count.switched else giving_up)
            )
        await self._refuse_company()
        if count.target is None:
            await self._record.begin(partitions)
            try:
                await self._refuse_company()  # whoever started a moment before
            except ConfigurationError:
                await self._record.end()
                raise

    async def _refuse_company(self) -> None:
        deadline = time.monotonic() + LEAVING
        while others := await self._record.others():
            if time.monotonic() < deadline:
                await asyncio.sleep(LOOK)
                continue
            named = ", ".join(map(str, others[:MOST_NAMED]))
            more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
            raise ConfigurationError(
                "the service has to be stopped first, with every command that works on its data; "
                f"still connected to Postgres: {named}{more}"
            )

    async def _check(self, former: PartedWorkers) -> None:
        """Raises ConfigurationError unless Postgres has all that Redis has."""
        await self._drain(former)
        if letters := await self._record.dead_letters():
            raise ConfigurationError(
                f"Postgres lacks {quantity(letters, 'dead letter')}: see `scoreboard dead list`"
            )
        in_redis = await self._remains.boards()
        there = await self._record.boards()
        if missing := sorted(in_redis.difference(there, await self._record.removed())):
            raise ConfigurationError(f"only Redis has the board {missing[0]!r}, Postgres lacks it")
        boards = [board for board in there if board in in_redis]
        if found := await self._verify("comparing", former, boards):
            raise ConfigurationError(
                f"{quantity(found, 'difference')} between Redis and Postgres; nothing was changed. "
                "Mend this first: `scoreboard verify --repair`"
            )

    async def _switch(self, former: PartedWorkers, partitions: int) -> None:
        # Without its meta hash no board takes an action any more, even from a process that was
        # overlooked; what such a one has added by then is in the streams.
        await self._sweep(streams=False)
        await self._drain(former)
        keyspace = Keyspace(partitions)
        boards = [*await self._record.boards(), *await self._record.removed()]
        await self._record.switch({board: keyspace.partition_of(board) for board in boards})
        self._tell("switching", 1, 1)

    async def _drain(self, workers: PartedWorkers) -> None:
        total = workers.keyspace.partitions
        for partition in range(total):
            async with workers.locks.locked(partition) as session:
                await workers.rebuilder.drain(partition, session)
            self._tell("persisting", partition + 1, total)

    async def _sweep(self, *, streams: bool) -> None:
        done = 0

        def tell(count: int) -> None:
            nonlocal done
            done += count
            self._tell("emptying", done, done)

        await self._remains.sweep(streams=streams, tell=tell)

    async def _load(self, workers: PartedWorkers) -> int:
        """Loads the boards that Redis would still have, and returns how many differences there are
        on all. The others are loaded when somebody asks for them."""
        oldest = round((time.time() - self._board_idle) * 1000) if self._board_idle else 0
        boards = await self._record.written_since(oldest)
        for done, board in enumerate(boards, 1):
            await workers.rebuilder.ensure(board, create=False)
            self._tell("loading", done, len(boards))
        return await self._verify("verifying", workers, await self._record.boards())

    async def _verify(self, stage: str, workers: PartedWorkers, boards: Sequence[str]) -> int:
        found = 0
        for done, board in enumerate(boards, 1):
            report = await workers.verifier.verify(board, self._on_difference, lambda _: None)
            found += report.differences
            self._tell(stage, done, len(boards))
        return found
