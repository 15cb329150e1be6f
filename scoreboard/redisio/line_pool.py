"""Pools of script lines, one for each server."""

from __future__ import annotations

import asyncio

import structlog

from scoreboard.errors import Unavailable
from scoreboard.redisio.commands import reachable
from scoreboard.redisio.script_line import ScriptLine
from scoreboard.redisio.topology import Key, Node, PerNode, Topology

log = structlog.get_logger(__name__)


PAUSE = 0.5  # seconds for which nobody else need ask a server that has just said nothing


class ScriptLines:
    """Lines to all servers, up to ``most`` to each, created when they are needed; ``timeout`` is
    each line's, in seconds, and how long a caller waits for one."""

    def __init__(self, topology: Topology, *, timeout: float, most: int) -> None:
        self._topology = topology
        self.nodes = PerNode(
            lambda node: NodeLines(node, timeout=timeout, most=most), NodeLines.close
        )

    async def at(self, key: Key) -> NodeLines:
        """Those to the server that has the key. Raises Unavailable while that is not known."""
        with reachable():
            return self.nodes.of(await self._topology.owner(key))

    async def close(self) -> None:
        """Closes the lines; those that are taken, when they are given back."""
        await self.nodes.close()


class NodeLines:
    """The lines to one server."""

    def __init__(self, node: Node, *, timeout: float, most: int) -> None:
        self._node = node
        self._timeout = timeout
        self._free = _Places(most)
        self._idle: list[ScriptLine] = []
        self._closed = False
        self._silent_until = 0.0  # loop time; 0: it has not been
        self._short = False  # the last line that was needed could not be made

    async def acquire(self, deadline: float | None = None) -> ScriptLine:
        """A line for the caller alone, until it is released. Waits while all are taken, until
        ``deadline`` (loop time; by default the timeout from now). Raises Unavailable when none
        gets free, or when one can't be made, as when the process is out of descriptors."""
        taken = False
        try:
            if self._free.locked():
                async with asyncio.timeout_at(self.deadline() if deadline is None else deadline):
                    taken = await self._free.acquire()
            else:
                taken = await self._free.acquire()
            return self._idle.pop() if self._idle else self._new()
        except BaseException as error:
            if taken:
                self._free.release()
            if isinstance(error, TimeoutError):
                raise Unavailable("Redis does not answer in time.") from None
            raise

    def ready(self) -> ScriptLine | None:
        """A line for the caller alone that is free and connected; None when there is none."""
        if not self._idle or self._free.locked() or not self._idle[-1].is_ready:
            return None
        self._free.take()
        return self._idle.pop()

    def check_silence(self) -> None:
        """Raises Unavailable right after a call that got no answer in time. For calls that can be
        answered from elsewhere: otherwise each would wait for Redis, and a request that makes
        several would wait for each."""
        if self._silent_until and asyncio.get_running_loop().time() < self._silent_until:
            raise Unavailable("Redis does not answer in time.")

    def note_failure(self, deadline: float) -> None:
        """Called when a call failed; Redis is silent if that took almost until the deadline."""
        now = asyncio.get_running_loop().time()
        if now >= deadline - self._timeout / 4:
            self._silent_until = now + PAUSE

    def deadline(self) -> float:
        """The loop time by which what begins now has to be answered."""
        return asyncio.get_running_loop().time() + self._timeout

    def release(self, line: ScriptLine) -> None:
        """Gives a line back. One that has followed its keys to another server is not kept."""
        if self._closed or line.node is not self._node:
            line.drop()
        else:
            self._idle.append(line)
        self._free.release()

    async def close(self) -> None:
        """Closes the lines; those that are taken, when they are given back."""
        self._closed = True
        while self._idle:
            await self._idle.pop().close()

    def _new(self) -> ScriptLine:
        try:
            line = ScriptLine(self._node, timeout=self._timeout)
        except OSError as error:  # redis-py opens files to make a connection
            if not self._short:
                self._short = True
                log.warning("redis_line_failed", error=str(error), effect="calls get 503")
            raise Unavailable("No connection to Redis can be made now.") from error
        self._short = False
        return line


class _Places(asyncio.Semaphore):
    """Uses a private part of asyncio's, which has no way to take a place without a wait."""

    def take(self) -> None:
        """Takes one, of which there has to be one free (``locked``)."""
        self._value -= 1
