"""Probes: each reports the state of one part of the process, for /readyz, and sets the part's
gauges, for /metrics."""

from __future__ import annotations

import time
from collections.abc import Mapping
from math import nan
from typing import Any

import asyncpg
from redis.asyncio import Redis

from scoreboard.assembly.model_gates import ModelGates
from scoreboard.redisio.live_boards import LiveBoards
from scoreboard.redisio.patrol_reports import PatrolReports
from scoreboard.telemetry import metrics
from scoreboard.wire.events import split_id
from scoreboard.wire.keys import Keyspace


class Opening:
    """Reports down until the default board has been live once: after a restart of Redis all boards
    are fenced, and no write is accepted before the first has been reconciled."""

    def __init__(self, live: LiveBoards, board: str) -> None:
        self._live = live
        self._board = board
        self._opened = False

    async def __call__(self) -> Mapping[str, Any]:
        if not self._opened:
            await self._live.top(self._board)
            self._opened = True
        return {}


async def redis_state(redis: Redis, keyspace: Keyspace) -> Mapping[str, Any]:
    """Reports the number of unpersisted events over all partitions and the age of the oldest one,
    even if no persister runs; the gauges have both by partition."""
    try:
        async with redis.pipeline(transaction=False) as pipeline:
            for keys in keyspace.every_partition():
                pipeline.xlen(keys.events)
                pipeline.xread({keys.events: "0"}, count=1)
            replies = await pipeline.execute()
    except BaseException:
        metrics.backlog.clear()  # or the last figure would look like a new one
        metrics.persist_lag.clear()
        raise
    backlog, oldest = replies[::2], replies[1::2]
    lag = [_age(streams[0][1][0][0]) if streams else 0.0 for streams in oldest]
    for partition in range(keyspace.partitions):
        metrics.backlog.labels(str(partition)).set(backlog[partition])
        metrics.persist_lag.labels(str(partition)).set(lag[partition])
    return {"backlog": sum(backlog), "lagSeconds": round(max(lag), 3)}


def _age(event_id: bytes) -> float:
    """Seconds since the event: from Redis's clock at that time to this process's clock now."""
    return max(0.0, time.time() - split_id(event_id)[0] / 1000)


async def gate_state(gates: ModelGates) -> Mapping[str, Any]:
    """The models in force."""
    return gates.state


async def audit_state(reports: PatrolReports) -> Mapping[str, Any]:
    """Reports the last round of the persisters' continuous audit: users compared, differences, and
    how long ago it was."""
    report = None
    try:
        report = await reports.latest()
    finally:
        metrics.patrol_differences.set(nan if report is None else report.differences)
    if report is None:
        return {"detail": "no audit in the last minutes"}
    age = round(time.time() - report.at_ms / 1000, 1)
    return {"users": report.users, "differences": report.differences, "ageSeconds": age}


async def postgres_state(pool: asyncpg.Pool) -> Mapping[str, Any]:
    """Passes on the driver's error when Postgres does not answer."""
    await pool.fetchval("SELECT 1")
    return {}
