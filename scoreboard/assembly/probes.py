"""Probes: each reports the state of one part of the process, for /readyz, and sets the part's
gauges, for /metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from math import isnan, nan
from typing import Any, NamedTuple

import asyncpg
from redis.asyncio import Redis

from scoreboard.assembly.model_gates import ModelGates
from scoreboard.errors import Unavailable
from scoreboard.pg import failures
from scoreboard.pg.ledger import Ledger
from scoreboard.redisio.commands import by_server, of_each, reachable
from scoreboard.redisio.live_boards import LiveBoards
from scoreboard.redisio.patrol_reports import PatrolReports
from scoreboard.redisio.persister_reports import PersisterReports
from scoreboard.redisio.write_watch import WriteWatch, about
from scoreboard.telemetry import metrics
from scoreboard.wire.events import split_id
from scoreboard.wire.keys import PartitionKeys


class Start:
    """Reports down until the servers have been found fit."""

    def __init__(self) -> None:
        self.done = False

    async def __call__(self) -> Mapping[str, Any]:
        """Raises Unavailable until ``done``."""
        if not self.done:
            raise Unavailable("The servers have not been found fit yet; the log says why.")
        return {}


class Opening:
    """Reports down until the default board has been live once: after a restart of Redis all boards
    are fenced, and no write is accepted before the first has been reconciled."""

    def __init__(self, live: LiveBoards, board: str) -> None:
        self._live = live
        self._board = board
        self._opened = False

    async def __call__(self) -> Mapping[str, Any]:
        """Raises Unavailable while the board could not be made live."""
        if not self._opened:
            await self._live.top(self._board)
            self._opened = True
        return {}


class Stream(NamedTuple):
    """How much of a partition is not in Postgres yet; NaN while its server does not answer."""

    backlog: float  # entries
    lag: float  # seconds


class RedisState:
    """Reports the number of unpersisted events over all partitions and the age of the oldest one,
    even if no persister runs; the gauges, and ``streams``, have both by partition. Reports down
    when Redis does not answer; of a cluster, when no server does."""

    def __init__(self, redis: Redis, partitions: int) -> None:
        self._redis = redis
        self.streams = [Stream(nan, nan)] * partitions  # as of the last report

    async def __call__(self) -> Mapping[str, Any]:
        """Raises Unavailable."""
        streams = [Stream(nan, nan)] * len(self.streams)
        missing = []
        try:
            with reachable():
                parts = await by_server(self._redis, range(len(streams)))
            told = await of_each(parts, partial(_streams, self._redis))
            for partitions, found in zip(parts, told, strict=True):
                if isinstance(found, Exception):
                    missing.append(about(partitions, found))
                    continue
                for partition, stream in zip(partitions, found, strict=True):
                    streams[partition] = stream
        finally:
            self.streams = streams
            for partition, stream in enumerate(streams):
                metrics.backlog.labels(str(partition)).set(stream.backlog)
                metrics.persist_lag.labels(str(partition)).set(stream.lag)
        known = [stream for stream in streams if not isnan(stream.backlog)]
        return {
            "backlog": sum(int(stream.backlog) for stream in known),
            "lagSeconds": round(max(stream.lag for stream in known), 3),
            **({"detail": " ".join(missing)} if missing else {}),
        }


async def _streams(redis: Redis, partitions: Sequence[int]) -> list[Stream]:
    """Those of some partitions, which one server has. Raises Unavailable."""
    with reachable():
        async with redis.pipeline(transaction=False) as pipeline:
            pipeline.time()
            for partition in partitions:
                events = PartitionKeys(partition).events
                pipeline.xlen(events)
                pipeline.xread({events: "0"}, count=1)
            (second, micros), *replies = await pipeline.execute()
    # Events have Redis's time, so their age is told by its clock as well.
    now = second + micros / 1e6
    return [
        Stream(
            backlog,
            max(0.0, now - split_id(oldest[0][1][0][0])[0] / 1000) if oldest else 0.0,
        )
        for backlog, oldest in zip(replies[::2], replies[1::2], strict=True)
    ]


async def writes_state(watch: WriteWatch) -> Mapping[str, Any]:
    """Whether Redis takes writes, some server of a cluster at least. Raises Unavailable."""
    detail = await watch.check()
    return {"detail": detail} if detail else {}


async def gate_state(gates: ModelGates) -> Mapping[str, Any]:
    """The models in force."""
    return gates.state


async def audit_state(reports: PatrolReports) -> Mapping[str, Any]:
    """Reports the last round of the persisters' continuous audit: users compared, differences, and
    how long ago it was."""
    report = None
    try:
        report = await reports.latest()
        now_ms = await reports.now_ms()
    finally:
        metrics.patrol_differences.set(nan if report is None else report.differences)
    if report is None:
        return {"detail": "no audit in the last minutes"}
    age = round((now_ms - report.at_ms) / 1000, 1)
    return {"users": report.users, "differences": report.differences, "ageSeconds": age}


async def postgres_state(pool: asyncpg.Pool) -> Mapping[str, Any]:
    """Reports down when Postgres does not answer, and what it has lately refused to do when it
    does. Raises Unavailable."""
    with failures.translated():
        await pool.fetchval("SELECT 1")
    refused = failures.lately()
    return {"detail": " ".join(refused)} if refused else {}


async def partitions_state(ledger: Ledger) -> Mapping[str, Any]:
    """Reports down when boards of a partition can't be loaded, because a session of Postgres that
    does nothing keeps its lock. Raises Unavailable."""
    try:
        blocked = await ledger.locks.blocked()
    except Unavailable:
        return {}  # without Postgres, live boards take writes all the same
    if blocked:
        named = ", ".join(f"{number} (process {at.pid})" for number, at in blocked.items())
        raise Unavailable(f"locked by a session of Postgres that does nothing: {named}")
    return {}


async def persister_state(reports: PersisterReports) -> Mapping[str, Any]:
    """Reports down what keeps some persister from its work. Raises Unavailable."""
    return own_persister_state(await reports.latest())


def own_persister_state(troubles: Sequence[str]) -> Mapping[str, Any]:
    """Reports down what keeps this process's persister from its work. Raises Unavailable."""
    if troubles:
        raise Unavailable(" ".join(troubles))
    return {}
