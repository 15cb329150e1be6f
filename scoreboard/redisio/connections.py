"""Connections to Redis. redis-py's retries are off everywhere, because after a lost reply they
send a script again without knowing whether that is safe."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from math import inf
from typing import Any, Protocol

from redis._parsers import _AsyncHiredisParser
from redis.asyncio import (
    BlockingConnectionPool,
    Connection,
    ConnectionPool,
    Redis,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from scoreboard.redisio.refusals import REDIRECTIONS, Refused, Server, refusal
from scoreboard.telemetry.node_figures import NodeFigures, figures_of

CONNECT_TIMEOUT = 5.0  # seconds, for connections that have no time limit of their own


class Connects(Protocol):
    """Makes clients. Implemented in topology.py, which imports this module."""

    def client(self, *, timeout: float | None, connections: int = ...) -> Redis:
        """A client with so many connections; ``timeout`` in seconds, None for blocking reads."""


class _Parser(_AsyncHiredisParser):
    @classmethod
    def parse_error(cls, response: str) -> Exception:
        error: Exception = refusal(response) or super().parse_error(response)  # type: ignore[no-untyped-call]
        return error


class ServerConnection(AbstractConnection):
    """Mixed into a class of connections. Its error replies are told to the ``server``, which says
    where to connect to, and once another connection has learned that the server refuses commands,
    this one is made anew.

    When something is sent on a transport that was closed since its last use, uvloop raises an error
    of its own, and so does redis-py when another task is closing the connection. Both are reported
    as a lost connection."""

    def __init__(self, *, server: Server, **options: Any) -> None:
        super().__init__(**options, parser_class=_Parser)
        self.server = server
        self.figures: NodeFigures | None = None  # of where it leads, once it connects
        self._made = -inf
        self._turn = asyncio.Lock()
        self._connecting: asyncio.Task[Any] | None = None  # who has the turn

    @property
    def outdated(self) -> bool:
        """True when the server has refused something since this connection was made."""
        return self._made < self.server.renewed

    async def connect(self) -> None:
        """Connects, anew when the connection is outdated."""
        if self.is_connected and (self._turn.locked() or not self.outdated):
            return  # locked: what redis-py sends as part of connecting asks for a connection, too
        async with self._turn:  # of two tasks, as of a subscriber, the second finds it made
            self._connecting = asyncio.current_task()
            try:
                await self._connect_anew()
            finally:
                self._connecting = None

    async def _connect_anew(self) -> None:
        # Again where it was learned meanwhile that another server is the master by now: the
        # first command would go to the former one.
        while not self.is_connected or self.outdated:
            await self.disconnect(nowait=True)
            place = await self.server.place()
            if place is not None:
                self.host, self.port = place
            if self.server.counted:
                self.figures = figures_of(self.address)
            try:
                await super().connect()  # type: ignore[no-untyped-call]
            except (RedisError, OSError, TimeoutError) as error:
                if not isinstance(error, Refused):  # that is counted where it is read
                    self.count_lost()
                raise

    async def connect_check_health(self, *args: Any, **options: Any) -> None:
        """Called by redis-py for every connect; notes when the connection is made."""
        if self.is_connected:
            return
        self._made = time.monotonic()
        await super().connect_check_health(*args, **options)
        if self.figures is not None:
            self.figures.connections.inc()

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Raises redis-py's ConnectionError when the connection is lost."""
        try:
            # redis-py would connect beside another task that does, and lose the first connection.
            if not self.is_connected and self._connecting is not asyncio.current_task():
                await self.connect()
            await super().send_packed_command(command, check_health)
        except (RuntimeError, AttributeError) as error:
            raise RedisConnectionError(str(error)) from error

    async def disconnect(self, *args: Any, **options: Any) -> None:
        """Closes the connection. Who does it is not kept from going on by a server that is silent
        then, as one with TLS may be."""
        writer = self._writer
        try:
            await super().disconnect(*args, **options)
        except RedisTimeoutError:
            if writer is not None:
                writer.transport.abort()

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """The next reply; tells the server of a refusal before it raises it."""
        try:
            return await super().read_response(*args, **options)
        except Refused as error:
            self.refused(error)
            raise

    def refused(self, error: Refused) -> None:
        """To be told of each refusal that was read here."""
        if self.figures is not None and error.word not in REDIRECTIONS:
            self.figures.refused.inc()
        self.server.refused(error)

    def count_lost(self) -> None:
        """Counts a connection that could not be made, or a call whose reply was lost."""
        if self.figures is not None:
            self.figures.lost.inc()

    @property
    def address(self) -> str:
        """Host and port, or the path of a Unix socket."""
        host = getattr(self, "host", None)
        return f"{host}:{self.port}" if host else str(getattr(self, "path", ""))


class _Tcp(ServerConnection, Connection):
    pass


class _Tls(ServerConnection, SSLConnection):
    pass


class _Unix(ServerConnection, UnixDomainSocketConnection):
    pass


_CLASSES: dict[Any, Any] = {
    Connection: _Tcp,
    SSLConnection: _Tls,
    UnixDomainSocketConnection: _Unix,
}


def pool(
    options: Mapping[str, Any], server: Server, *, timeout: float | None, connections: int
) -> ConnectionPool:
    """A pool without retries; ``options`` are redis-py's. ``timeout`` in seconds; None for
    connections that block. While all ``connections`` are in use, the next command waits for one: to
    be busy is not to be away. Raises redis-py's and Python's errors for options that are wrong."""
    made = BlockingConnectionPool(
        **{
            "protocol": 2,
            "max_connections": connections,
            "timeout": timeout or CONNECT_TIMEOUT,
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout or CONNECT_TIMEOUT,
            "retry": Retry(NoBackoff(), 0),
            "driver_info": None,  # a user with the rights of deploy/users.acl may not
            "server": server,
            **options,
            "connection_class": _CLASSES[options.get("connection_class", Connection)],
        }
    )
    made.connection_class(**made.connection_kwargs)  # does not connect yet
    return made


async def ask_once(options: Mapping[str, Any], *command: str, timeout: float) -> Any:
    """The reply to one command, on a connection that is closed however that ends; a client with a
    pool leaves one behind when it is cancelled while it connects. ``options`` as in ``pool``.
    Raises redis-py's errors, and TimeoutError after ``timeout`` seconds."""
    connection = pool(
        options, Server(counted=False), timeout=timeout, connections=1
    ).make_connection()
    try:
        async with asyncio.timeout(timeout):
            await connection.connect()
            await connection.send_command(*command)
            return await connection.read_response()
    finally:
        await connection.disconnect(nowait=True)
