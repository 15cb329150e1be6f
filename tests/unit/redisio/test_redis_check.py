"""What the service says of the Redis that it finds."""

from __future__ import annotations

from typing import Any, cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from structlog.testing import capture_logs

from scoreboard.errors import ConfigurationError
from scoreboard.redisio.fitness import check_server

# As a service words it that has INFO, but not for scripts.
DENIED = "ERR This Redis command is not allowed from script script: 5a, on @user_script:20."


class Server:
    """A server with these fields in INFO; ``scripts`` is what it answers a script."""

    def __init__(self, *, scripts: list[bytes] | Exception | None = None, **info: Any) -> None:
        healthy = {
            "redis_version": "7.2.4",
            "run_id": "a" * 40,
            "master_replid": "b" * 40,
            "maxmemory_policy": "noeviction",
            "aof_enabled": 1,
        }
        self._info = {name: value for name, value in (healthy | info).items() if value is not None}
        self._scripts = scripts or [b"!DONE"]

    async def info(self) -> dict[str, Any]:
        return self._info

    async def execute_command(self, name: str, *_: Any) -> Any:
        if name == "EVALSHA" and isinstance(self._scripts, Exception):
            raise self._scripts
        return self._scripts


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


@pytest.mark.parametrize(
    ("info", "lacking"),
    [
        ({"run_id": None}, "run_id"),
        ({"run_id": "0"}, "run_id"),
        ({"master_replid": None}, "master_replid"),
        ({"run_id": None, "redis_version": None}, "run_id"),
    ],
)
async def test_a_server_that_does_not_say_which_history_it_is_part_of_is_refused_by_the_field(
    info: dict[str, Any], lacking: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"does not say its {lacking} in INFO"):
        await check_server(cast(Redis, Server(**info)))


async def test_a_server_whose_scripts_may_not_call_info_is_refused_in_its_own_words() -> None:
    server = Server(scripts=ResponseError(DENIED))
    with pytest.raises(ConfigurationError, match=r"call INFO; by it a restart.*not allowed from"):
        await check_server(cast(Redis, server))
