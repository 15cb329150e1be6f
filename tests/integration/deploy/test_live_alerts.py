"""A real Prometheus watches a real service by the files of deploy/, and faults are made. What takes
long to be noticed is in promtool's cases (tests/unit/deploy/alerts.yml)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession
from redis.asyncio import Redis

from scoreboard.api.tokens import keys_from, mint
from scoreboard.local.child_processes import Child
from scoreboard.local.embedded_servers import Valkey, free_port
from scoreboard.settings import Settings
from scoreboard.wire.keys import PartitionKeys
from tests.support.command import named, started
from tests.support.extent import further
from tests.support.programs import program
from tests.support.waiting import PATIENCE, wait_until

DEPLOY = Path(__file__).parents[3] / "deploy" / "prometheus"


def quick_rules() -> str:
    """The rules, which wait for nothing, look back for seconds, and mind a lag of one second."""
    text = (DEPLOY / "rules.yml").read_text()
    text = re.sub(r"\bfor: \w+", "for: 0s", text)
    text = re.sub(r"\[\d+[mh]\]", "[10s]", text).replace("offset 10m", "offset 10s")
    assert "persist_lag_seconds) > 60" in text
    return text.replace("persist_lag_seconds) > 60", "persist_lag_seconds) > 1")


@contextmanager
def prometheus(folder: Path, serve: int, persist: int) -> Iterator[str]:
    """URL of a Prometheus that scrapes a service at these ports."""
    path, port = program("prometheus", package="prometheus"), free_port()
    text = (DEPLOY / "prometheus.yml").read_text()
    changes = {
        "scrape_interval: 15s": "scrape_interval: 2s",
        "evaluation_interval: 15s": "evaluation_interval: 500ms",
        '"127.0.0.1:8080", "127.0.0.1:8081"': f'"127.0.0.1:{serve}"',
        '"127.0.0.1:9091"': f'"127.0.0.1:{persist}"',
    }
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "prometheus.yml").write_text(text)
    (folder / "rules.yml").write_text(quick_rules())
    options = [
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    process = Child("Prometheus", [path, *options], log=folder / "log", folder=folder)
    process.start()
    try:
        process.wait_until(lambda: process.said("Server is ready"), timeout=PATIENCE)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()


@further
async def test_alerts_are_silent_while_all_is_well_and_fire_for_their_faults(
    settings: Settings, valkey: Valkey, redis: Redis, tmp_path: Path
) -> None:
    port, persist_port = free_port(), free_port()
    environment = named(settings.redis_url, settings.database_url) | {
        "SCOREBOARD_PORT": str(port),
        "SCOREBOARD_METRICS_PORT": str(persist_port),
        "SCOREBOARD_REDIS_TIMEOUT": "0.5",
    }
    token = mint(keys_from(settings), "HS256", subject="game", scope="score:write", ttl=600)
    numbers = iter(range(1_000_000))

    async def posted(token: str = token) -> int:
        action = {"userId": "ada", "actionId": str(next(numbers)), "points": 1}
        headers = {"Authorization": f"Bearer {token}"}
        url = f"http://127.0.0.1:{port}/api/score"
        try:
            async with http.post(url, json=action, headers=headers) as answer:
                return answer.status
        except OSError:
            return 0

    async def asked(path: str) -> Any:
        async with http.get(f"{watched}/api/v1/{path}") as answer:
            return (await answer.json())["data"]

    async def firing() -> set[str]:
        alerts = (await asked("alerts"))["alerts"]
        return {a["labels"]["alertname"] for a in alerts if a["state"] == "firing"}

    async def fires(*names: str, posts: str = "") -> None:
        """The alerts begin to fire, while posts go on with this token."""

        async def all_fire() -> bool:
            if posts:
                await asyncio.gather(*(posted(posts) for _ in range(10)))
            return set(names) <= await firing()

        await wait_until(all_fire, description=f"{names} fire", interval=0.25)

    async def silent(*names: str) -> None:
        """The alerts do not fire, or not for long: a busy machine may lag for a moment."""

        async def none_fires() -> bool:
            return not set(names) & await firing()

        await wait_until(none_fires, description=f"{names} are silent", interval=0.25)

    async with (
        ClientSession() as http,
        started("serve", **environment) as serve,
        started("persist", **environment) as persist,
    ):

        async def served() -> bool:
            return await posted() == 200

        await wait_until(served, description="the service takes an action")
        with prometheus(tmp_path, port, persist_port) as watched:

            async def scraped() -> bool:
                found = await asked("query?query=scoreboard_patrol_differences>=0")
                return len(found["result"]) == 2

            await wait_until(scraped, description="both have been scraped, and an audit is done")

            async def none_fires() -> bool:
                return not await firing()

            await wait_until(none_fires, description="no alert fires")

            await redis.xadd(PartitionKeys(0).events, {"nonsense": "1"})
            await fires("ScoreboardDeadEvents")
            await fires("ScoreboardTokensRefused", posts="no token")
            await redis.config_set("maxmemory", "1")
            await fires("ScoreboardRedisRefusesWrites", "ScoreboardUnavailable", posts=token)
            await redis.config_set("maxmemory", "0")
            await wait_until(served, description="the service takes an action again")

            await silent("ScoreboardNoPersister", "ScoreboardPersistLag")
            persist.kill()
            await wait_until(served, description="one more action")
            await fires("ScoreboardNoPersister", "ScoreboardPersistLag")

            await silent("ScoreboardRedisAway", "ScoreboardNoServe")
            await asyncio.to_thread(valkey.stop)
            await fires("ScoreboardRedisAway", "ScoreboardRedisRefusesWrites")

            await silent("ScoreboardNoServe", "ScoreboardServeDown")
            serve.kill()
            await fires("ScoreboardNoServe", "ScoreboardServeDown")
