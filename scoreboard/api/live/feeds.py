"""A feed holds a board's newest message and its clients; a broadcaster sends one to the other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from math import inf

import structlog

from scoreboard.api.live import frames
from scoreboard.api.live.connections import GONE, SLICE, Connection
from scoreboard.api.live.ports import TopReader
from scoreboard.api.live.slow_clients import SlowClients
from scoreboard.telemetry import metrics
from scoreboard.wire import messages

log = structlog.get_logger(__name__)

_DONE = object()


class Feed:
    """One board in this process. Frames are built when first needed and kept until the next
    version, so each is built once however many clients there are."""

    __slots__ = (
        "_frame",
        "_heartbeat",
        "_snapshot",
        "_update",
        "board",
        "busy",
        "connections",
        "idle_since",
        "read_at",
        "sent_at",
        "version",
    )

    def __init__(self, board: str, *, now: float) -> None:
        self.board = board
        self.connections: set[Connection] = set()
        self.version = -1
        self.busy = False  # a pass is under way or scheduled
        self.sent_at = -inf  # end of the latest pass, loop time
        self.read_at = -inf  # latest read of the board, loop time
        self.idle_since = now  # when the last client left, loop time
        self._update = b""
        self._frame: bytes | None = None
        self._snapshot: bytes | None = None
        self._heartbeat: bytes | None = None

    @property
    def table(self) -> str:
        """The table that is shown."""
        return self.board

    def receive(self, text: bytes) -> bool:
        """Takes a text from the channel; whether it is newer than what the feed has. Raises
        msgspec.DecodeError."""
        return self.offer(messages.version_of(text), text)

    async def refresh(self, reader: TopReader, *, watched: bool) -> bool:
        """Reads the board; whether that was newer than what the feed has."""
        version, top_scores = await reader.top(self.board, watched=watched)
        return self.offer(version, messages.update(self.board, version, top_scores))

    def offer(self, version: int, update: bytes) -> bool:
        """Keeps an update's text if it is newer than the current one; else returns False."""
        if version <= self.version:
            return False
        self.version = version
        self._update = update
        self._frame = self._snapshot = self._heartbeat = None
        return True

    def frame(self) -> bytes:
        """The newest version as an update."""
        if self._frame is None:
            self._frame = frames.frame(frames.TEXT, self._update)
        return self._frame

    def frame_after(self, version: int) -> bytes:
        """See BoardFeed."""
        return self.frame()

    def snapshot(self) -> bytes:
        """The newest version as a snapshot."""
        if self._snapshot is None:
            self._snapshot = frames.frame(frames.TEXT, messages.as_snapshot(self._update))
        return self._snapshot

    def heartbeat(self) -> bytes:
        """A ping, which the client's library answers, and a heartbeat, which its script sees."""
        if self._heartbeat is None:
            self._heartbeat = frames.PING_FRAME + frames.frame(frames.TEXT, self._beat())
        return self._heartbeat

    def _beat(self) -> bytes:
        return messages.heartbeat(self.board, self.version)

    def deliver(self, slow_clients: SlowClients) -> Iterator[None]:
        """Writes the newest version to every client that has an older one and yields after each
        slice of clients. A version that arrives meanwhile goes to the clients not yet served."""
        connections = list(self.connections)
        for start in range(0, len(connections), SLICE):
            frame, version = self.frame(), self.version
            written = held = 0
            # Connection.write, inlined: the call would cost a tenth of the socket's write.
            for connection in connections[start : start + SLICE]:
                if connection.version >= version:
                    continue
                transport = connection.transport
                try:
                    if transport.get_write_buffer_size():
                        slow_clients.add(connection)
                        held += 1
                        continue
                    transport.write(frame)
                except GONE:
                    continue  # connection_lost will follow
                connection.version = version
                written += 1
            metrics.frames_written.inc(written)
            metrics.bytes_written.inc(written * len(frame))
            if held:
                metrics.updates_held.inc(held)
            yield


class Broadcaster:
    """Sends each feed's newest version to its clients, in passes. The passes of all feeds take
    turns, a slice at a time, so that a large board does not hold up a small one. Between the end of
    a feed's pass and the start of its next one are at least ``interval`` seconds, which under
    overload leave the event loop time for other work."""

    def __init__(self, interval: float, slow_clients: SlowClients) -> None:
        self._interval = interval
        self._slow_clients = slow_clients
        self._passes: deque[tuple[Feed, int, Iterator[None]]] = deque()
        self._some = asyncio.Event()

    def announce(self, feed: Feed) -> None:
        """Schedules a pass for the feed: now, or when its interval is over."""
        if feed.busy:
            return
        feed.busy = True
        loop = asyncio.get_running_loop()
        wait = feed.sent_at + self._interval - loop.time()
        if wait > 0:
            loop.call_later(wait, self._begin, feed)
        else:
            self._begin(feed)

    def _begin(self, feed: Feed) -> None:
        self._passes.append((feed, feed.version, feed.deliver(self._slow_clients)))
        self._some.set()

    async def run(self) -> None:
        """Delivers until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            if not self._passes:  # some may be left from a run that was cut off
                self._some.clear()
                await self._some.wait()
            while self._passes:
                feed, version, steps = self._passes.popleft()
                try:
                    done = next(steps, _DONE) is _DONE
                except Exception:
                    log.exception("delivery_failed", board=feed.board, version=version)
                    done = True
                if not done:
                    self._passes.append((feed, version, steps))
                else:
                    feed.busy, feed.sent_at = False, loop.time()
                    if feed.version > version:
                        self.announce(feed)
                await asyncio.sleep(0)
