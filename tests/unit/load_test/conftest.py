"""A stub of the server, and plans that take a moment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from scripts.load.target import Target
from scripts.load_test.plan import Plan
from tests.unit.load_test.stub import Stub, started


@pytest.fixture
async def stub() -> Stub:
    return Stub()


@pytest.fixture
async def target(stub: Stub) -> AsyncIterator[Target]:
    """Where the stub listens."""
    server, target = await started(stub)
    yield target
    await server.close()


@pytest.fixture
def make_plan() -> Callable[..., Plan]:
    """A small plan; any setting can be given."""

    def make(**settings: Any) -> Plan:
        small: dict[str, Any] = {
            "run": "test",
            "rate": 200.0,
            "clients": 0,
            "duration": 0.5,
            "duplicates": 0.2,
            "users": 20,
            "boards": 1,
            "warmup": 0.0,
            "connections": 4,
            "senders": 1,
        }
        return Plan(**(small | settings))

    return make
