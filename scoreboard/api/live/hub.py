"""The relay: sends each board's newest top 10 from Redis to all WebSockets of this process.

Each board with clients has a feed, which holds the newest message. The relay first subscribes to
the board's channel and then reads the board, so that no change is missed in between. It reads again
after every reconnect and every ten seconds, because pub/sub delivers at most once.
"""

from __future__ import annotations

import asyncio
from math import inf

import msgspec
import structlog

from scoreboard.api.live.connections import Connection, bound_kernel_buffers
from scoreboard.api.live.feeds import Broadcaster, Feed
from scoreboard.api.live.heartbeats import Heartbeats
from scoreboard.api.live.ports import TopReader, UpdateSource
from scoreboard.api.live.slow_clients import SlowClients
from scoreboard.background import keep_running
from scoreboard.errors import NotFound, ScoreboardError, UnknownBoard
from scoreboard.settings import Settings
from scoreboard.telemetry import metrics
from scoreboard.wire import messages

log = structlog.get_logger(__name__)

REREAD = 10.0  # seconds between two reads of a board with clients
RETRY = 1.0  # seconds until a read that failed is tried again
LINGER = 30.0  # seconds for which a board without clients stays subscribed
READS = 16  # boards read at the same time
BATCHES = 20  # groups in which clients are told to leave at shutdown
LAST_WORD = 1.0  # seconds that a client may then take to answer the close frame
MOST_REFUSED = 1_000  # connections that were turned away and have not gone yet

SERVICE_RESTART = 1012
TRY_AGAIN_LATER = 1013
UNKNOWN_BOARD = 4404
TOO_MANY_CONNECTIONS = 4429


