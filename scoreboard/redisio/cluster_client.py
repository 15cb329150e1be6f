"""A client of a cluster for ordinary commands: each goes to the server that has its key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.crc import key_slot
from redis.exceptions import ConnectionError as RedisConnectionError

from scoreboard.redisio.refusals import Refused
from scoreboard.redisio.topology import Key, Node, PerNode, Topology

PATIENCE = 5.0  # seconds for which redirections are followed by a client without a timeout

T = TypeVar("T")

# The place of the key among the arguments, where it is not the first behind the command.
_KEY_AT = {"EVALSHA": 3}
_KEYLESS = frozenset(("TIME", "PING", "INFO", "SCRIPT LOAD", "DBSIZE"))
_TO_ALL = frozenset(("SCRIPT LOAD",))


class ClusterClient(Redis):
    """``connections`` to each server, with a ``timeout`` in seconds or none for blocking reads.
    Nothing is sent twice, except what a server says it has not run; a command that has no key goes
    to any server."""

    def __init__(self, topology: Topology, *, timeout: float | None, connections: int) -> None:
        self.topology = topology
        self._patience = timeout or PATIENCE
        self._clients = PerNode(
            lambda node: node.client(timeout=timeout, connections=connections), Redis.aclose
        )
        self.response_callbacks = {}  # each server's client has them
        self.connection = None
        self.single_connection_client = False

    async def __aenter__(self) -> ClusterClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def initialize(self) -> ClusterClient:
        """Nothing is needed before the first command."""
        return self

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Closes all connections."""
        await self._clients.close()

    async def each(self) -> Sequence[Redis]:
        """A client of each server alone. Raises redis-py's errors."""
        await self.topology.ask_again()  # no reply to what goes by no key tells of a failover
        return await self._of_masters()

    async def _of_masters(self) -> Sequence[Redis]:
        return [self._clients.of(node) for node in await self.topology.masters()]

    async def at_owner(self, key: Key, attempt: Callable[[Redis, bool], Awaitable[T]]) -> T:
        """What ``attempt`` gives with a client of the server that has the key. It is made again
        where servers say that the key is elsewhere, or not to be had for a moment; the second
        argument is true when each command has to come right behind ASKING. So it has to bear being
        made again after some of its commands were run."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        node, asking = await self.topology.owner(key), False
        while True:
            try:
                return await attempt(self._clients.of(node), asking)
            except Refused as error:
                step = self.topology.follow(error, key, node)
                if step is None or loop.time() + step.pause >= deadline:
                    raise
                await asyncio.sleep(step.pause)
                node, asking = step.node, step.asking
            except (RedisConnectionError, OSError, TimeoutError):
                self.topology.lost(node)
                raise

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """The reply of the server that has the key."""
        key = key_of(args)
        if args[0] in _TO_ALL:
            return await self._at_all(args, options)
        if key is None:
            return await self._at_any(args, options)

        return await self.at_owner(
            key, lambda client, asking: sent(client, asking, *args, **options)
        )

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> ClusterPipeline:
        """Commands whose keys may be anywhere; see there."""
        return ClusterPipeline(self, transaction=transaction)

    def publish(self, channel: Any, message: Any, **options: Any) -> Any:
        """Only the server that has the channel's slot tells it."""
        return self.execute_command("SPUBLISH", channel, message, **options)

    async def unlink(self, *names: Any) -> int:
        """Unlinks keys, which may be anywhere."""
        async with self.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.execute_command("UNLINK", name)
            return sum(await pipe.execute())

    async def _at_all(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Of those servers that are there: one that is not has to be told again."""
        sent = (client.execute_command(*args, **options) for client in await self._of_masters())
        replies = await asyncio.gather(*sent, return_exceptions=True)
        for reply in replies:
            if not isinstance(reply, BaseException):
                return reply
        raise replies[0]

    async def _at_any(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        *others, last = await self.topology.masters()
        for node in others:
            try:
                return await self._clients.of(node).execute_command(*args, **options)
            except (RedisConnectionError, OSError, TimeoutError):
                self.topology.lost(node)
        return await self._clients.of(last).execute_command(*args, **options)


async def sent(client: Redis, asking: bool, *args: Any, **options: Any) -> Any:
    """The reply of one server alone, right behind ASKING if that is wanted."""
    if not asking:
        return await client.execute_command(*args, **options)
    async with client.pipeline(transaction=False) as pipe:
        pipe.execute_command("ASKING")
        pipe.execute_command(*args, **options)
        return (await pipe.execute())[1]


class ClusterPipeline(Pipeline):
    """Commands that go to each server concerned at once. Of a transaction, those of each slot are
    one. All of a server, or of a slot, may be sent again when some were refused, so they have to
    bear that."""

    def __init__(self, client: ClusterClient, *, transaction: bool) -> None:
        self._client = client
        self.is_transaction = transaction
        self.response_callbacks = client.response_callbacks
        self.command_stack = []
        self.connection = None
        self.watching = False
        self.explicit_transaction = False
        self.scripts = set()

    def publish(self, channel: Any, message: Any, **options: Any) -> Any:
        """As the client's."""
        return self.execute_command("SPUBLISH", channel, message, **options)

    async def reset(self) -> None:  # type: ignore[override]  # as Pipeline's
        """Forgets the commands."""
        self.command_stack = []

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """The replies, in order. Raises the first error."""
        stack, self.command_stack = self.command_stack, []
        parts = await self._parts(stack)
        replies: list[Any] = [None] * len(stack)
        sent = (self._send(key, [stack[at] for at in places]) for key, places in parts)
        for (_, places), received in zip(
            parts, await asyncio.gather(*sent, return_exceptions=True), strict=True
        ):
            if isinstance(received, BaseException):
                raise received
            for at, reply in zip(places, received, strict=True):
                replies[at] = reply
        return replies

    async def _parts(self, stack: Sequence[Any]) -> list[tuple[Key, list[int]]]:
        """The places of the commands that are sent together, with a key that they go by."""
        parts: dict[int | Node, tuple[Key, list[int]]] = {}
        for at, (args, _) in enumerate(stack):
            key = key_of(args)
            if key is None:
                key = next((k for k, _ in parts.values()), b"")  # with others, wherever they go
            slot: int | Node = key_slot(key.encode() if isinstance(key, str) else key)
            if not self.is_transaction:
                slot = await self._client.topology.owner(key)
            parts.setdefault(slot, (key, []))[1].append(at)
        return list(parts.values())

    async def _send(self, key: Key, commands: Sequence[Any]) -> list[Any]:
        async def attempt(client: Redis, asking: bool) -> list[Any]:
            if asking and self.is_transaction:
                raise Refused("TRYAGAIN", "TRYAGAIN The slot is moving")
            async with client.pipeline(transaction=self.is_transaction) as pipe:
                for args, options in commands:
                    if asking:
                        pipe.execute_command("ASKING")
                    pipe.execute_command(*args, **options)
                replies: list[Any] = await pipe.execute()
            return replies[1::2] if asking else replies

        return await self._client.at_owner(key, attempt)


def key_of(args: Sequence[Any]) -> Key | None:
    """The first key of a command; None: it has none."""
    command = args[0]
    if command in _KEYLESS:
        return None
    if command == "XREAD":
        at = next(at for at, arg in enumerate(args) if arg in (b"STREAMS", "STREAMS")) + 1
    else:
        at = _KEY_AT.get(command, 1)
    key: Key = args[at]
    return key
