"""A Redis Cluster: which of its servers has a slot, what their redirections mean."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import structlog
from redis.asyncio import Redis
from redis.crc import key_slot
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from scoreboard.redisio.address import VARIABLE, Address, Place
from scoreboard.redisio.cluster_client import ClusterClient
from scoreboard.redisio.connections import ask_once
from scoreboard.redisio.refusals import Refused, Server, WrongForm
from scoreboard.redisio.topology import CONNECTIONS, Key, Known, Node, Step

log = structlog.get_logger(__name__)

LOOK = 1.0  # seconds for which a server is waited for when it is asked for the table
SPACING = 0.1  # least seconds between two reads of the table
PAUSE = 0.05  # seconds until what was refused for a moment is tried again

_AWAY = (RedisError, OSError, TimeoutError)
_SINGLE = (
    f"{VARIABLE} names a cluster, but what answers there is a server by itself: it has to be "
    "redis://host:port/database"
)

# A server says so while slots move, or while it is decided who has them.
_FOR_A_MOMENT = frozenset(
    ("TRYAGAIN", "CLUSTERDOWN", "READONLY", "MASTERDOWN", "UNBLOCKED", "LOADING")
)


class _ClusterServer(Server):
    """One of the cluster's, at an address of its own."""

    def __init__(self, place: Place, listeners: set[Callable[[], None]]) -> None:
        super().__init__()
        self.at = place
        self.listeners = listeners


class _Table(NamedTuple):
    """Which server has each slot, and the replicas of each of these servers."""

    owners: dict[int, Place]
    replicas: dict[Place, list[Place]]


