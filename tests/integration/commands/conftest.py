"""Commands on the tests' servers, as an operator runs them."""

from __future__ import annotations

from typing import Protocol

import pytest

from scoreboard.settings import Settings
from tests.support.command import Ended, named, scoreboard


class Run(Protocol):
    async def __call__(self, *arguments: str, code: int = 0) -> Ended:
        """Runs ``scoreboard`` with these arguments, and fails unless it ends with ``code`` and
        without a traceback."""


@pytest.fixture
def run(settings: Settings) -> Run:
    async def run(*arguments: str, code: int = 0) -> Ended:
        ended = await scoreboard(*arguments, **named(settings.redis_url, settings.database_url))
        assert ended.code == code, ended
        assert "Traceback" not in ended.err, ended
        return ended

    return run
