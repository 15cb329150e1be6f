"""One connection that runs scripts and recovers their replies when they are lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import structlog
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError

from scoreboard.errors import OutcomeUnknown, Unavailable, is_shortage
from scoreboard.redisio.refusals import Refused
from scoreboard.redisio.reply_protocol import Replies
from scoreboard.redisio.script_source import digest, source
from scoreboard.redisio.topology import Key, Node
from scoreboard.wire.scripts import Script, ScriptCall

log = structlog.get_logger(__name__)

_LOST = (RedisError, OSError, TimeoutError)
_ASKING = b"*1\r\n$6\r\nASKING\r\n"
_HOPS, _REST = 4, 0.02  # redirections that are followed at once, seconds until more are
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
    the attempt id in the receipt). Where the server refuses (redisio/refusals.py) it is sent once
    more, over a new connection; in a cluster it follows its keys to the server that has them. Not
    safe for concurrent use: the line's owner sends one call at a time.
    """

    def __init__(self, node: Node, *, timeout: float) -> None:
        self.node = node  # where it leads now
        self._connection = node.connection()
        self._replies = Replies()
        self._timeout = timeout
        self._hops = 0
        self._asking = False  # the next call has to come right behind ASKING
        self._began = 0.0  # when the call under way was sent
        # True once a script may have run whose reply was lost: from then on nobody can say that
        # nothing was written. The owner sets it back to False.
        self.unsure = False

    async def close(self) -> None:
        """Closes the connection."""
        await self._connection.disconnect(nowait=True)

    def drop(self) -> None:
        """Closes the connection without waiting, as from a task that is being cancelled."""
        self._connection._close()  # type: ignore[no-untyped-call]  # redis-py gives it no types

    def packed(self, call: ScriptCall) -> bytes:
        """The call as it is sent."""
        script, keys, args = call
        sharded = self.node.topology.sharded
        return pack((b"EVALSHA", digest(script, sharded), b"%d" % len(keys), *keys, *args))

    async def run(
        self,
        call: ScriptCall,
        *after: bytes,
        patience: float = 0.0,
        deadline: float | None = None,
    ) -> list[Any]:
        """Returns the script's reply, followed by those of the packed commands in ``after``
        (durability waits, further reads), which are sent right behind it on the same connection; an
        error of such a command is returned in place of its reply. ``patience`` is the time that
        these commands may take, in seconds, on top of the timeout; ``deadline`` is a loop time in
        its place.

        Raises Unavailable when the script did not run, OutcomeUnknown when it may have run
        (``unsure``), and ResponseError for an error inside the script.
        """
        script, keys, _ = call
        command = self.packed(call)
        if after:
            command += b"".join(after)
        loop = asyncio.get_running_loop()
        if deadline is None:
            deadline = loop.time() + self._timeout + patience
        pause = 0.01
        while True:
            sent = False
            try:
                await self._ready(keys[0], deadline)
                sent = True
                return await self._exchange(command, 1 + len(after), deadline)
            except NoScriptError:
                await self._load(script, deadline)
                continue
            except Refused as error:
                self.unsure = self.unsure or error.may_have_run
                if await self._follows(error, keys[0], deadline) or self._connection.outdated:
                    continue
                if self.unsure:
                    raise OutcomeUnknown(LOST_REPLY) from error
                raise error.unavailable() from error
            except ResponseError:
                raise
            except _LOST as error:
                self.unsure = self.unsure or sent
                self._count(error, sent)
                await self._connection.disconnect(nowait=True)
                self.node.topology.lost(self.node)
                if loop.time() + pause >= deadline or _short(error):
                    reason = str(error) or type(error).__name__
                    log.warning("redis_call_failed", script=script.name, error=reason)
                    if self.unsure:
                        raise OutcomeUnknown(LOST_REPLY) from error
                    raise Unavailable("Redis can't be reached.") from error
            except BaseException:
                self.unsure = self.unsure or sent
                raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.25)

    async def reply_of(self, call: ScriptCall) -> list[Any]:
        """The script's reply alone. Raises as ``run``."""
        reply: list[Any] = (await self.run(call))[0]
        return reply

    @property
    def is_ready(self) -> bool:
        """True when ``send`` may be called."""
        return self._connected and not self._asking

    def send(self, *commands: bytes, deadline: float) -> asyncio.Future[list[Any]]:
        """Sends packed calls at once, without a task, that may be sent again. What is returned,
        once it is done, has to be handed to ``received``; ``deadline`` is a loop time."""
        self._began = time.perf_counter()
        return self._replies.send(b"".join(commands), len(commands), deadline)

    def received(self, sent: asyncio.Future[list[Any]]) -> list[Any]:
        """The replies; an error, also one that ``run`` recovers from, in place of its reply. Raises
        redis-py's ConnectionError or TimeoutError when they were lost."""
        try:
            replies = sent.result()
        except BaseException as error:
            self._replies.abort()
            if isinstance(error, RedisConnectionError):  # after a timeout ``run`` counts
                self._connection.count_lost()
                self.node.topology.lost(self.node)
            raise
        self._observe()
        return replies

    async def ask(self, *command: bytes) -> Any:
        """The reply of a command that only reads, sent between two scripts. Raises Unavailable."""
        deadline = asyncio.get_running_loop().time() + self._timeout
        sent, again = False, True  # that an idle connection has died may show only when it is used
        while True:
            try:
                await self._ready(command[-1], deadline)
                sent = True
                return (await self._exchange(pack(command), 1, deadline))[0]
            except Refused as error:
                follows = await self._follows(error, command[-1], deadline)
                if not follows and not self._connection.outdated:
                    raise error.unavailable() from error
            except _LOST as error:
                self._count(error, sent)
                self.node.topology.lost(self.node)
                if not again:
                    raise Unavailable("Redis can't be reached.") from error
                again = False

    def _count(self, error: Exception, sent: bool) -> None:
        """Counts what was lost, unless that is a connection that could not be made, which has been
        counted; one that was cut off by the deadline has not."""
        if sent or isinstance(error, TimeoutError):
            self._connection.count_lost()

    async def _follows(self, error: Refused, key: Key, deadline: float) -> bool:
        """Whether the call is to be sent again where the line leads from now on."""
        step = self.node.topology.follow(error, key, self.node)
        if step is None:
            return False
        loop = asyncio.get_running_loop()
        self._hops += 1
        pause = step.pause or (0.0 if self._hops % _HOPS else _REST)
        if loop.time() + pause >= deadline:
            return False
        await asyncio.sleep(pause)
        await self._turn_to(step.node)
        self._asking = step.asking
        return True

    async def _turn_to(self, node: Node) -> None:
        if node is not self.node:
            await self._connection.disconnect(nowait=True)
            self._connection = node.connection()
            self._replies = Replies()
            self.node = node

    @property
    def _connected(self) -> bool:
        return self._replies.connected and not self._connection.outdated

    async def _ready(self, key: Key, deadline: float) -> None:
        """Returns when there is a connection. Raises TimeoutError at the deadline."""
        if not self._connected:
            async with asyncio.timeout_at(deadline):
                await self._connect(key)

    async def _connect(self, key: Key) -> None:
        """Connects by redis-py, which knows about addresses, TLS, AUTH and databases, to the server
        that has the key, unless it leads where a slot is on its way to."""
        if not self._asking:
            await self._turn_to(await self.node.topology.owner(key))
        await self._connection.disconnect(nowait=True)
        await self._connection.connect()
        self._replies = Replies()
        writer = self._connection._writer
        assert writer is not None
        self._replies.take_over(writer.transport)

    async def _exchange(self, command: bytes, replies: int, deadline: float) -> list[Any]:
        asking, self._asking = self._asking, False
        if asking:
            command, replies = _ASKING + command, replies + 1
        self._began = time.perf_counter()
        try:
            received = await self._replies.send(command, replies, deadline)
        except BaseException:
            # The call was cut off: the next reply on this connection would belong to it.
            self._replies.abort()
            raise
        self._observe()
        if asking:
            del received[0]
        if isinstance(received[0], Refused):
            self._connection.refused(received[0])
        if isinstance(received[0], RedisError):
            raise received[0]
        return received

    def _observe(self) -> None:
        if (figures := self._connection.figures) is not None:
            figures.call_seconds.observe(time.perf_counter() - self._began)

    async def _load(self, script: Script[...], deadline: float) -> None:
        sharded = self.node.topology.sharded
        try:
            load = pack((b"SCRIPT", b"LOAD", source(script, sharded)))
            await self._exchange(load, 1, deadline)
        except Refused as error:
            raise error.unavailable() from error
        except _LOST as error:
            raise Unavailable("Redis can't be reached.") from error


def _short(error: Exception) -> bool:
    """True when this process lacks what a connection needs. Another attempt would fail as well, and
    who asks again later may find it."""
    return is_shortage(error if isinstance(error, OSError) else error.__context__)
