"""What the service says of the Redis that it finds."""

from __future__ import annotations

from typing import Any, cast

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from scoreboard.redisio.fitness import check_server


class Server:
    def __init__(self, **info: Any) -> None:
        self._info = {"maxmemory_policy": "noeviction", "aof_enabled": 1} | info

    async def info(self) -> dict[str, Any]:
        return self._info


@pytest.mark.parametrize(
    ("info", "warned"),
    [
        ({"redis_version": "7.0.15"}, ["append_only_fragile"]),
        ({"redis_version": "7.0.15", "aof_enabled": 0}, ["append_only_off"]),
        ({"redis_version": "7.2.4", "valkey_version": "9.1.2"}, []),
        ({"redis_version": "8.0.1"}, []),
    ],
)
async def test_a_redis_7_0_is_warned_about_for_what_it_makes_of_a_cut_file(
    info: dict[str, Any], warned: list[str]
) -> None:
    with capture_logs() as logs:
        await check_server(cast(Redis, Server(**info)))

    assert [entry["event"] for entry in logs] == warned
