"""What operators are told of the service does not take longer than what takes longest of it."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest

from scoreboard.api import health_admin
from scoreboard.api.health import Readiness
from scoreboard.api.health_admin import HealthReports
from scoreboard.telemetry.figures import Figures
from scoreboard.telemetry.metrics import LATENCIES
from tests.support.waiting import PATIENCE


async def test_figures_are_read_while_the_parts_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, read = asyncio.get_running_loop(), asyncio.Event()

    def figures() -> Figures:
        loop.call_soon_threadsafe(read.set)
        return Figures({}, [0] * (len(LATENCIES) + 1), {}, 0)

    async def readiness() -> Readiness:
        await read.wait()  # in vain, if they came one after the other
        return Readiness(True, "1", {})

    monkeypatch.setattr(health_admin, "figures", figures)
    health: Any = Mock(readiness=readiness)
    servers = AsyncMock(return_value=[])
    reports = HealthReports(health, servers, Mock(administrator=AsyncMock()))
    async with asyncio.timeout(PATIENCE):
        assert (await reports.get_health(Mock())).status == 200