class ClusterTopology:
    """``address`` is of some of the cluster's servers; the others are found through them. One table
    serves the whole process. Once there is one, nobody waits for a newer: who finds it wrong, by a
    redirection or a connection that can't be made, says so, and it is read again meanwhile."""

    sharded = True

    def __init__(self, address: Address) -> None:
        self._options = dict(address.options)
        self._places = address.places
        self._nodes: dict[Place, Node] = {}
        self._slots: dict[int, Node] = {}  # empty until the table is read for the first time
        self._replicas: Mapping[Place, Sequence[Place]] = {}
        self._listeners: set[Callable[[], None]] = set()
        self._doubted = True
        self._reading: asyncio.Task[None] | None = None
        self._asked: set[asyncio.Task[Any]] = set()
        self._problem: Exception | None = None  # of the last read
        self._node_at(address.places[0])  # refuses options that are wrong; it connects to nothing
        self._nodes.clear()

    @property
    def listeners(self) -> set[Callable[[], None]]:
        """Called at each refusal by any server."""
        return self._listeners

    async def owner(self, key: Key) -> Node:
        """The server that has the key's slot, as far as is known. Raises redis-py's ConnectionError
        when no table can be read, and WrongForm when what answers is no cluster."""
        await self._first_read()
        node = self._slots.get(slot_of(key))
        if node is None:
            self._doubt()
            raise Refused("CLUSTERDOWN", "CLUSTERDOWN No server has the slot")
        return node

    async def masters(self) -> Sequence[Node]:
        """All servers that have slots. Raises as ``owner``."""
        await self._first_read()
        return list(dict.fromkeys(self._slots.values()))

    def known(self) -> Sequence[Known]:
        """Those of the table, each master before its replicas."""
        found: list[Known] = []
        for node in dict.fromkeys(self._slots.values()):
            replicas = self._replicas.get(_place(node), ())
            found.append(Known(node.address, "master", node, len(replicas)))
            found += [Known("{}:{}".format(*at), "replica", master=node.address) for at in replicas]
        return found

    def client(self, *, timeout: float | None, connections: int = CONNECTIONS) -> Redis:
        """A client that sends each command to the server that has its key."""
        return ClusterClient(self, timeout=timeout, connections=connections)

    def follow(self, error: Refused, key: Key, node: Node) -> Step | None:
        """What to do after ``node`` has refused something with the key: nothing of it was run."""
        if error.word == "MOVED":
            slot, there = self._redirection(error, node)
            self._slots[slot] = there
            self._doubt()  # others may have moved with it
            return Step(there)
        if error.word == "ASK":
            return Step(self._redirection(error, node)[1], asking=True)
        if error.word not in _FOR_A_MOMENT:
            return None
        self._doubt()
        return Step(self._slots.get(slot_of(key), node), pause=PAUSE)

    def lost(self, node: Node) -> None:
        """Another server may have the slots of one that can't be reached."""
        self._doubt()

    async def look_again(self) -> None:
        """Returns when the table has been read, if there was any doubt of it."""
        if self._doubted:
            self._doubt()
        if self._reading is not None:
            await asyncio.shield(self._reading)

    async def ask_again(self) -> None:
        """As the protocol says."""
        if self._reading is not None:
            await asyncio.wait([self._reading])  # it may have been answered before this was asked
        self._doubt()
        await self.look_again()

    def renew(self) -> None:
        """Has all connections made anew before their next use."""
        for node in self._nodes.values():
            node.server.renew()

    async def close(self) -> None:
        """Ends a read of the table, within a second or so."""
        if self._reading is not None:
            await asyncio.wait([self._reading])
        if self._asked:
            await asyncio.wait(self._asked)

    async def _first_read(self) -> None:
        if not self._slots:
            self._doubt()
            assert self._reading is not None
            await asyncio.shield(self._reading)
        if not self._slots:
            raise self._problem or RedisConnectionError("the cluster's slots are not known yet")

    def _doubt(self) -> None:
        """Has the table read, soon."""
        self._doubted = True
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(pause=bool(self._slots)))

    async def _read(self, *, pause: bool) -> None:
        if pause:
            await asyncio.sleep(SPACING)
        self._doubted = False
        try:
            self._take(await self._table())
            self._problem = None
        except _AWAY as error:
            self._problem = error
            self._doubted = True

    async def _table(self) -> _Table:
        """The table of whichever server answers first."""
        known = dict.fromkeys((*self._nodes, *self._places))
        asked = [asyncio.create_task(self._ask(place)) for place in known]
        for task in asked:  # those who are slower come to their own end
            self._asked.add(task)
            task.add_done_callback(self._answered)
        problems: list[Exception] = []
        for told in asyncio.as_completed(asked):
            try:
                return await told
            except _AWAY as error:
                problems.append(error)
        for problem in problems:
            if isinstance(problem, ResponseError):
                raise WrongForm(_SINGLE, str(problem)) from problem
        for problem in problems:
            if isinstance(problem, Refused):
                raise problem
        raise RedisConnectionError(f"no server of the cluster answers ({problems[0]})")

    def _answered(self, task: asyncio.Task[Any]) -> None:
        self._asked.discard(task)
        if not task.cancelled():
            task.exception()  # so that nobody misses it

    async def _ask(self, place: Place) -> _Table:
        options = {**self._options, "host": place[0], "port": place[1]}
        spans: Any = await ask_once(options, "CLUSTER", "SLOTS", timeout=LOOK)
        table = _Table({}, {})
        for first, last, *servers in spans:
            owner, *replicas = (
                (host.decode() if host else place[0], int(port))  # none: the one that says so
                for host, port, *_ in servers
            )
            table.owners.update(dict.fromkeys(range(first, last + 1), owner))
            table.replicas[owner] = replicas
        if not table.owners:
            raise RedisConnectionError("the server knows of no slots")
        return table

    def _take(self, table: _Table) -> None:
        self._slots = {slot: self._node_at(place) for slot, place in table.owners.items()}
        self._replicas = table.replicas
        for gone in self._nodes.keys() - set(table.owners.values()):
            self._nodes.pop(gone).gone = True

    def _node_at(self, place: Place) -> Node:
        node = self._nodes.get(place)
        if node is None:
            server = _ClusterServer(place, self._listeners)
            options: dict[str, Any] = {**self._options, "host": place[0], "port": place[1]}
            node = self._nodes[place] = Node(self, server, options)
        return node

    def _redirection(self, error: Refused, node: Node) -> tuple[int, Node]:
        """The slot, and where it is: ``MOVED 3999 127.0.0.1:6381``; without a host, it is that of
        the server which says so."""
        _, slot, where = str(error).split(" ")[:3]
        host, _, port = where.rpartition(":")
        return int(slot), self._node_at((host or _place(node)[0], int(port)))


def slot_of(key: Key) -> int:
    """The slot of a key or channel."""
    return int(key_slot(key.encode() if isinstance(key, str) else key))


def _place(node: Node) -> Place:
    assert isinstance(node.server, _ClusterServer)
    return node.server.at
