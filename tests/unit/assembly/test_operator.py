"""An operator's command does not leave a person waiting before it has begun."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from scoreboard.assembly import operator as module
from scoreboard.assembly.operator import operator
from scoreboard.errors import Unavailable
from scoreboard.settings import Settings
from tests.support.in_between import listening
from tests.support.waiting import PATIENCE


async def test_a_server_that_says_nothing_is_given_up_long_before_a_statement_would_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 10 * PATIENCE)
    monkeypatch.setattr(module, "GREETING", 0.05)

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(say_nothing) as port:
        settings = msgspec.structs.replace(
            Settings(), database_url=f"postgresql://nobody@127.0.0.1:{port}/none"
        )
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(Unavailable, match="did not answer in time"):
                async with operator(settings):
                    pass
