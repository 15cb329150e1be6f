"""Which ids are those of erased players: read from Postgres, and told over Redis.

It is asked of every action, so the process has all of them. What comes before it knows is left out
by the persisters."""

from __future__ import annotations

import asyncio
from array import array
from bisect import bisect_left, insort
from datetime import datetime, timedelta

import structlog

from scoreboard.api.live.ports import UpdateSource
from scoreboard.api.players.ports import ErasedReader
from scoreboard.background import keep_running
from scoreboard.backoff import Backoff
from scoreboard.domain.erasures import digest_of, is_erased
from scoreboard.errors import ScoreboardError, cause_of
from scoreboard.wire.erasures import decode_news

log = structlog.get_logger(__name__)

REREAD = 10.0  # seconds between two looks for what may not have been told
OVERLAP = timedelta(minutes=5)  # longer than a commit may take from its moment on
SUBSCRIPTION = "erasures"


class ErasedPlayers:
    """Eight bytes for each erased player. ``run`` works until it is cancelled."""

    def __init__(self, reader: ErasedReader, news: UpdateSource) -> None:
        self._reader = reader
        self._news = news
        self._key = b""
        self._short = array("Q")  # the first half of each digest, sorted
        self._latest: datetime | None = None
        self._stale = asyncio.Event()

    def check(self, user: str) -> None:
        """Raises Erased when the id is that of an erased player."""
        if not self._short:
            return
        short = _shortened(digest_of(user, self._key))
        at = bisect_left(self._short, short)
        if at < len(self._short) and self._short[at] == short:
            raise is_erased()

    async def run(self) -> None:
        """Keeps up."""
        await self._news.subscribe(SUBSCRIPTION)
        async with asyncio.TaskGroup() as group:
            for name, part in (
                ("news of erasures", lambda: self._news.run(self._on_news, self._on_loss)),
                ("erasures", self._read_on),
            ):
                group.create_task(keep_running(name, part))

    def note(self, digest: bytes, *, erased: bool) -> None:
        """Takes what is known of an id."""
        short = _shortened(digest)
        at = bisect_left(self._short, short)
        known = at < len(self._short) and self._short[at] == short
        if erased and not known:
            insort(self._short, short)
        elif known and not erased:
            self._short.pop(at)

    async def refresh(self) -> None:
        """Reads at once what changed. Raises Unavailable when Postgres is away."""
        await self._read()

    async def _read_on(self) -> None:
        backoff: Backoff | None = None
        while True:
            self._stale.clear()
            try:
                await self._read()
            except ScoreboardError as error:
                if backoff is None:
                    log.warning("erasures_not_read", reason=error.detail, cause=cause_of(error))
                    backoff = Backoff()
                await asyncio.sleep(backoff.next())
                continue
            if backoff is not None:
                log.info("erasures_read_again")
                backoff = None
            try:
                async with asyncio.timeout(REREAD):
                    await self._stale.wait()
            except TimeoutError:
                pass

    async def _read(self) -> None:
        self._key = self._key or await self._reader.key()
        since = None if self._latest is None else self._latest - OVERLAP
        found = await self._reader.since(since)
        if self._latest is None:  # as they may be very many
            told = (_shortened(digest) for digest, erased, _ in found if erased)
            self._short = array("Q", sorted({*self._short, *told}))
        else:
            for digest, erased, _ in found:
                self.note(digest, erased=erased)
        if found:
            self._latest = found[-1][2]

    def _on_news(self, _: str, text: bytes) -> None:
        try:
            digest, erased = decode_news(text)
        except ValueError as error:
            log.error("erasure_unreadable", error=str(error))
            self._stale.set()
            return
        if self._key:
            self.note(digest, erased=erased)
        self._stale.set()

    def _on_loss(self, _: str) -> None:
        self._stale.set()


def _shortened(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "big")
