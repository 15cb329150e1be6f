"""``scoreboard persist`` that stands still at a step of its work, to be killed there.

    python -m scripts.chaos.stalled_persister STEP PASSES FILE

It is the product's own role; only the methods around the step are wrapped, those of a partition
that goes alone and those of several that go together. When it comes to the step with a batch in
hand for the PASSES-th time, it writes to FILE what it has in hand and stops itself with all its
tasks, wherever these are: only SIGKILL ends it then.
"""

from __future__ import annotations

import enum
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scoreboard.commands.persist import persist_command
from scoreboard.local.embedded_servers import write_private
from scoreboard.pg import plain_batches
from scoreboard.pg.ledger import LedgerSession
from scoreboard.pg.shared_batches import SharedSession
from scoreboard.redisio.streams import PartitionStream, PartitionStreams

Arrived = Callable[[int, Sequence[bytes]], None]  # partition, ids of the batch


class Step(enum.Enum):
    """Where it stands: a batch was read; its rows are written and their transaction is open; that
    is committed; the commands that acknowledge it are about to be sent."""

    READ = "read"
    BEFORE_COMMIT = "before commit"
    AFTER_COMMIT = "after commit"
    BEFORE_ACKNOWLEDGE = "before acknowledge"


class InHand(NamedTuple):
    """The batch that it stands still with."""

    partition: int
    ids: list[str]


def stand_still_at(step: Step, passes: int, file: Path) -> None:
    """Wraps the methods around ``step``, for the rest of this process's life."""
    left = passes

    def arrived(partition: int, ids: Sequence[bytes]) -> None:
        nonlocal left
        left -= bool(ids)
        if ids and left == 0:
            write_private(file, json.dumps(InHand(partition, [i.decode() for i in ids])))
            os.kill(os.getpid(), signal.SIGSTOP)

    match step:
        case Step.READ:
            _behind(PartitionStream, "read", arrived)
            _behind(PartitionStream, "read_ahead", arrived)
            _behind_shared_read(arrived)
        case Step.BEFORE_COMMIT:
            setattr(plain_batches, "fits", lambda _: False)  # noqa: B010  # one statement has no such step
            _behind(LedgerSession, "_finish", arrived)  # the last that the transaction writes
        case Step.AFTER_COMMIT:
            _behind(LedgerSession, "write", arrived)
            _behind_shared_write(arrived)
        case Step.BEFORE_ACKNOWLEDGE:
            _before_acknowledging(arrived)


def _behind(owner: type, name: str, arrived: Arrived) -> None:
    """Calls ``arrived`` when the method has ended: one that gives entries, or takes events."""
    method = getattr(owner, name)

    async def wrapped(self: Any, *arguments: Any, **options: Any) -> Any:
        result = await method(self, *arguments, **options)
        entries = result if owner is PartitionStream else [entry for _, entry in arguments[0]]
        arrived(self.partition, [entry_id for entry_id, _ in entries])
        return result

    setattr(owner, name, wrapped)


def _before_acknowledging(arrived: Arrived) -> None:
    acknowledge = PartitionStream.acknowledge

    async def wrapped(
        self: PartitionStream, ids: Sequence[bytes], awaited: Sequence[str] = ()
    ) -> int:
        arrived(self.partition, ids)
        return await acknowledge(self, ids, awaited)

    setattr(PartitionStream, "acknowledge", wrapped)  # noqa: B010 (mypy forbids the assignment)
    acknowledge_each = PartitionStreams.acknowledge_each

    async def wrapped_each(self: PartitionStreams, committed: Any) -> Any:
        for partition, (ids, _) in committed.items():
            arrived(partition, ids)
        return await acknowledge_each(self, committed)

    setattr(PartitionStreams, "acknowledge_each", wrapped_each)  # noqa: B010


def _behind_shared_read(arrived: Arrived) -> None:
    read_each = PartitionStreams.read_each

    async def wrapped(self: PartitionStreams, counts: Any) -> Any:
        read = await read_each(self, counts)
        for partition, entries in read.items():
            if not isinstance(entries, Exception):
                arrived(partition, [entry_id for entry_id, _ in entries])
        return read

    setattr(PartitionStreams, "read_each", wrapped)  # noqa: B010


def _behind_shared_write(arrived: Arrived) -> None:
    write = SharedSession.write

    async def wrapped(self: SharedSession, batches: Any) -> Any:
        written = await write(self, batches)
        for partition in written:
            arrived(partition, [entry_id for _, (entry_id, _) in batches[partition]])
        return written

    setattr(SharedSession, "write", wrapped)  # noqa: B010


if __name__ == "__main__":
    stand_still_at(Step(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
    persist_command()
