"""What is lost at each level of durability by each fault, measured.

Nothing is carried to Postgres while scores come in (but for the level ``postgres``), so that Redis
alone holds what it promised. Then the fault, a restart, and a count of the acknowledged actions
that are gone.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from redis.asyncio import Redis

from scripts.chaos.audit import ledger_of
from scripts.chaos.disk import SyncTrace, synced_once_a_second
from scripts.chaos.run import drained
from scripts.chaos.service import running
from scripts.chaos.stack import Stack
from scripts.load.api import Api, NoAnswer
from scripts.load.requests import action

BOARD = "arena"
CLIENTS = 8
SECONDS = 2.5  # of load before each fault
LEAST = 200  # actions that are acknowledged before it
LOOK = 0.05
TIMEOUT = 60.0

Fault = Callable[[Stack], Awaitable[None]]


class Case(NamedTuple):
    """``valkey`` are options of the server, ``persisters`` run during the load."""

    level: str
    fault: str
    valkey: dict[str, str]
    do: Fault
    persisters: int = 0

    @property
    def traced(self) -> bool:
        """What the server has synced by itself is to be known from a trace of its calls."""
        return self.valkey is ALWAYS and self.do is _cut


class Measured(NamedTuple):
    """``oldest`` in seconds: an upper bound of how long before the fault a lost one counted."""

    level: str
    fault: str
    acknowledged: int
    lost: int
    oldest: float

    @property
    def broken(self) -> bool:
        """More is gone than the level allows: the last two seconds for redis, else nothing."""
        return not self.acknowledged or (
            self.oldest > 2.0 if self.level == "redis" else self.lost > 0
        )


async def _kill(stack: Stack) -> None:
    await asyncio.to_thread(stack.valkey.kill)
    await stack.start_valkey_again()


async def _cut(stack: Stack) -> None:
    await asyncio.to_thread(stack.valkey.kill)
    await asyncio.to_thread(stack.file.cut, None)
    await stack.start_valkey_again()


async def _flush(stack: Stack) -> None:
    async with stack.redis() as redis:
        await redis.flushall()


async def _fail_over(stack: Stack) -> None:
    await asyncio.to_thread(stack.valkey.kill)
    assert stack.replica is not None
    async with Redis.from_url(stack.replica.url) as redis:
        await redis.execute_command("REPLICAOF", "NO", "ONE")
    stack.proxy.upstream = stack.replica.port


NO, ALWAYS = {"appendfsync": "no"}, {"appendfsync": "always"}
EVERYSEC = {"appendfsync": "everysec"}
FOLLOWED = {**EVERYSEC, "repl-diskless-sync-delay": "0"}
CASES = [
    Case("redis", "kill -9", EVERYSEC, _kill),
    Case("redis", "unsynced bytes lost", NO, _cut),
    Case("replica", "kill -9, replica promoted", FOLLOWED, _fail_over),
    Case("disk", "kill -9", ALWAYS, _kill),
    Case("disk", "unsynced bytes lost", ALWAYS, _cut),
    Case("postgres", "unsynced bytes lost", NO, _cut, persisters=1),
    Case("postgres", "FLUSHALL", NO, _flush, persisters=1),
]


async def measure(folder: Path, case: Case, rounds: int, seconds: float = SECONDS) -> Measured:
    """``seconds`` of load and the fault, ``rounds`` times, each on new data."""
    acknowledged, lost, oldest = 0, 0, 0.0
    for number in range(rounds):
        one = await _round(folder / f"{CASES.index(case)}-{number}", case, seconds)
        acknowledged, lost = acknowledged + one.acknowledged, lost + one.lost
        oldest = max(oldest, one.oldest)
    return Measured(case.level, case.fault, acknowledged, lost, oldest)


async def _round(folder: Path, case: Case, seconds: float) -> Measured:
    stack = Stack(
        folder,
        servers=1,
        persisters=1,
        valkey=case.valkey,
        with_replica=case.level == "replica",
        settings={"DURABILITY_TIMEOUT": "2"},
    )
    async with running(stack):
        if not case.persisters:
            await asyncio.to_thread(stack.persisters[0].stop)
        counted = await _under_load(stack, case, seconds)
        if not case.persisters:
            await stack.start_persister(0)
        await _answers(stack)
        await drained(stack)
        ledger = {one for _, _, one in await ledger_of(stack)}
    ended = counted.pop("fault")
    gone = [ended - sent for one, sent in counted.items() if one not in ledger]
    shutil.rmtree(folder, ignore_errors=True)
    return Measured(case.level, case.fault, len(counted), len(gone), max(gone, default=0.0))


async def _under_load(stack: Stack, case: Case, seconds: float) -> dict[str, float]:
    """When each action was sent that was acknowledged at the level; ``fault``: when that was."""
    counted: dict[str, float] = {}
    stopping = asyncio.Event()
    await _answers(stack)
    async with (
        stack.apis() as (api,),
        asyncio.TaskGroup() as tasks,
    ):
        for n in range(CLIENTS):
            tasks.create_task(_post(api, n, case.level, counted, stopping))
        trace = SyncTrace(stack.file, stack.valkey.process.pid or 0) if case.traced else None
        async with synced_once_a_second(stack.file, when=case.valkey is NO):
            await asyncio.sleep(seconds)
            async with asyncio.timeout(TIMEOUT):
                while len(counted) < LEAST:  # noqa: ASYNC110 (on a slow machine)
                    await asyncio.sleep(LOOK)
            if trace is not None:
                await asyncio.to_thread(stack.valkey.kill)
                trace.finish()
            ended = time.monotonic()
            await case.do(stack)
        stopping.set()
    counted["fault"] = ended
    return counted


async def _post(
    api: Api, client: int, level: str, counted: dict[str, float], stopping: asyncio.Event
) -> None:
    number = 0
    while not stopping.is_set():
        number += 1
        ids = [f"{client}-{number}-{n}" for n in range(10)]
        sent = time.monotonic()
        try:
            replies = await api.submit(
                BOARD, [action(f"user{client}", one, 1) for one in ids], level
            )
        except NoAnswer:
            await asyncio.sleep(0.05)
        else:
            counted.update(
                (one, sent)
                for one, reply in zip(ids, replies, strict=True)
                if reply.durability == level
            )


async def _answers(stack: Stack) -> None:
    """Returns once the service takes an action on the board again."""
    async with asyncio.timeout(TIMEOUT), stack.apis() as (api,):
        while True:
            (reply,) = await api.submit(BOARD, [action("probe", "probe", 1)])
            if reply.status in (200, 409):
                return
            await asyncio.sleep(0.05)
