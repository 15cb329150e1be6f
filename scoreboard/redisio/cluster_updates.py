"""The channels of a cluster: each is heard where its slot is, and followed when that moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog
from redis.exceptions import RedisError

from scoreboard.background import end
from scoreboard.redisio.topology import Node, Topology
from scoreboard.redisio.updates import SILENCE, OnResubscribed, OnUpdate, RedisUpdates

log = structlog.get_logger(__name__)

LOOK = 0.1  # seconds between two looks for where channels are while a server is away
_LOST = (RedisError, OSError, TimeoutError)


class ClusterUpdates:
    """As RedisUpdates, of which it has one for each server: with the boards whose channels are
    there. A board whose channel moves is told as resubscribed, since messages may have been lost on
    the way."""

    def __init__(
        self,
        topology: Topology,
        channel_of: Callable[[str], str],
        *,
        timeout: float,
        silence: float = SILENCE,
    ) -> None:
        self._topology = topology
        self._channel_of = channel_of
        self._timeout = timeout
        self._silence = silence
        self._homes: dict[str, Node | None] = {}  # by board; None: not found yet
        self._of: dict[Node, RedisUpdates] = {}
        self._tasks: dict[Node, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._on_update: OnUpdate | None = None
        self._on_resubscribed: OnResubscribed = _nobody

    async def subscribe(self, board: str) -> None:
        """As RedisUpdates'."""
        self._homes.setdefault(board, None)
        with suppress(*_LOST):  # it is looked for again
            async with asyncio.timeout(self._timeout):
                await self._settle(board)
        self._changed.set()

    def unsubscribe(self, board: str) -> None:
        """Ends a subscription."""
        home = self._homes.pop(board, None)
        if home is not None and home in self._of:
            self._of[home].unsubscribe(board)

    async def run(self, on_update: OnUpdate, on_resubscribed: OnResubscribed) -> None:
        """Receives until cancelled, as RedisUpdates'."""
        self._on_update, self._on_resubscribed = on_update, on_resubscribed
        for node in self._of:
            self._begin(node)
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                if not await self._all_settled():
                    await asyncio.sleep(LOOK)
                    self._changed.set()
        finally:
            self._on_update = None  # nothing is begun any more
            await end(*self._tasks.values(), *self._ending)
            self._tasks.clear()

    async def _all_settled(self) -> bool:
        """Whether each board is heard where its channel is, after those were moved that were
        not."""
        await self._topology.look_again()
        settled = True
        for board in list(self._homes):
            before = self._homes.get(board)
            with suppress(*_LOST):
                await self._settle(board)
            home = self._homes.get(board)
            if home is None:
                settled = settled and board not in self._homes
                continue
            channel = self._channel_of(board).encode()
            if home is not before:
                self._on_resubscribed(board)
            elif channel in self._of[home].strays:
                self._of[home].subscribe_again(channel)
            if self._of[home].lost:
                self._topology.lost(home)
                settled = False
        self._end_unused()
        return settled

    async def _settle(self, board: str) -> None:
        """Subscribes to the board where its channel is, unless that is so."""
        node = await self._topology.owner(self._channel_of(board))
        if board not in self._homes:
            return  # nobody wants it any more
        before = self._homes[board]
        if before is node:
            return
        if before is not None and before in self._of:
            self._of[before].unsubscribe(board)
        self._homes[board] = node
        updates = self._of.get(node)
        if updates is None:
            updates = self._of[node] = RedisUpdates(
                node,
                self._channel_of,
                timeout=self._timeout,
                silence=self._silence,
                sharded=True,
                on_trouble=lambda: self._doubt(node),
            )
            if self._on_update is not None:
                self._begin(node)
        await updates.subscribe(board)

    def _doubt(self, node: Node) -> None:
        """A connection was lost, or a channel has left the server."""
        self._topology.lost(node)
        self._changed.set()

    def _begin(self, node: Node) -> None:
        assert self._on_update is not None
        run = self._of[node].run(self._on_update, self._on_resubscribed)
        self._tasks[node] = asyncio.create_task(run)

    def _end_unused(self) -> None:
        for node in set(self._of) - set(self._homes.values()):
            del self._of[node]
            if (task := self._tasks.pop(node, None)) is not None:
                task.cancel()
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)


def _nobody(_: str) -> None: ...


Updates = RedisUpdates | ClusterUpdates


def updates_of(
    topology: Topology,
    channel_of: Callable[[str], str],
    *,
    timeout: float,
    silence: float = SILENCE,
) -> Updates:
    """Subscriptions to boards, whose channels ``channel_of`` names; ``timeout`` in seconds."""
    if topology.sharded:
        return ClusterUpdates(topology, channel_of, timeout=timeout, silence=silence)
    return RedisUpdates(topology, channel_of, timeout=timeout, silence=silence)
