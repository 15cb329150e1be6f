"""What a serving process says of itself, and of the write-behind, which other processes do."""

from __future__ import annotations

from math import isnan

from redis.asyncio import Redis

from scoreboard import __version__
from scoreboard.domain.audit import PatrolReport
from scoreboard.redisio.patrol_reports import PatrolReports
from tests.integration.api.described_api import Api
from tests.support.waiting import wait_until


async def test_the_lag_grows_while_nobody_persists(api: Api, redis: Redis) -> None:
    async def lag() -> float:
        return float((await api.get("/readyz")).json["parts"]["redis"]["lagSeconds"])

    assert await lag() == 0
    await api.score("ann", 1)
    seen = await lag()

    async def grown() -> bool:
        return await lag() > seen + 0.1

    await wait_until(grown, description="the lag has grown")
    lines = (await api.get("/metrics")).body.decode().splitlines()
    shown = [x for x in lines if x.startswith("scoreboard_persist_lag_seconds{")]
    assert max(float(x.rpartition(" ")[2]) for x in shown) > seen + 0.1

    async with api.service.persisting():

        async def caught_up() -> bool:
            return await lag() == 0

        await wait_until(caught_up, description="all is persisted")


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


async def test_readiness_metrics_and_description_tell_the_same_version(api: Api) -> None:
    metrics = (await api.get("/metrics")).body.decode().splitlines()

    assert (await api.get("/readyz")).json["version"] == __version__
    assert (await api.get("/openapi.json")).json["info"]["version"] == __version__
    assert f'scoreboard_build_info{{version="{__version__}"}} 1.0' in metrics


async def test_answers_are_counted_by_route_and_status_with_their_latency(api: Api) -> None:
    async def counted() -> dict[str, float]:
        lines = (await api.get("/metrics")).body.decode().splitlines()
        samples = (line.rsplit(" ", 1) for line in lines if line[0] != "#")
        return {
            name.removeprefix("scoreboard_http_"): float(value)
            for name, value in samples
            if name.startswith("scoreboard_http_")
        }

    before = await counted()
    await api.score("ann", 1)
    await api.score("ann", 1)
    await api.get("/api/boards/global/users/ann")
    await api.get("/api/boards/global/users/bob")
    await api.get("/no/such/path")
    await api.get("/another")
    await api.call("DELETE", "/api/score")
    after = await counted()

    grown = {name: v - before.get(name, 0) for name, v in after.items() if v != before.get(name)}
    user, post = "/api/boards/{board}/users/{user}", "/api/boards/{board}/score"
    assert {name: by for name, by in grown.items() if name.startswith("requests_total")} == {
        f'requests_total{{method="POST",route="{post}",status="200"}}': 1,
        f'requests_total{{method="POST",route="{post}",status="409"}}': 1,
        f'requests_total{{method="GET",route="{user}",status="200"}}': 1,
        f'requests_total{{method="GET",route="{user}",status="404"}}': 1,
        'requests_total{method="any",route="unmatched",status="404"}': 2,
        'requests_total{method="any",route="unmatched",status="405"}': 1,
        'requests_total{method="GET",route="/metrics",status="200"}': 1,
    }
    assert grown[f'request_seconds_count{{method="POST",route="{post}"}}'] == 2
    assert grown[f'request_seconds_bucket{{le="+Inf",method="POST",route="{post}"}}'] == 2
    assert grown[f'request_seconds_sum{{method="POST",route="{post}"}}'] > 0
