"""Where keys are: the one place that knows whether there is one server, one that Sentinels name, or
a cluster. Whoever sends something asks it for the server that owns the key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar

from redis.asyncio import ConnectionPool, Redis

from scoreboard.redisio.address import Address
from scoreboard.redisio.connections import ServerConnection, pool
from scoreboard.redisio.refusals import Refused, Server
from scoreboard.redisio.sentinels import SentinelService

CONNECTIONS = 32  # of a client to a server

Key = bytes | str
T = TypeVar("T")


class Node:
    """A server to which keys belong. ``options`` are redis-py's, of its connections."""

    def __init__(self, topology: Topology, server: Server, options: Mapping[str, Any]) -> None:
        self.topology = topology
        self.server = server
        self.gone = False  # no key belongs to it any more
        self._options = options
        self._unbounded = self.pool(timeout=None)

    @property
    def address(self) -> str:
        """Where connections lead, as metrics name it."""
        return self.connection().address

    def pool(self, *, timeout: float | None, connections: int = CONNECTIONS) -> ConnectionPool:
        """Connections with a ``timeout`` in seconds; None for some that block."""
        return pool(self._options, self.server, timeout=timeout, connections=connections)

    def client(self, *, timeout: float | None, connections: int = CONNECTIONS) -> Redis:
        """A client of this server alone, with a pool of its own."""
        return Redis.from_pool(self.pool(timeout=timeout, connections=connections))

    def connection(self) -> ServerConnection:
        """One that is not made yet, belongs to no pool and has no time limit of its own."""
        made: ServerConnection = self._unbounded.make_connection()
        return made


class Step(NamedTuple):
    """What to do after a refusal: to send it again, to this server, after ``pause`` seconds, and
    right behind ASKING where the slot is on its way there."""

    node: Node
    asking: bool = False
    pause: float = 0.0


class Known(NamedTuple):
    """A server of the installation. A master has its ``node``, and ``replicas``, how many it has
    (None: that is not known); a replica has the address of its ``master``, where keys belong."""

    address: str
    role: Literal["master", "replica"]
    node: Node | None = None
    replicas: int | None = None
    master: str | None = None


class Topology(Protocol):
    """The servers of an installation."""

    @property
    def sharded(self) -> bool:
        """Whether a message is published where its channel's slot is, and heard only there."""

    @property
    def listeners(self) -> set[Callable[[], None]]:
        """Called at each refusal by any server."""

    async def owner(self, key: Key) -> Node:
        """The server that has the key, or would have it. Raises redis-py's errors while that is not
        known."""

    async def masters(self) -> Sequence[Node]:
        """All servers to which keys belong. Raises as ``owner``."""

    def known(self) -> Sequence[Known]:
        """The servers, as far as they are known without asking anybody."""

    def client(self, *, timeout: float | None, connections: int = CONNECTIONS) -> Redis:
        """A client for ordinary commands, with so many connections to each server; with
        ``timeout=None`` for blocking reads."""

    def follow(self, error: Refused, key: Key, node: Node) -> Step | None:
        """What to do after ``node`` has refused something with the key; None: another connection to
        it may help, nothing else."""

    def lost(self, node: Node) -> None:
        """To be told when a connection to the server was lost, or could not be made."""

    async def look_again(self) -> None:
        """To be called every few seconds: notices changes that no reply tells."""

    async def ask_again(self) -> None:
        """Returns when it has been asked where keys are, whatever was known before."""

    def renew(self) -> None:
        """Has all connections made anew before their next use."""

    async def close(self) -> None:
        """Ends what it has begun."""


class OneServer(Topology):
    """All keys are on the server that the URL names, or that Sentinels name."""

    sharded = False

    def __init__(self, address: Address) -> None:
        if address.form == "sentinel":
            self._server: Server = SentinelService(address)
            host, port = address.places[0]  # until one is named
            options: Mapping[str, Any] = {**address.options, "host": host, "port": port}
        else:
            self._server, options = Server(), address.options
        self._node = Node(self, self._server, options)

    @property
    def listeners(self) -> set[Callable[[], None]]:
        """As the protocol says."""
        return self._server.listeners

    async def owner(self, key: Key) -> Node:
        """The only one."""
        return self._node

    async def masters(self) -> Sequence[Node]:
        """The only one."""
        return [self._node]

    def known(self) -> Sequence[Known]:
        """The only one, or the one that Sentinels named last. They tell how many replicas it has,
        and not where these are."""
        if not isinstance(self._server, SentinelService):
            return [Known(self._node.address, "master", self._node)]
        if self._server.named is None:
            return []
        address = "{}:{}".format(*self._server.named)
        return [Known(address, "master", self._node, self._server.replicas)]

    def client(self, *, timeout: float | None, connections: int = CONNECTIONS) -> Redis:
        """As the protocol says."""
        return self._node.client(timeout=timeout, connections=connections)

    def follow(self, error: Refused, key: Key, node: Node) -> Step | None:
        """There is nowhere else to go."""
        return None

    def lost(self, node: Node) -> None:
        """There is nowhere else to look."""

    async def look_again(self) -> None:
        """Asks Sentinels, where there are some, whether they name another server by now."""
        await self._server.look_again()

    async def ask_again(self) -> None:
        """As the protocol says."""
        await self._server.look_again()

    def renew(self) -> None:
        """As the protocol says."""
        self._server.renew()

    async def close(self) -> None:
        """As the protocol says."""
        await self._server.close()


class PerNode(Generic[T]):
    """Something for each server, which is made when it is first needed and ended when the server
    is gone."""

    def __init__(self, make: Callable[[Node], T], end: Callable[[T], Awaitable[None]]) -> None:
        self._make = make
        self._end = end
        self._made: dict[Node, T] = {}
        self._ending: set[asyncio.Future[None]] = set()

    def of(self, node: Node) -> T:
        """That of the server."""
        made = self._made.get(node)
        if made is None:
            self._forget_gone()
            made = self._made[node] = self._make(node)
        return made

    def all(self) -> list[T]:
        """Those that were made."""
        return list(self._made.values())

    async def close(self) -> None:
        """Ends all."""
        while self._made:
            await self._end(self._made.popitem()[1])
        while self._ending:
            await asyncio.wait(self._ending)

    def _forget_gone(self) -> None:
        for node in [node for node in self._made if node.gone]:
            ending = asyncio.ensure_future(self._end(self._made.pop(node)))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
