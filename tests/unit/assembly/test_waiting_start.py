"""A start while a server is away."""

from __future__ import annotations

from typing import Any, cast

import asyncpg
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from scoreboard.assembly import startup
from scoreboard.backoff import Backoff
from scoreboard.errors import Unavailable
from scoreboard.settings import Settings
from tests.unit.redisio.test_redis_check import Server


class Pool:
    """Postgres that is away for the first attempts."""

    def __init__(self, away: int) -> None:
        self._away = away

    def acquire(self) -> Pool:
        return self

    async def __aenter__(self) -> None:
        if self._away:
            self._away -= 1
            raise Unavailable("Postgres can't be reached.")

    async def __aexit__(self, *_: object) -> None:
        pass


async def test_what_is_to_be_said_of_redis_is_said_once_however_long_postgres_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fit(*_: Any, **__: Any) -> None:
        pass

    for check in ("check_sessions", "check_schema", "warn_of_shortcomings"):
        monkeypatch.setattr(startup, check, fit)
    monkeypatch.setattr(Backoff, "next", lambda _: 0.0)
    redis = cast(Redis, Server(redis_version="7.0.15"))
    with capture_logs() as logs:
        await startup.check_servers(Settings(), redis, cast(asyncpg.Pool, Pool(away=3)))

    assert [entry["event"] for entry in logs] == ["append_only_fragile", "waiting_for_servers"]
