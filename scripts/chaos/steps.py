"""A persister killed at one step of its work, again and again, while actions come in.

Each time the persister (chaos/stalled_persister.py) stands still at the step; what it has in hand
is looked up in Redis and Postgres, which proves that it is there; then it is killed (-9). At the
end an ordinary persister does what is left, and everything is audited.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from scoreboard.local.child_processes import Child
from scoreboard.wire.events import split_id
from scoreboard.wire.keys import Keyspace, PartitionKeys
from scripts.chaos.actions import BOARDS, Action, Book
from scripts.chaos.audit import audit, ledger_of
from scripts.chaos.clients import Client
from scripts.chaos.run import drained
from scripts.chaos.service import PARTITIONS, START_TIMEOUT, running, still_there
from scripts.chaos.stack import Stack
from scripts.chaos.stalled_persister import InHand, Step

CLIENTS = 8
BATCH = 25
ACTIONS_A_KILL = 300  # so that there are more batches than PASSES
PASSES = 8  # at most, of the step by one persister: those before the last are finished

Progress = Callable[[str], None]
Id = tuple[int, int]  # of an entry


class Seen(NamedTuple):
    """The batch in hand while the persister stood still. ``left``: the stream holds it;
    ``first``: not committed when this persister was started; ``committed``: in the ledger, and
    how many of ``first`` are; ``writing``: transactions that are open and have written."""

    entries: int
    left: int
    committed: int
    first_committed: int
    writing: int

    def fits(self, step: Step) -> bool:
        """Whether a persister that stands at ``step`` leaves this."""
        if self.left < self.entries:
            return False
        if step in (Step.AFTER_COMMIT, Step.BEFORE_ACKNOWLEDGE):
            return self.committed == self.entries
        return self.first_committed == 0 and (step is Step.READ or self.writing > 0)


class Row(NamedTuple):
    """Of one step: ``entries`` in hand at all kills, of these ``committed``; ``lost``: acknowledged
    actions that the ledger lacks; ``doubled``: users whose total is another than their actions
    make, each once; ``violations``: what else contradicts a promise."""

    step: Step
    kills: int
    actions: int
    entries: int
    committed: int
    lost: int
    doubled: int
    violations: list[str]

    @property
    def broken(self) -> bool:
        return bool(self.lost or self.doubled or self.violations)


async def measure(folder: Path, step: Step, *, kills: int, seed: int, progress: Progress) -> Row:
    """Kills ``kills`` persisters at ``step``, on new data in ``folder``."""
    rng = random.Random(f"{seed}/{step.value}")
    book = Book(kills * ACTIONS_A_KILL)
    begun = 0  # kills; each lets some more actions in
    entries, committed = 0, 0
    stack = Stack(folder, servers=1, persisters=1, settings={"PERSIST_BATCH": str(BATCH)})

    def may_go() -> bool:
        return len(book.actions) < begun * ACTIONS_A_KILL

    async with running(stack), stack.apis() as apis:
        await asyncio.to_thread(stack.persisters[0].stop)
        clients = [Client(n, seed, apis, book, may_go) for n in range(CLIENTS)]
        async with asyncio.TaskGroup() as tasks:
            for client in clients:
                tasks.create_task(client.run())
            for begun in range(1, kills + 1):
                seen = await _kill_at(stack, step, rng.randint(1, PASSES))
                if not seen.fits(step):
                    book.violations.append(f"kill {begun} was not at the step: {seen}")
                entries, committed = entries + seen.entries, committed + seen.committed
                if begun % 10 == 0:
                    progress(f"{step.value}: {begun} of {kills} kills")
            await stack.start_persister(0)
        await drained(stack)
        counted = [action for action in book.actions if action.level is not None]
        ledger = await ledger_of(stack)
        lost = [action for action in counted if action.key not in ledger]
        doubled = await _doubled(stack, counted, lost)
        await audit(stack, book, ())
    return Row(
        step, kills, len(book.actions), entries, committed, len(lost), doubled, book.violations
    )


async def _kill_at(stack: Stack, step: Step, passes: int) -> Seen:
    """Runs a persister until it stands at the step for the ``passes``-th time, and kills it."""
    file = stack.folder / "in-hand"
    file.unlink(missing_ok=True)
    behind = await _progress(stack)
    module = "scripts.chaos.stalled_persister"
    child = Child(
        f"persister to be killed at {step.value}",
        [sys.executable, "-m", module, step.value, str(passes), str(file)],
        log=stack.folder / "persist-stalled.log",
        environment=stack.environment,
    )
    child.start()
    try:
        async with asyncio.timeout(START_TIMEOUT):
            while not file.exists():
                still_there(child)
                await asyncio.sleep(0.01)
        return await _look(stack, InHand(*json.loads(file.read_text(encoding="utf-8"))), behind)
    finally:
        await asyncio.to_thread(child.kill)


async def _progress(stack: Stack) -> dict[int, Id]:
    """Of each partition the highest event that is committed."""
    connection = await asyncpg.connect(stack.postgres.url)
    try:
        rows = await connection.fetch(
            "SELECT partition, event_ms, event_seq FROM partition_progress"
        )
    finally:
        await connection.close()
    return {partition: (ms, seq) for partition, ms, seq in rows}


async def _look(stack: Stack, batch: InHand, behind: Mapping[int, Id]) -> Seen:
    async with stack.redis() as redis:
        found: Any = await redis.xrange(
            PartitionKeys(batch.partition).events, batch.ids[0], batch.ids[-1]
        )
    left = {entry.decode() for entry, _ in found}
    ids = [split_id(entry) for entry in batch.ids]
    connection = await asyncpg.connect(stack.postgres.url)
    try:
        rows = await connection.fetch(
            "SELECT event_ms || '-' || event_seq FROM score_action WHERE board = ANY($1)"
            " AND (event_ms, event_seq) IN (SELECT * FROM unnest($2::bigint[], $3::bigint[]))",
            [
                board
                for board in BOARDS
                if Keyspace(PARTITIONS).partition_of(board) == batch.partition
            ],
            [ms for ms, _ in ids],
            [seq for _, seq in ids],
        )
        writing = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE state = 'idle in transaction' AND backend_xid IS NOT NULL"
        )
    finally:
        await connection.close()
    committed = {row[0] for row in rows}
    known = behind.get(batch.partition, (0, 0))
    first = {entry for entry, its_id in zip(batch.ids, ids, strict=True) if its_id > known}
    in_stream = len(left.intersection(batch.ids))
    return Seen(len(ids), in_stream, len(committed), len(committed & first), writing)


async def _doubled(stack: Stack, counted: Sequence[Action], lost: Sequence[Action]) -> int:
    """How many users have another total than their actions make, each once, though none is lost."""
    expected: Counter[tuple[str, str]] = Counter()
    for action in counted:
        expected[action.board, action.user] += action.points
    connection = await asyncpg.connect(stack.postgres.url)
    try:
        rows = await connection.fetch("SELECT board, user_id, score FROM user_score")
    finally:
        await connection.close()
    totals = {(row[0], row[1]): row[2] for row in rows}
    losers = {(action.board, action.user) for action in lost}
    users = (expected.keys() | totals.keys()) - losers
    return sum(totals.get(user) != expected[user] for user in users)
