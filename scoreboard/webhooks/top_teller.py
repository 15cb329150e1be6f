"""Finds tops that changed, for webhooks that want to be told. What was told last is kept, so a
change is found whoever made it, and however often this begins anew; of several changes the last one
counts."""

from __future__ import annotations

import asyncio

import structlog

from scoreboard.errors import Unavailable, UnknownBoard
from scoreboard.webhooks.ports import EventRecord, Tops

log = structlog.get_logger(__name__)


class TopTeller:
    """Several may be at work at the same time. It looks for boards that changed when it is
    woken."""

    def __init__(self, record: EventRecord, boards: Tops) -> None:
        self._record = record
        self._boards = boards
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Some webhook wants to be told of tops."""
        self._woken.set()

    async def run(self) -> None:
        """Records changed tops until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self.look()
            except Unavailable as error:  # of which the persister tells
                log.debug("webhooks_wait", reason=error.detail)

    async def look(self) -> None:
        """Records the tops that changed."""
        for watched in await self._record.tops_due():
            try:
                _, top = await self._boards.top(watched.table)
            except UnknownBoard:  # it was deleted a moment ago
                continue
            await self._record.tell_top(watched, top)
