"""Delivers events to webhooks: at least once, each webhook at its own pace.

Postgres says what is due. A delivery is taken on by moving its next attempt beyond a lease, so
several processes share the work, and what a process that died had taken on comes again. As each
webhook has a few attempts under way at most, and one while its receiver fails, none waits for
another."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from typing import Protocol

import structlog

from scoreboard.background import end
from scoreboard.domain.webhooks import DueDelivery, longest_pause
from scoreboard.errors import Unavailable
from scoreboard.telemetry import metrics
from scoreboard.webhooks.ports import EventRecord
from scoreboard.webhooks.shown_players import ShownPlayers

log = structlog.get_logger(__name__)

AT_ONCE = 4  # attempts of a webhook under way in a process
LEASE = 60.0  # seconds; longer than an attempt takes
TIDY = 60.0  # seconds between two looks for what was kept long enough


class Post(Protocol):
    """Makes one attempt. Implemented in sender.py; a test has one that fails."""

    async def send(self, due: DueDelivery) -> str:
        """Why it failed, empty when it did not."""


class Deliverer:
    """Several may be at work at the same time. ``wake`` it when something may be due."""

    def __init__(
        self, record: EventRecord, players: ShownPlayers, post: Post, *, lease: float = LEASE
    ) -> None:
        self._record = record
        self._players = players
        self._post = post
        self._lease = lease
        self._under_way: dict[asyncio.Task[None], int] = {}
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something may be due."""
        self._woken.set()

    async def run(self) -> None:
        """Delivers until cancelled. Attempts that are under way then end with it, and are made
        again by whoever comes next."""
        try:
            while True:
                await self._woken.wait()
                self._woken.clear()
                try:
                    await self._take()
                except Unavailable as error:  # of which the persister tells
                    log.debug("webhooks_wait", reason=error.detail)
        finally:
            await end(*self._under_way)

    async def run_tidying(self) -> None:
        """Forgets what was kept long enough, until cancelled."""
        while True:
            try:
                if lost := await self._record.tidy():
                    metrics.webhook_events_dropped.inc(lost)
                    log.warning("webhook_events_dropped", events=lost)
            except Unavailable as error:
                log.debug("webhooks_wait", reason=error.detail)
            await asyncio.sleep(TIDY)

    async def _take(self) -> None:
        busy = Counter(self._under_way.values())
        for due in await self._record.take(busy, at_once=AT_ONCE, lease=self._lease):
            task = asyncio.create_task(self._deliver(due))
            self._under_way[task] = due.webhook
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self.wake()  # it can take another
        if not task.cancelled() and (error := task.exception()):
            log.error("webhook_not_recorded", exc_info=error)

    async def _deliver(self, due: DueDelivery) -> None:
        try:
            shown = await self._players.presented(due)
        except Unavailable as error:  # it comes again after its lease
            log.debug("webhooks_wait", reason=error.detail)
            return
        started = time.perf_counter()
        try:
            failure = await self._post.send(shown)
        except Exception:
            log.exception("webhook_attempt_failed", webhook=due.webhook)
            failure = "a fault of the service, of which its log tells"
        metrics.webhook_seconds.observe(time.perf_counter() - started)
        try:
            if failure:
                await self._failed(due, failure)
            else:
                metrics.webhook_attempts.labels("delivered").inc()
                if await self._record.delivered(due):
                    log.info("webhook_recovered", webhook=due.webhook)
        except Unavailable as error:  # it comes again after its lease
            log.debug("webhooks_wait", reason=error.detail)

    async def _failed(self, due: DueDelivery, failure: str) -> None:
        metrics.webhook_attempts.labels("failed").inc()
        pause = random.uniform(0, longest_pause(due.attempts))  # noqa: S311 (spread, not secrecy)
        became = await self._record.failed(due, failure, pause=pause)
        if became.first:
            log.warning("webhook_fails", webhook=due.webhook, reason=failure)
        if became.dead:
            metrics.webhook_attempts.labels("dead").inc()
            log.error(
                "webhook_delivery_dead",
                webhook=due.webhook,
                message=due.message,
                remedy=f"scoreboard webhooks retry {due.webhook}",
            )
