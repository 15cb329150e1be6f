"""All watched players of a process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from scoreboard.api.live.feeds import Feed
from scoreboard.api.live.player_feeds import PlayerFeed
from scoreboard.api.live.ports import PlaceReader, PlayerViews
from scoreboard.api.live.watched_players import WatchedPlayer
from scoreboard.background import end
from scoreboard.errors import Unavailable
from scoreboard.settings import Settings
from scoreboard.telemetry import metrics


class Standings:
    """The feeds of watched players, each of which works while it has any."""

    def __init__(self, reader: PlaceReader, views: PlayerViews, settings: Settings) -> None:
        self._reader = reader
        self._views = views
        self._interval = settings.standing_interval
        self._most = settings.max_watched_players
        self._number = 0
        self._feeds: dict[str, PlayerFeed] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def open(self, top: Feed, sought: Sequence[tuple[str, bool]]) -> list[WatchedPlayer]:
        """These users of what a top's feed shows, each with whether it is seen in any case, once it
        is known where they stand. Raises NotFound of some kind, BoardCold, and Unavailable, also
        when as many players are watched as may be."""
        name = top.board
        task = self._tasks.get(name)
        if task is None or task.done():
            self._feeds[name] = PlayerFeed(
                top, self._reader, self._views, interval=self._interval, count=self._count
            )
        feed = self._feeds[name]
        feed.top = top
        if self._number + feed.new_among(sought) > self._most:
            metrics.watchers_refused.inc()
            raise Unavailable("Too many players are watched here.", retry_after=30.0)
        if task is None or task.done():
            self._tasks[name] = asyncio.create_task(feed.run())
            self._tasks[name].add_done_callback(lambda done: self._ended(name, done))
        return await feed.watch(sought)

    async def close(self) -> None:
        """Tells nothing any more."""
        await end(*self._tasks.values())

    def _count(self, more: int) -> None:
        self._number += more
        metrics.watched_players.set(self._number)

    def _ended(self, name: str, done: asyncio.Task[None]) -> None:
        if self._tasks.get(name) is done:
            del self._tasks[name], self._feeds[name]
