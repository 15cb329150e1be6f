"""One client's WebSocket. A frame is written only while the connection's buffer is empty. So a
stalled client holds at most one frame in the process, and the next frame it gets is the newest."""

from __future__ import annotations

import asyncio
import socket
from codecs import IncrementalDecoder
from contextlib import suppress
from typing import Protocol

from scoreboard.api.live import frames
from scoreboard.api.live.ports import Reader
from scoreboard.telemetry import metrics

SLICE = 256  # connections served before other work gets its turn

MAX_MESSAGE = 1024  # bytes of a message from a client, whose messages are ignored
MAX_MESSAGES = 64  # frames from a client between two of our pings

POLICY_VIOLATION = 1008

# What the kernel may hold for a client, in bytes. Without the first, Linux lets a send buffer grow
# to 4 MB; with the second, a socket accepts no more while this much is still unsent.
SEND_BUFFER = 32 * 1024
NOT_SENT = 8 * 1024

_CLOSED = 2**63  # above any version: nothing is sent after a close frame

# uvloop raises RuntimeError for a transport whose handle is gone; asyncio does not.
GONE = (RuntimeError, OSError)


class Keeper(Protocol):
    """Looks after connections. Implemented in hub.py, which imports this module: so it stands here,
    and not among what the folder needs from outside (ports.py)."""

    def watch(self, connection: Connection) -> None:
        """Watches a connection whose buffer is in use, or that was sent a close frame, until it has
        drained or is gone."""

    def leave(self, connection: Connection) -> None:
        """Called when the connection is gone."""


class BoardFeed(Protocol):
    """The feed of a board, as far as it is used through its connections. Implemented in feeds.py,
    which imports this module, as above."""

    board: str
    connections: set[Connection]
    version: int
    sent_at: float
    idle_since: float

    def frame(self) -> bytes:
        """The newest version, as clients that have the one before it get it."""

    def frame_after(self, version: int) -> bytes:
        """The newest version, as a client gets it that has this earlier one."""

    def snapshot(self) -> bytes:
        """The newest version, as a new client gets it."""

    def heartbeat(self) -> bytes:
        """Says that the version is still the newest."""


class Connection(asyncio.Protocol):
    """A client of one feed. ``version`` is the newest one written to it, ``reader`` whose token
    opened it (None without one), ``address`` the one of whose share it takes a place (empty:
    none)."""

    __slots__ = (
        "_begun",
        "_keeper",
        "_rest",
        "address",
        "awaits_pong",
        "feed",
        "messages",
        "reader",
        "slot",
        "transport",
        "version",
    )

    transport: asyncio.Transport  # set by whoever gives the connection its socket

    def __init__(self, keeper: Keeper, feed: BoardFeed, reader: Reader | None) -> None:
        self._keeper = keeper
        self._rest = b""  # the beginning of a frame that has not arrived in full
        self._begun: IncrementalDecoder | None = None  # a message whose last frame has not arrived
        self.feed = feed
        self.reader = reader
        self.version = -1
        self.awaits_pong = False
        self.messages = 0  # received since the last ping
        self.slot: set[Connection] | None = None
        self.address = ""

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

    @property
    def drained(self) -> bool:
        """True when all that was written has gone to the kernel."""
        try:
            return not self.transport.get_write_buffer_size()
        except GONE:
            return True

    def write(self, frame: bytes) -> bool:
        """Writes ``frame``. Returns False, and has the connection watched, when an earlier frame is
        still waiting."""
        if not self.drained:
            self._keeper.watch(self)
            return False
        with suppress(*GONE):
            self.transport.write(frame)
        return True

    def catch_up(self) -> None:
        """Writes the newest version if the client does not have it yet."""
        version = self.feed.version
        if self.version < version and self.write(frame := self.feed.frame_after(self.version)):
            self.version = version
            metrics.frames_written.inc()
            metrics.bytes_written.inc(len(frame))

    def dismiss(self, code: int, reason: str = "") -> None:
        """Sends a close frame, the last frame that this client gets; its answer is then awaited. A
        client whose buffer is in use is aborted instead."""
        if self.closing:
            return
        if self.write(frames.close(code, reason)):
            self.version = _CLOSED
            self._keeper.watch(self)
        else:
            self.abort()

    def abort(self) -> None:
        """Drops the connection and what waits to be sent."""
        self.version = _CLOSED
        with suppress(*GONE):
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Answers pings and close frames, and ends a connection that breaks the rules."""
        self.awaits_pong = False
        try:
            self._receive(data)
        except frames.FrameError as error:
            self._rest = b""
            if self.closing:
                self.abort()
            else:
                self._end(error.code, str(error))

    def _receive(self, data: bytes) -> None:
        most = 2 * MAX_MESSAGES + 1 - self.messages  # the frame after which it is aborted
        received, self._rest = frames.split(self._rest + data, limit=MAX_MESSAGE, most=most)
        self.messages += len(received)
        if self.messages > 2 * MAX_MESSAGES:
            self._rest = b""
            self.abort()
            return
        if self.messages > MAX_MESSAGES:
            self._end(POLICY_VIOLATION, "too many messages")
        for each in received:
            if each.opcode == frames.CLOSE:
                self._answer_close(each.payload)
                return
            if self.closing:  # only its close frame is still of interest
                continue
            if each.opcode == frames.PING:
                self.write(frames.frame(frames.PONG, each.payload))
            elif each.opcode != frames.PONG:
                self._begun = frames.follow(self._begun, each)

    def _answer_close(self, payload: bytes) -> None:
        try:
            self.dismiss(frames.echo(payload))
        except frames.FrameError as error:
            self._end(error.code, str(error))
        with suppress(*GONE):
            self.transport.close()  # after what is in its buffer

    def _end(self, code: int, reason: str) -> None:
        """Ends a connection whose client breaks the rules."""
        if not self.closing:
            metrics.aborted.labels("broke_rules").inc()
        self.dismiss(code, reason)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells the keeper that the client is gone."""
        self.version = _CLOSED
        self._keeper.leave(self)


def bound_kernel_buffers(transport: asyncio.BaseTransport) -> None:
    """Limits what the kernel keeps for a client that does not read."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    with suppress(OSError):  # the client is gone; connection_lost will follow
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOT_SENT)
