"""One client's WebSocket as the relay sees it, and the watch over those that do not keep up.

Every write is guarded: a frame goes out only while the connection's buffer is empty. So a stalled
client holds at most one frame in the process, and what waits for it is always the newest.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from scoreboard.api import frames
from scoreboard.telemetry import metrics

if TYPE_CHECKING:
    from scoreboard.api.feeds import Feed

log = structlog.get_logger(__name__)

POLL = 0.025  # seconds between two looks at the laggards
SLICE = 128  # connections served before other work gets its turn

# What the kernel may hold for a client. Without the first, Linux lets a send buffer grow to 4 MB;
# with the second, a socket takes no more while this much has not even been sent.
SEND_BUFFER = 32 * 1024
NOT_SENT = 8 * 1024

_CLOSED = 2**63  # above any version: nothing is sent after a close frame

# uvloop raises RuntimeError for a transport whose handle is gone; asyncio does not.
GONE = (RuntimeError, OSError)


class Connection:
    """A client of one feed. ``version`` is the newest one written to it, ``expires_at`` the Unix
    time at which its token ends (infinity without one)."""

    __slots__ = ("awaits_pong", "expires_at", "feed", "messages", "slot", "transport", "version")

    def __init__(self, transport: asyncio.Transport, feed: Feed, expires_at: float) -> None:
        self.transport = transport
        self.feed = feed
        self.expires_at = expires_at
        self.version = -1
        self.awaits_pong = False
        self.messages = 0  # received since the last ping
        self.slot: set[Connection] | None = None

    @property
    def closing(self) -> bool:
        """True once a close frame was sent or the connection was aborted."""
        return self.version == _CLOSED

    @property
    def remote(self) -> str:
        """The client's address, for the log."""
        try:
            peer = self.transport.get_extra_info("peername")
        except GONE:
            return "gone"
        return peer[0] if isinstance(peer, tuple) else str(peer)

    def write(self, frame: bytes) -> bool:
        """Writes ``frame`` unless an earlier one is still waiting: then returns False."""
        try:
            if self.transport.get_write_buffer_size():
                return False
            self.transport.write(frame)
        except GONE:
            self.version = _CLOSED
        return True

    def catch_up(self) -> bool:
        """Writes the newest version if the client has not got it. False: its buffer is in use."""
        feed = self.feed
        if self.version < feed.version:
            if not self.write(feed.frame()):
                return False
            self.version = max(self.version, feed.version)
            metrics.frames_written.inc()
        return True

    def dismiss(self, code: int, reason: str) -> bool:
        """Sends a close frame, the last thing that this client gets; one that can't take it is
        aborted. True if it was sent."""
        if self.closing:
            return False
        sent = self.write(frames.close(code, reason))
        if not sent:
            self.abort()
        self.version = _CLOSED
        return sent

    def abort(self) -> None:
        """Drops the connection and what waits to be sent."""
        self.version = _CLOSED
        with suppress(*GONE):
            self.transport.abort()


class Laggards:
    """The connections whose buffer was not empty when there was something to write. They are
    looked at every 25 ms, get the newest version as soon as they can take it, and are aborted
    after ``write_timeout`` seconds."""

    def __init__(self, write_timeout: float) -> None:
        self._write_timeout = write_timeout
        self._deadlines: dict[Connection, float] = {}
        self._some = asyncio.Event()

    def add(self, connection: Connection) -> None:
        """Watches a connection until it has drained (one that is closing: until it is gone)."""
        if connection not in self._deadlines:
            self._deadlines[connection] = asyncio.get_running_loop().time() + self._write_timeout
            metrics.lagging.set(len(self._deadlines))
            self._some.set()

    def discard(self, connection: Connection) -> None:
        """Forgets a connection that has ended."""
        if self._deadlines.pop(connection, None) is not None:
            metrics.lagging.set(len(self._deadlines))

    async def run(self) -> None:
        """Serves the laggards until cancelled; sleeps while there are none."""
        while True:
            await self._some.wait()
            self._some.clear()
            while self._deadlines:
                await asyncio.sleep(POLL)
                await self._serve(list(self._deadlines))

    async def _serve(self, connections: list[Connection]) -> None:
        loop = asyncio.get_running_loop()
        for start in range(0, len(connections), SLICE):
            now = loop.time()
            for connection in connections[start : start + SLICE]:
                deadline = self._deadlines.get(connection)
                if deadline is None:
                    continue
                if not connection.closing and self._has_drained(connection):
                    connection.catch_up()
                    self.discard(connection)
                elif now >= deadline:
                    self._drop(connection)
            await asyncio.sleep(0)

    def _has_drained(self, connection: Connection) -> bool:
        try:
            return connection.transport.get_write_buffer_size() == 0
        except GONE:
            return True

    def _drop(self, connection: Connection) -> None:
        self.discard(connection)
        if not connection.closing:
            metrics.aborted.labels("stalled").inc()
            log.warning(
                "client_stalled",
                remote=connection.remote,
                board=connection.feed.board,
                seconds=self._write_timeout,
            )
        connection.abort()


def bound_kernel_buffers(transport: asyncio.BaseTransport) -> None:
    """Limits what the kernel keeps for a client that does not read."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    with suppress(OSError):  # a client that is gone already; its handler will notice
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOT_SENT)
