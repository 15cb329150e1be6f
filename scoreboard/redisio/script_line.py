"""One connection that runs scripts and recovers their replies when they are lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from redis.asyncio import Connection, ConnectionPool
from redis.exceptions import (
    BusyLoadingError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from scoreboard.errors import OutcomeUnknown, Unavailable
from scoreboard.redisio.reply_protocol import Replies
from scoreboard.redisio.script_source import digest, source
from scoreboard.wire.scripts import Script, ScriptCall

log = structlog.get_logger(__name__)

# A server that is starting, was demoted or is full did not run the command.
_NOT_RUN = (BusyLoadingError, ReadOnlyError, OutOfMemoryError)
_LOST = (RedisError, OSError, TimeoutError)
LOST_REPLY = "The reply of Redis was lost. Retry with the same actionId."


def pack(parts: Sequence[bytes]) -> bytes:
    """One command in RESP, ready to send."""
    return b"*%d\r\n" % len(parts) + b"".join(
        [b"$%d\r\n%b\r\n" % (len(part), part) for part in parts]
    )


class ScriptLine:
    """One connection that runs scripts, one at a time, and recovers lost replies.

    A script that may have run is sent again, word for word, until its reply arrives or ``timeout``
    seconds are over. So each script must recognize that it has already run (submit_scores does by
    the attempt id in the receipt). Not safe for concurrent use: the line's owner sends one call at
    a time.
    """

    def __init__(self, connections: ConnectionPool, *, timeout: float) -> None:
        self._connection: Connection = connections.make_connection()
        self._replies = Replies()
        self._timeout = timeout
        # True once a script may have run whose reply was lost: from then on nobody can say that
        # nothing was written. The owner sets it back to False.
        self.unsure = False

    async def close(self) -> None:
        """Closes the connection."""
        await self._connection.disconnect(nowait=True)

    async def run(
        self,
        call: ScriptCall,
        *after: bytes,
        patience: float = 0.0,
    ) -> list[Any]:
        """Returns the script's reply, followed by those of the packed commands in ``after``
        (durability waits), which are sent right behind it on the same connection; an error of such
        a command is returned in place of its reply. ``patience`` is the time that these commands
        may take, in seconds, on top of the timeout.

        Raises Unavailable when the script did not run, OutcomeUnknown when it may have run
        (``unsure``), and ResponseError for an error inside the script.
        """
        script, keys, args = call
        command = pack((b"EVALSHA", digest(script), b"%d" % len(keys), *keys, *args))
        if after:
            command += b"".join(after)
        deadline = asyncio.get_running_loop().time() + self._timeout + patience
        pause = 0.01
        while True:
            sent = False
            try:
                async with asyncio.timeout_at(deadline):
                    if not self._replies.connected:
                        await self._connect()
                    sent = True
                    return await self._exchange(command, 1 + len(after))
            except NoScriptError:
                await self._load(script, deadline)
                continue
            except _NOT_RUN as error:
                if self.unsure:
                    raise OutcomeUnknown(LOST_REPLY) from error
                raise Unavailable(f"Redis refused the write: {error}") from error
            except ResponseError:
                raise
            except _LOST as error:
                self.unsure = self.unsure or sent
                await self._connection.disconnect(nowait=True)
                if asyncio.get_running_loop().time() + pause >= deadline:
                    reason = str(error) or type(error).__name__
                    log.warning("redis_call_failed", script=script.name, error=reason)
                    if self.unsure:
                        raise OutcomeUnknown(LOST_REPLY) from error
                    raise Unavailable("Redis can't be reached.") from error
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.25)

    async def ask(self, *command: bytes) -> Any:
        """The reply of a command that only reads, sent between two scripts. Raises Unavailable."""
        deadline = asyncio.get_running_loop().time() + self._timeout
        again = True  # that an idle connection has died may show only when it is used
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    if not self._replies.connected:
                        await self._connect()
                    return (await self._exchange(pack(command), 1))[0]
            except _LOST as error:
                if not again:
                    raise Unavailable("Redis can't be reached.") from error
                again = False

    async def _connect(self) -> None:
        """Connects by redis-py, which knows about addresses, TLS, AUTH and databases."""
        await self._connection.disconnect(nowait=True)
        await self._connection.connect()
        self._replies = Replies()
        writer = self._connection._writer
        assert writer is not None
        self._replies.take_over(writer.transport)

    async def _exchange(self, command: bytes, replies: int) -> list[Any]:
        try:
            received = await self._replies.exchange(command, replies)
        except BaseException:
            # The call was cut off: the next reply on this connection would belong to it.
            await self._connection.disconnect(nowait=True)
            raise
        if isinstance(received[0], RedisError):
            raise received[0]
        return received

    async def _load(self, script: Script[...], deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await self._exchange(pack((b"SCRIPT", b"LOAD", source(script))), 1)
        except _LOST as error:
            raise Unavailable("Redis can't be reached.") from error
