"""What a serving process tells Prometheus of the write-behind, which others do."""

from __future__ import annotations

from math import isnan

from redis.asyncio import Redis

from scoreboard.domain.audit import PatrolReport
from scoreboard.redisio.audit import PatrolReports
from tests.integration.api.described import Api


async def test_metrics_have_the_backlog_and_what_the_audit_found(api: Api, redis: Redis) -> None:
    async def shown(name: str) -> list[float]:
        lines = (await api.get("/metrics")).body.decode().splitlines()
        return [float(x.rpartition(" ")[2]) for x in lines if x.startswith(f"scoreboard_{name}")]

    await api.score("ann", 1)
    assert sum(await shown("backlog_events")) == 1
    [unknown] = await shown("patrol_differences")
    assert isnan(unknown)

    await PatrolReports(redis).publish(PatrolReport(1, users=5, differences=3), valid=60)
    assert await shown("patrol_differences") == [3]
