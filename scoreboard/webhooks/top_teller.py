"""Finds tops that changed, for webhooks that want to be told. What was told last is kept, so a
change is found whoever made it, and however often this begins anew; of several changes the last one
counts."""

from __future__ import annotations

import asyncio

import structlog

from scoreboard.errors import Unavailable, UnknownBoard
from scoreboard.webhooks.ports import EventRecord, Tops

log = structlog.get_logger(__name__)

LOOK = 1.0  # seconds between two looks for boards that changed


class TopTeller:
    """Several may be at work at the same time."""

    def __init__(self, record: EventRecord, boards: Tops) -> None:
        self._record = record
        self._boards = boards

    async def run(self) -> None:
        """Records changed tops until cancelled."""
        while True:
            try:
                await self.look()
            except Unavailable as error:  # of which the persister tells
                log.debug("webhooks_wait", reason=error.detail)
            await asyncio.sleep(LOOK)

    async def look(self) -> None:
        """Records the tops that changed."""
        for watched in await self._record.tops_due():
            try:
                _, top = await self._boards.top(watched.table)
            except UnknownBoard:  # it was deleted a moment ago
                continue
            await self._record.tell_top(watched, top)
