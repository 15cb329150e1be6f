"""Keeps the parts of a process running, through errors too, until they are cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger(__name__)

RESTART = 1.0  # seconds until a part that ended is run again


async def keep_running(name: str, part: Callable[[], Awaitable[None]]) -> None:
    """Runs ``part`` until cancelled. An unexpected error is logged under ``name``, and the part is
    run again."""
    while True:
        try:
            await part()
        except Exception:
            log.exception("part_failed", part=name)
        else:
            log.error("part_ended", part=name)
        await asyncio.sleep(RESTART)
