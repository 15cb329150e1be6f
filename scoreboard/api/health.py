"""Liveness, readiness and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from scoreboard import __version__
from scoreboard.errors import ScoreboardError
from scoreboard.telemetry.exposition import CONTENT_TYPE, exposition
from scoreboard.telemetry.tallies import publish_all

PROBE_TIMEOUT = 1.5  # seconds

Probe = Callable[[], Awaitable[Mapping[str, Any]]]


class Readiness(msgspec.Struct, frozen=True):
    """The answer of /readyz. ``ready`` is true while the service takes writes; ``parts`` has the
    state of each dependency and the write-behind lag; ``version`` is that of the service."""

    ready: bool
    version: str
    parts: dict[str, dict[str, Any]]


class HealthHandlers:
    """Answers /healthz, /readyz and /metrics. When a probe in ``required`` fails, the service is
    not ready; those in ``watched`` are only reported. A probe returns its part's details and raises
    when the part is down. Both calls run the probes, so the gauges they set are up to date."""

    def __init__(self, required: Mapping[str, Probe], watched: Mapping[str, Probe]) -> None:
        self._required = dict(required)
        self._watched = dict(watched)
        self.stopping = False

    async def healthz(self, request: web.Request) -> web.Response:
        """Answers 200: the process runs and its event loop responds."""
        return web.json_response({"status": "ok"})

    async def readiness(self) -> Readiness:
        """Whether to send traffic here, and the state of each part."""
        parts = await self._parts()
        ready = not self.stopping and all(parts[name]["up"] for name in self._required)
        if self.stopping:
            parts["process"] = {"up": False, "detail": "shutting down"}
        return Readiness(ready, __version__, parts)

    async def readyz(self, request: web.Request) -> web.Response:
        """Tells whether to send traffic here and, if not, why."""
        found = await self.readiness()
        return web.Response(
            body=msgspec.json.encode(found),
            status=200 if found.ready else 503,
            content_type="application/json",
            headers={} if found.ready else {"Retry-After": "1"},
        )

    async def metrics(self, request: web.Request) -> web.Response:
        """The metrics of this process, or of all that share theirs, for Prometheus."""
        await self._parts()
        publish_all()
        shown = await asyncio.to_thread(exposition)
        return web.Response(body=shown, headers={"Content-Type": CONTENT_TYPE})

    async def _parts(self) -> dict[str, dict[str, Any]]:
        probes = {**self._required, **self._watched}
        states = await asyncio.gather(*(_state(probe) for probe in probes.values()))
        return dict(zip(probes, states, strict=True))


async def _state(probe: Probe) -> dict[str, Any]:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            return {"up": True, **await probe()}
    except TimeoutError:
        return {"up": False, "detail": f"no answer within {PROBE_TIMEOUT} s"}
    except ScoreboardError as error:
        return {"up": False, "detail": error.detail}
    except Exception as error:  # noqa: BLE001 - whatever a driver raises, the part is down
        return {"up": False, "detail": type(error).__name__}