class Hub:
    """All feeds and connections of a process. ``run`` works until it is cancelled; call ``close``
    before that, while clients can still be told."""

    def __init__(self, source: UpdateSource, reader: TopReader, settings: Settings) -> None:
        self._source = source
        self._reader = reader
        self._max_connections = settings.max_connections
        self._grace = settings.shutdown_grace
        self._connections: set[Connection] = set()
        self._refused: dict[Connection, None] = {}  # oldest first
        self._feeds: dict[str, Feed] = {}
        self._opening: dict[str, asyncio.Task[Feed]] = {}
        self._slow_clients = SlowClients(settings.write_timeout)
        self._heartbeats = Heartbeats(settings.heartbeat)
        self._broadcaster = Broadcaster(settings.update_interval, self._slow_clients)
        self._stale = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._closing = False
        self._reads_fail = False

    async def run(self) -> None:
        """Relays until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for name, part in (
                    ("updates", lambda: self._source.run(self._on_update, self._on_resubscribed)),
                    ("broadcaster", self._broadcaster.run),
                    ("slow clients", self._slow_clients.run),
                    ("heartbeats", self._heartbeats.run),
                    ("rereading", self._reread),
                ):
                    group.create_task(keep_running(name, part))
        finally:
            for opening in self._opening.values():
                opening.cancel()

    async def close(self) -> None:
        """Tells all clients to come back later, in batches over the grace period, and returns when
        they are gone. New ones are refused from now on."""
        self._closing = True
        connections = list(self._connections)
        for batch in range(BATCHES if connections else 0):
            for connection in connections[batch::BATCHES]:
                connection.dismiss(SERVICE_RESTART, "server restarts")
            await asyncio.sleep(self._grace / BATCHES)
        try:
            async with asyncio.timeout(LAST_WORD):
                await self._empty.wait()
        except TimeoutError:
            for connection in list(self._connections):
                connection.abort()

    async def open(self, board: str) -> Feed:
        """The board's feed. All who come while it is being opened share that one read. Raises
        UnknownBoard, Unavailable."""
        opening = self._opening.get(board)
        if opening is None:
            if feed := self._feeds.get(board):
                return feed
            opening = asyncio.create_task(self._open(board))
            self._opening[board] = opening
            opening.add_done_callback(lambda task: self._opened(board, task))
        return await asyncio.shield(opening)

    def join(self, connection: Connection) -> None:
        """Sends the snapshot of the connection's feed, and from then on what is newer. There must
        be no await between ``open`` and this."""
        self._connections.add(connection)
        self._count()
        bound_kernel_buffers(connection.transport)
        if self._closing:
            self._turn_away(connection, SERVICE_RESTART, "server restarts")
        elif len(self._connections) - len(self._refused) > self._max_connections:
            self._turn_away(connection, TOO_MANY_CONNECTIONS, "too many connections")
        else:
            feed = connection.feed
            feed.connections.add(connection)
            self._heartbeats.add(connection)
            if connection.write(feed.snapshot()):
                connection.version = feed.version

    def refuse(self, connection: Connection, error: ScoreboardError) -> None:
        """Closes the connection with the code that says why the board can't be shown."""
        self._connections.add(connection)
        self._count()
        code = UNKNOWN_BOARD if isinstance(error, NotFound) else TRY_AGAIN_LATER
        self._turn_away(connection, code, error.detail)

    def watch(self, connection: Connection) -> None:
        """See Keeper."""
        self._slow_clients.add(connection)

    def leave(self, connection: Connection) -> None:
        """See Keeper."""
        feed = connection.feed
        feed.connections.discard(connection)
        if not feed.connections:
            feed.idle_since = asyncio.get_running_loop().time()
        self._heartbeats.discard(connection)
        self._slow_clients.discard(connection)
        self._refused.pop(connection, None)
        self._connections.discard(connection)
        self._count()

    def _turn_away(self, connection: Connection, code: int, reason: str) -> None:
        """Refuses the connection with a close frame. While its answer is awaited it takes no place
        among the connected clients; when too many such connections linger, the oldest is
        dropped."""
        connection.dismiss(code, reason)
        self._refused[connection] = None
        if len(self._refused) > MOST_REFUSED:
            oldest = next(iter(self._refused))
            del self._refused[oldest]
            oldest.abort()

    def _count(self) -> None:
        metrics.connections.set(len(self._connections))
        if self._connections:
            self._empty.clear()
        else:
            self._empty.set()

    async def _open(self, board: str) -> Feed:
        loop = asyncio.get_running_loop()
        # Registered before the read, so that it takes updates that overtake the read's answer.
        feed = self._feeds[board] = Feed(board, now=loop.time())
        try:
            await self._source.subscribe(board)
            await self._read(feed)
        except BaseException:
            del self._feeds[board]
            await self._source.unsubscribe(board)
            raise
        feed.idle_since = loop.time()
        metrics.feeds.set(len(self._feeds))
        return feed

    def _opened(self, board: str, task: asyncio.Task[Feed]) -> None:
        del self._opening[board]
        if not task.cancelled():
            task.exception()  # raised in those who still wait, if any

    async def _read(self, feed: Feed) -> None:
        version, top_scores = await self._reader.top(feed.board)
        feed.read_at = asyncio.get_running_loop().time()
        if feed.offer(version, messages.update(feed.board, version, top_scores)):
            self._broadcaster.announce(feed)

    def _on_update(self, board: str, text: bytes) -> None:
        metrics.updates_received.inc()
        feed = self._feeds.get(board)
        try:
            version = messages.version_of(text)
        except msgspec.DecodeError as error:
            log.error("update_unreadable", board=board, error=str(error))
            return
        if feed is not None and feed.offer(version, text):
            self._broadcaster.announce(feed)
        else:
            metrics.updates_skipped.inc()

    def _on_resubscribed(self, board: str) -> None:
        if feed := self._feeds.get(board):
            feed.read_at = -inf
            self._stale.set()

    async def _reread(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout(RETRY):
                    await self._stale.wait()
            except TimeoutError:
                pass
            self._stale.clear()
            now = loop.time()
            settled = [f for f in self._feeds.values() if f.board not in self._opening]
            for feed in settled:
                if not feed.connections and feed.idle_since + LINGER <= now:
                    await self._drop(feed)
            due = [feed for feed in settled if feed.read_at + REREAD <= now]
            for start in range(0, len(due), READS):
                await asyncio.gather(*map(self._refresh, due[start : start + READS]))

    async def _refresh(self, feed: Feed) -> None:
        before = feed.version
        try:
            await self._read(feed)
        except UnknownBoard:
            log.error("board_vanished", board=feed.board, version=feed.version)
            feed.read_at = asyncio.get_running_loop().time()
        except Exception as error:
            feed.read_at = asyncio.get_running_loop().time() - REREAD + RETRY
            if not self._reads_fail:
                self._reads_fail = True
                known = isinstance(error, ScoreboardError)
                log.warning(
                    "board_read_failed", board=feed.board, error=str(error), exc_info=not known
                )
        else:
            self._reads_fail = False
            if feed.version > before:
                metrics.updates_missed.inc()

    async def _drop(self, feed: Feed) -> None:
        del self._feeds[feed.board]
        metrics.feeds.set(len(self._feeds))
        await self._source.unsubscribe(feed.board)
