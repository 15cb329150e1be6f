"""Keeps the revocations that this process knows up to date: they are told over Redis, and read from
Postgres at the start, whenever some may have been missed, and every ten seconds. What was read is
copied to Redis, where a process that starts while Postgres is away finds it.

Until either has been read no token is taken, and readiness tells it. While Redis is away a new
revocation is known ten seconds later, while Postgres is away none can be made.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import structlog

from scoreboard.api.known_revocations import KnownRevocations
from scoreboard.api.live.ports import UpdateSource
from scoreboard.api.ports import RevocationCopy, RevocationReader
from scoreboard.background import keep_running
from scoreboard.backoff import Backoff
from scoreboard.domain.revocations import Revocation
from scoreboard.errors import ScoreboardError, Unavailable, cause_of
from scoreboard.wire.revocations import decode_revocation

log = structlog.get_logger(__name__)

REREAD = 10.0  # seconds
SUBSCRIPTION = "revocations"

Enforce = Callable[[], Awaitable[None]]


class RevocationWatch:
    """Adds to ``revoked`` what ``reader`` and ``news`` have, or at first ``copy``. Whenever that is
    something new, each of ``enforcers`` is called, once for all that came meanwhile."""

    def __init__(
        self,
        revoked: KnownRevocations,
        reader: RevocationReader,
        copy: RevocationCopy,
        news: UpdateSource,
        enforcers: Iterable[Enforce],
    ) -> None:
        self._revoked = revoked
        self._reader = reader
        self._copy = copy
        self._news = news
        self._enforcers = tuple(enforcers)
        self._read_from: datetime | None = None  # None: all are to be read, and copied
        self._stale = asyncio.Event()
        self._new = asyncio.Event()

    async def run(self) -> None:
        """Watches until cancelled."""
        await self._news.subscribe(SUBSCRIPTION)
        async with asyncio.TaskGroup() as group:
            for name, part in (
                ("revocation news", lambda: self._news.run(self._on_news, self._on_resubscribed)),
                ("revocations", self._read_on),
                ("enforcing revocations", self._enforce),
            ):
                group.create_task(keep_running(name, part))

    async def state(self) -> Mapping[str, Any]:
        """For /readyz. Raises Unavailable until the revocations were read once."""
        await self._revoked.wait_until_known()
        return {"revoked": len(self._revoked)}

    async def _read_on(self) -> None:
        backoff: Backoff | None = None
        while True:
            self._stale.clear()
            try:
                found, read_until = await self._reader.since(self._read_from)
            except Exception as error:
                if backoff is None:
                    known = isinstance(error, ScoreboardError)
                    log.warning(
                        "revocations_not_read",
                        reason=str(error),
                        cause=cause_of(error),
                        never_read=not self._revoked.known,
                        exc_info=not known,
                    )
                    backoff = Backoff()
                if not self._revoked.known:
                    await self._read_copy()
                await asyncio.sleep(backoff.next())
                continue
            if backoff is not None:
                log.info("revocations_read_again")
                backoff = None
            self._learn(found)
            copied = await self._keep(found)
            # What came meanwhile may have been a reconnect to a Redis that lost some of its copy.
            self._read_from = read_until if copied and not self._stale.is_set() else None
            try:
                async with asyncio.timeout(REREAD):
                    await self._stale.wait()
            except TimeoutError:
                pass

    async def _read_copy(self) -> None:
        try:
            found = await self._copy.read()
        except msgspec.DecodeError as error:
            log.error("revocation_unreadable", error=str(error))
        except Unavailable:  # it is tried again, as is Postgres
            pass
        else:
            if found is not None:
                log.info("revocations_read_from_redis", revoked=len(found))
                self._learn(found)

    async def _keep(self, found: Sequence[Revocation]) -> bool:
        """Copies what was read to Redis. Returns False when the copy is not whole."""
        try:
            return await self._copy.keep(found, all_of_them=self._read_from is None)
        except Unavailable:  # all are read and copied in the next round
            return False

    async def _enforce(self) -> None:
        while True:
            await self._new.wait()
            self._new.clear()
            for enforce in self._enforcers:
                await enforce()

    def _learn(self, found: Iterable[Revocation]) -> None:
        self._add(found)
        self._revoked.forget(time.time())
        self._revoked.are_known()

    def _add(self, revocations: Iterable[Revocation]) -> None:
        for revocation in revocations:
            if self._revoked.add(revocation):
                self._new.set()

    def _on_news(self, _: str, text: bytes) -> None:
        try:
            self._add([decode_revocation(text)])
        except msgspec.DecodeError as error:
            log.error("revocation_unreadable", error=str(error))
            self._stale.set()

    def _on_resubscribed(self, _: str) -> None:
        self._stale.set()
