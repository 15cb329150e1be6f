"""A pool of script lines."""

from __future__ import annotations

import asyncio

from redis.asyncio import ConnectionPool

from scoreboard.redisio.script_line import ScriptLine


class ScriptLines:
    """Up to ``most`` lines, created when they are needed; ``timeout`` is each line's, in
    seconds."""

    def __init__(self, connections: ConnectionPool, *, timeout: float, most: int) -> None:
        self._connections = connections
        self._timeout = timeout
        self._free = asyncio.Semaphore(most)
        self._idle: list[ScriptLine] = []

    async def acquire(self) -> ScriptLine:
        """A line for the caller alone, until it is released; waits while all are taken."""
        await self._free.acquire()
        return (
            self._idle.pop() if self._idle else ScriptLine(self._connections, timeout=self._timeout)
        )

    def release(self, line: ScriptLine) -> None:
        """Gives a line back."""
        self._idle.append(line)
        self._free.release()

    async def close(self) -> None:
        """Closes the lines that are not taken."""
        while self._idle:
            await self._idle.pop().close()
