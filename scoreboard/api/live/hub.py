"""The relay: sends each board's newest top 10 from Redis to all WebSockets of this process.

Each board with clients has a feed, which holds the newest message. The relay first subscribes to
the board's channel and then reads the board, so that no change is missed in between. It reads again
after every reconnect and every ten seconds, because pub/sub delivers at most once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from math import inf

import msgspec
import structlog

from scoreboard.api.edge.addresses import Shares
from scoreboard.api.edge.admission import connection_refused
from scoreboard.api.live.connections import SLICE, Connection, bound_kernel_buffers
from scoreboard.api.live.feeds import Broadcaster, Feed
from scoreboard.api.live.heartbeats import TOKEN_EXPIRED, Heartbeats
from scoreboard.api.live.period_feeds import OccurrenceMissed, feed_of
from scoreboard.api.live.ports import TopReader, UpdateSource
from scoreboard.api.live.slow_clients import SlowClients
from scoreboard.background import keep_running, result_of
from scoreboard.domain.revocations import RevokedTokens
from scoreboard.errors import NotFound, ScoreboardError
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
        self._shares = Shares(settings.max_connections_per_address)
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
        """The feed of a board, or of a period (``<board>:<period>``). All who come while it is
        being opened share that one read. Raises NotFound of some kind, Unavailable."""
        opening = self._opening.get(board)
        if opening is None:
            if feed := self._feeds.get(board):
                return feed
            opening = asyncio.create_task(self._open(board))
            self._opening[board] = opening
            opening.add_done_callback(lambda task: self._opened(board, task))
        return await result_of(opening)

    def join(self, connection: Connection, address: str) -> None:
        """Sends the snapshot of the connection's feed, and from then on what is newer; ``address``
        is the one of whose share it takes a place. There must be no await between ``open`` and
        this."""
        self._connections.add(connection)
        self._count()
        bound_kernel_buffers(connection.transport)
        if self._closing:
            self._turn_away(connection, SERVICE_RESTART, "server restarts")
        elif len(self._connections) - len(self._refused) > self._max_connections:
            connection_refused("websockets", connection.remote)
            self._turn_away(connection, TOO_MANY_CONNECTIONS, "too many connections")
        elif not self._shares.take(address):
            connection_refused("websockets_per_address", connection.remote)
            reason = "too many connections from this address"
            self._turn_away(connection, TOO_MANY_CONNECTIONS, reason)
        else:
            connection.address = address
            feed = connection.feed
            feed.connections.add(connection)
            self._heartbeats.add(connection)
            if connection.write(snapshot := feed.snapshot()):
                connection.version = feed.version
                metrics.snapshots_written.inc()
                metrics.bytes_written.inc(len(snapshot))

    def refuse(self, connection: Connection, error: ScoreboardError) -> None:
        """Closes the connection with the code that says why the board can't be shown."""
        self._connections.add(connection)
        self._count()
        code = UNKNOWN_BOARD if isinstance(error, NotFound) else TRY_AGAIN_LATER
        self._turn_away(connection, code, error.detail)

    async def dismiss_revoked(self, revoked: RevokedTokens) -> None:
        """Closes the connections that were opened with a token that is revoked now."""
        connections = list(self._connections)
        for start in range(0, len(connections), SLICE):
            for connection in connections[start : start + SLICE]:
                if connection.reader is not None and revoked.covers(connection.reader):
                    connection.dismiss(TOKEN_EXPIRED, "token revoked")
            await asyncio.sleep(0)

    async def _dismiss(self, connections: Iterable[Connection], code: int, reason: str) -> None:
        leaving = list(connections)
        for start in range(0, len(leaving), SLICE):
            for connection in leaving[start : start + SLICE]:
                connection.dismiss(code, reason)
            await asyncio.sleep(0)

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
        self._shares.give_back(connection.address)
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
        feed = self._feeds[board] = feed_of(board, now=loop.time())
        try:
            await self._source.subscribe(board)
            await self._read(feed)
        except BaseException:
            del self._feeds[board]
            self._source.unsubscribe(board)
            raise
        feed.idle_since = loop.time()
        metrics.feeds.set(len(self._feeds))
        return feed

    def _opened(self, board: str, task: asyncio.Task[Feed]) -> None:
        del self._opening[board]
        if not task.cancelled():
            task.exception()  # raised in those who still wait, if any

    async def _read(self, feed: Feed) -> None:
        feed.read_at = asyncio.get_running_loop().time()  # what is lost from now on is read again
        if await feed.refresh(self._reader, watched=bool(feed.connections)):
            self._broadcaster.announce(feed)

    def _on_update(self, board: str, text: bytes) -> None:
        metrics.updates_received.inc()
        if text == messages.GONE:
            self._on_resubscribed(board)
            return
        feed = self._feeds.get(board)
        try:
            newer = feed is not None and feed.receive(text)
        except msgspec.DecodeError as error:
            log.error("update_unreadable", board=board, error=str(error))
            return
        except OccurrenceMissed:
            self._on_resubscribed(board)
            return
        if feed is not None and newer:
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
                    self._drop(feed)
            due = [feed for feed in settled if feed.read_at + REREAD <= now]
            for start in range(0, len(due), READS):
                await asyncio.gather(*map(self._refresh, due[start : start + READS]))

    async def _refresh(self, feed: Feed) -> None:
        before = feed.version
        try:
            await self._read(feed)
        except NotFound as error:
            log.warning("board_gone", board=feed.board, version=feed.version, why=str(error))
            self._drop(feed)  # first, so that whoever comes meanwhile finds out, too
            await self._dismiss(feed.connections, UNKNOWN_BOARD, error.detail)
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

    def _drop(self, feed: Feed) -> None:
        del self._feeds[feed.board]
        metrics.feeds.set(len(self._feeds))
        self._source.unsubscribe(feed.board)
