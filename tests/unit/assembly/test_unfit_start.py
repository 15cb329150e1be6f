"""A server that proves unfit ends the service, and is told once."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from aiohttp import web

from scoreboard.assembly.application import END, _end_unfit
from scoreboard.errors import ConfigurationError


async def _unfit() -> None:
    raise ConfigurationError("Redis refuses the credentials")


async def test_the_service_ends_with_the_reason() -> None:
    app = web.Application()
    end = app[END] = asyncio.get_running_loop().create_future()
    starting = asyncio.create_task(_unfit())
    await asyncio.wait([starting])
    _end_unfit(app, starting)
    with pytest.raises(ConfigurationError, match="refuses the credentials"):
        await end


async def test_a_reason_that_comes_too_late_for_anybody_to_wait_for_it_leaves_no_traceback() -> (
    None
):
    told: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context))
    app = web.Application()
    app[END] = loop.create_future()
    starting = asyncio.create_task(_unfit())
    await asyncio.wait([starting])
    _end_unfit(app, starting)

    del app, starting  # as when the port is taken
    gc.collect()
    assert told == []
