"""How the service fares, for its operators: the state of its parts, how much it answers and how
fast."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Literal

import msgspec
from aiohttp import web

from scoreboard.api.auth import Authenticator
from scoreboard.api.health import HealthHandlers, Readiness
from scoreboard.api.written import for_caller
from scoreboard.telemetry.figures import figures
from scoreboard.telemetry.metrics import LATENCIES
from scoreboard.telemetry.tallies import publish_all


class Latency(msgspec.Struct, frozen=True, rename="camel"):
    """How many answers took up to so many seconds (null: however many)."""

    up_to: float | None
    answers: int


class Traffic(msgspec.Struct, frozen=True):
    """What was answered since the start, so that a rate is the difference of two reads: answers by
    the class of their status, such as ``2xx``, and by their latency; actions by outcome; WebSockets
    that are open now. ``at`` is when it was read. Of the process that answers, or of all that share
    their figures with it."""

    at: datetime
    answers: dict[str, int]
    latencies: list[Latency]
    actions: dict[str, int]
    websockets: int


class RedisServer(msgspec.Struct, frozen=True, rename="camel"):
    """A server of Redis. A master has ``partitions`` of the keys, and of their actions ``backlog``,
    how many are not in Postgres yet, and ``lagSeconds``, the age of the oldest of these (null: it
    did not answer); ``replicas`` is how many follow it (null: not known). A replica names its
    ``master``."""

    address: str
    role: Literal["master", "replica"]
    master: str | None = None
    replicas: int | None = None
    partitions: list[int] = []
    backlog: int | None = None
    lag_seconds: float | None = None


class ServiceHealth(Readiness, frozen=True):
    """The answer of /readyz with the figures of what was answered, and for who may see all boards
    the ``servers`` of Redis."""

    traffic: Traffic
    servers: list[RedisServer]


class HealthReports:
    """The call about the service itself."""

    def __init__(
        self,
        health: HealthHandlers,
        servers: Callable[[], Awaitable[list[RedisServer]]],
        authenticator: Authenticator,
    ) -> None:
        self._health = health
        self._servers = servers
        self._authenticator = authenticator

    async def get_health(self, request: web.Request) -> web.Response:
        """How the service fares. Answers 200 whatever it is, since it is told to people."""
        principal = await self._authenticator.administrator(request)
        publish_all()
        found, seen = await asyncio.gather(self._health.readiness(), asyncio.to_thread(figures))
        traffic = Traffic(
            datetime.now(UTC),
            dict(seen.answers),
            [Latency(*one) for one in zip((*LATENCIES, None), seen.latencies, strict=True)],
            dict(seen.actions),
            seen.websockets,
        )
        servers = await self._servers() if principal.boards is None else []
        return for_caller(ServiceHealth(found.ready, found.version, found.parts, traffic, servers))
