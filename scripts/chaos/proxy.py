"""A TCP proxy before Redis that loses replies: the command has run, its answer never arrives."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import socket
import struct
from collections.abc import Callable, Coroutine
from typing import Any, cast


class Loss(enum.Enum):
    """How the connection goes on when a reply is lost: it breaks, or stays open without a word."""

    RESET = "reset"
    SILENCE = "silence"


Judge = Callable[[], Loss | None]  # asked for each reply; None lets it pass


def lose_none() -> None:
    """Every reply passes."""


def lose_every(number: int, loss: Loss) -> Judge:
    """Loses each reply whose place in the order of all replies is a multiple of ``number``."""
    seen = 0

    def judge() -> Loss | None:
        nonlocal seen
        seen += 1
        return None if seen % number else loss

    return judge


class Proxy:
    """Listens on ``port`` of 127.0.0.1 (0: a free one) for the server on ``upstream``; both may be
    changed later: ``judge`` decides about each reply. What comes in one piece counts as a reply."""

    def __init__(self, upstream: int, port: int = 0) -> None:
        self.upstream = upstream
        self.port = port
        self.judge: Judge = lose_none
        self.lost = 0
        self._door: socket.socket | None = None
        self._open: set[_Side] = set()
        self._connecting: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        # No server of asyncio's, which loses sight of a client that comes while it is closed.
        self._door = socket.create_server(("127.0.0.1", self.port))
        self._door.setblocking(False)
        self.port = self._door.getsockname()[1]
        asyncio.get_running_loop().add_reader(self._door, self._accept, self._door)

    async def stop(self) -> None:
        """Returns when all connections are gone, also those that were being made."""
        if self._door is not None:
            asyncio.get_running_loop().remove_reader(self._door)
            self._door.close()
            self._door = None
        while self._open or self._connecting:
            for side in tuple(self._open):
                side.reset()
            await asyncio.sleep(0)

    def connecting(self, work: Coroutine[Any, Any, None]) -> None:
        """Does what makes a connection."""
        task = asyncio.create_task(work)
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def _accept(self, door: socket.socket) -> None:
        try:
            client, _ = door.accept()
        except OSError:  # it has gone, or there are no descriptors
            return
        client.setblocking(False)
        self.connecting(self._take(client))

    async def _take(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: _Client(self), client)

    def loses(self) -> Loss | None:
        loss = self.judge()
        self.lost += loss is not None
        return loss

    def joined(self, side: _Side) -> None:
        self._open.add(side)

    def left(self, side: _Side) -> None:
        self._open.discard(side)


class _Side(asyncio.Protocol):
    """One of the two connections of a pair."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.other: _Side | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.proxy.joined(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.proxy.left(self)
        if self.other is not None:
            self.other.reset()

    def write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)

    def reset(self) -> None:
        """Ends the connection as a crash of the peer would."""
        if self.transport is None or self.transport.is_closing():
            return
        with contextlib.suppress(OSError):
            self.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
        self.transport.abort()


class _Client(_Side):
    """The connection from the service; what it says waits until Redis is connected."""

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.proxy.connecting(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, server = await loop.create_connection(
                lambda: _Server(self.proxy, self), "127.0.0.1", self.proxy.upstream
            )
        except OSError:
            self.reset()
            return
        if self.transport is None or self.transport.is_closing():
            server.reset()
            return
        self.other = server
        for data in self._early:
            server.write(data)

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self._early.append(data)
        else:
            self.other.write(data)


class _Server(_Side):
    """The connection to Redis."""

    def __init__(self, proxy: Proxy, client: _Client) -> None:
        super().__init__(proxy)
        self.other = client
        self._silent = False

    def data_received(self, data: bytes) -> None:
        if self._silent:
            return
        match self.proxy.loses():
            case None:
                assert self.other is not None
                self.other.write(data)
            case Loss.RESET:
                self.reset()
            case Loss.SILENCE:
                self._silent = True
