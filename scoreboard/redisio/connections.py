"""Clients of Redis. Ordinary commands, scripts with their own recovery, and blocking reads each
have their own connections; redis-py's retries are off everywhere, because they send a script again
after a lost reply without knowing whether that is safe."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from redis.asyncio import (
    BlockingConnectionPool,
    Connection,
    ConnectionPool,
    Redis,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from scoreboard.errors import ConfigurationError, OutcomeUnknown, Unavailable
from scoreboard.redisio.replies import Replies
from scoreboard.redisio.scripts import digest, source
from scoreboard.wire.scripts import Script

log = structlog.get_logger(__name__)

# A server that is starting, was demoted or is full did not run the command.
_NOT_RUN = (BusyLoadingError, ReadOnlyError, OutOfMemoryError)
_LOST = (RedisError, OSError, TimeoutError)
LOST_REPLY = "The reply of Redis was lost. Retry with the same actionId."
MALFORMED = "is no Redis URL: redis://[[user]:password@]host:port/database"


class _Closed:
    """Over a class of connections: what is raised when something is sent on a transport that was
    closed since its last use (by uvloop) or is being closed by another task (by redis-py) means a
    lost connection like any other."""

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        try:
            await super().send_packed_command(command, check_health)  # type: ignore[misc]
        except (RuntimeError, AttributeError) as error:
            raise RedisConnectionError(str(error)) from error


class _Tcp(_Closed, Connection):
    pass


class _Tls(_Closed, SSLConnection):
    pass


class _Unix(_Closed, UnixDomainSocketConnection):
    pass


_CLASSES = {Connection: _Tcp, SSLConnection: _Tls, UnixDomainSocketConnection: _Unix}


def pool(url: str, *, timeout: float | None, connections: int = 32) -> ConnectionPool:
    """A pool without retries. ``timeout`` in seconds; None for connections that block. While all
    ``connections`` are in use, the next command waits for one: to be busy is not to be away.
    Raises ConfigurationError, which does not show the URL and its password."""
    try:
        made = BlockingConnectionPool.from_url(
            url,
            protocol=2,
            max_connections=connections,
            timeout=timeout or 5.0,
            socket_timeout=timeout,
            socket_connect_timeout=timeout or 5.0,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:
        raise ConfigurationError(f"SCOREBOARD_REDIS_URL {MALFORMED}") from None
    made.connection_class = _CLASSES[made.connection_class]
    return made


def client(url: str, *, timeout: float | None, connections: int = 32) -> Redis:
    """A client for ordinary commands, or with ``timeout=None`` for blocking reads."""
    return Redis.from_pool(pool(url, timeout=timeout, connections=connections))


def pack(parts: Sequence[bytes]) -> bytes:
    """One command in RESP, ready to send."""
    return b"*%d\r\n" % len(parts) + b"".join(
        [b"$%d\r\n%b\r\n" % (len(part), part) for part in parts]
    )


class ScriptLine:
    """One connection that runs scripts, one at a time, and recovers lost replies.

    A script that may have run is sent again, word for word, until its reply arrives or ``timeout``
    seconds are over; each script must therefore know its own work (submit_scores by the attempt id
    in the receipt). Not safe for concurrent use: whoever owns the line sends one call at a time.
    """

    def __init__(self, connections: ConnectionPool, *, timeout: float) -> None:
        self._connection: Connection = connections.make_connection()
        self._replies = Replies()
        self._timeout = timeout
        # A script may have run whose reply was lost, since the owner last set this to False. Then
        # it can't be said any more that nothing was written.
        self.unsure = False

    async def close(self) -> None:
        """Closes the connection."""
        await self._connection.disconnect(nowait=True)

    async def run(
        self,
        script: Script,
        keys: Sequence[bytes],
        args: Sequence[bytes],
        *after: bytes,
        patience: float = 0.0,
    ) -> list[Any]:
        """The replies of the script and of the packed commands in ``after``, which are sent right
        behind it on the same connection (durability waits); an error of those is among the replies.
        ``patience`` is how many seconds they may take by themselves.

        Raises Unavailable when nothing was run, OutcomeUnknown when that can't be known
        (``unsure``), and ResponseError for an error inside the script.
        """
        call = pack((b"EVALSHA", digest(script), b"%d" % len(keys), *keys, *args))
        command = call + b"".join(after) if after else call
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
        """The reply of a command that only reads, in between. Raises Unavailable."""
        deadline = asyncio.get_running_loop().time() + self._timeout
        again = True  # that a connection died while it was idle may show only when it is used
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
        """Lets redis-py do what leads to a connection (address, TLS, AUTH, database)."""
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
            # Half a conversation: the next reply on this connection would not be ours.
            await self._connection.disconnect(nowait=True)
            raise
        if isinstance(received[0], RedisError):
            raise received[0]
        return received

    async def _load(self, script: Script, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await self._exchange(pack((b"SCRIPT", b"LOAD", source(script))), 1)
        except _LOST as error:
            raise Unavailable("Redis can't be reached.") from error


async def check_server(redis: Redis) -> None:
    """Looks at a server before the service trusts it with scores. Raises ConfigurationError on one
    that is too old or evicts keys; warns when the append-only file is off, or that of a Redis 7.0,
    which may mend it wrongly after a crash."""
    try:
        info: dict[str, Any] = await redis.info()
    except AuthenticationError as error:
        raise ConfigurationError(f"Redis refuses the credentials: {error}") from error
    version = str(info.get("redis_version", "0"))
    if int(version.split(".")[0]) < 7:
        raise ConfigurationError(f"Redis {version} is too old; 7.0 or Valkey 8 is needed")
    policy = info.get("maxmemory_policy")
    if policy != "noeviction":
        raise ConfigurationError(
            f"Redis evicts keys when full (maxmemory-policy {policy}), which would lose scores; "
            "set it to noeviction"
        )
    if not info.get("aof_enabled"):
        log.warning(
            "append_only_off",
            consequence="a crash of Redis loses what was not persisted to Postgres yet",
            remedy="CONFIG SET appendonly yes",
        )
    elif version.startswith("7.0."):
        log.warning(
            "append_only_fragile",
            version=version,
            consequence="a crash amid a write can lose or repeat writes one start later",
            remedy="rewrite the file after a crash (docs/durability.md), or run Valkey",
        )
