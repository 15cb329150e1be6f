"""Connections to Postgres, made so that neither side waits long for a peer that has vanished."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import asyncpg
import structlog

from scoreboard.errors import ConfigurationError, Misconfigured, ScoreboardError
from scoreboard.pg import failures
from scoreboard.pg.address import FORM, Address, parse
from scoreboard.pg.sql import statements

_sql = statements("connection")
log = structlog.get_logger(__name__)

# What frees a vanished client's locks: Postgres gives a silent client up after some 11 s, whether
# it waits for the client (keepalives), has answered it (user timeout) or is at work for it (check
# interval); the last needs a system that tells of a closed connection.
SESSION = {
    "client_min_messages": "warning",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "idle_in_transaction_session_timeout": "5min",
}
CHECK = {"client_connection_check_interval": "5s"}
SILENCE = 3.0  # seconds without an answer after which Postgres is asked whether it has the question
LOOKS = 3  # in a row that find Postgres waiting for more of a statement, of which nothing came
# What a statement says that leaves something behind which a pool's next user must not find.
LEAVES = ("pg_advisory_lock(", "pg_try_advisory_lock(", "idle_in_transaction_session_timeout")

# SQLSTATEs of a server, or a pooler, that does not take an option of the URL.
_OPTION = frozenset({"08P01", "22023", "42501", "42704"})


class Session(asyncpg.Connection):  # type: ignore[misc]  # asyncpg comes without types
    """A connection that knows its settings, which its reset must not lose, and that notices when
    nothing passes any more though the peer's machine, or a proxy, is there: a statement without an
    answer makes it ask Postgres, on another connection, whether it is at work on it at all."""

    address: Address
    on_silence: Callable[[], Awaitable[None]] | None = None
    _leaves = False

    def get_reset_query(self) -> str:
        """Releases the locks and takes back what a session under a lock has set: nothing else is
        left behind, since cursors end with their transactions. Empty, which spares a round trip,
        after statements that do neither."""
        return (
            "SELECT pg_advisory_unlock_all();"
            "SET idle_in_transaction_session_timeout = "
            f"'{SESSION['idle_in_transaction_session_timeout']}'"
            if self._leaves
            else ""
        )

    async def reset(self, *, timeout: float | None = None) -> None:
        """Like asyncpg's, but without an error in the log for a transaction whose own end came to
        nothing, as that of a call that Postgres did not answer."""
        if self.is_in_transaction():
            await self.execute("ROLLBACK", timeout=timeout)
        await super().reset(timeout=timeout)
        self._leaves = False  # the pool closes a connection whose reset fails

    async def close(self, *, timeout: float | None = None) -> None:
        """Like asyncpg's; but one that the server does not end in time, or has lost, is cut off
        without an error: pools let old connections go where nobody would take it."""
        with suppress(OSError):  # a timeout is one
            await super().close(timeout=timeout)

    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Like asyncpg's."""
        with self._noticing(args[0]):
            return await super().execute(*args, **kwargs)

    async def fetch(self, *args: Any, **kwargs: Any) -> Any:
        """Like asyncpg's."""
        with self._noticing(args[0]):
            return await super().fetch(*args, **kwargs)

    async def fetchval(self, *args: Any, **kwargs: Any) -> Any:
        """Like asyncpg's."""
        with self._noticing(args[0]):
            return await super().fetchval(*args, **kwargs)

    async def fetchrow(self, *args: Any, **kwargs: Any) -> Any:
        """Like asyncpg's."""
        with self._noticing(args[0]):
            return await super().fetchrow(*args, **kwargs)

    async def copy_records_to_table(self, *args: Any, **kwargs: Any) -> Any:
        """Like asyncpg's. The records have to be at hand: nobody waits for more of them."""
        with self._noticing():
            return await super().copy_records_to_table(*args, **kwargs)

    async def chunks(
        self,
        query: str,
        *args: Any,
        size: int,
        first: float | None = None,
        further: float | None = None,
    ) -> AsyncIterator[list[Any]]:
        """The rows of a query, ``size`` at a time, by a cursor in a transaction. The first rows may
        take ``first`` seconds, all else ``further``; None means the connection's own timeout."""
        async with self.transaction():
            with self._noticing():
                cursor = await self.cursor(query, *args, timeout=further)
            patience = first
            while True:
                with self._noticing():
                    chunk = await cursor.fetch(size, timeout=patience)
                if not chunk:
                    break
                yield chunk
                patience = further

    @contextmanager
    def _noticing(self, statement: str = "") -> Iterator[None]:
        if any(words in statement for words in LEAVES):
            self._leaves = True
        looking: list[asyncio.Task[None]] = []
        timer = asyncio.get_running_loop().call_later(
            SILENCE, lambda: looking.append(asyncio.create_task(self._look()))
        )
        try:
            yield
        except AttributeError as error:
            if not self.is_closed():
                raise
            # asyncpg goes on with nothing where a connection ended between two of its messages.
            raise asyncpg.InterfaceError("the connection has ended") from error
        finally:
            timer.cancel()
            for task in looking:
                task.cancel()

    async def _look(self) -> None:
        has: list[int | None] = []  # how much of the statement Postgres has, at each look
        while True:
            idle, much = await self._waits_for_client()
            has.append(much)
            latest = has[-LOOKS:]
            if idle or (much is not None and latest == [much] * LOOKS):
                break
            await asyncio.sleep(SILENCE)
        log.warning("connection_dead", process=self.get_server_pid())
        self.terminate()
        if self.on_silence is not None:
            await self.on_silence()

    async def _waits_for_client(self) -> tuple[bool, int | None]:
        """Whether Postgres waits for this connection to begin a statement, while this connection
        waits for an answer; and if it waits for more of one, how many bytes it has of it."""
        try:
            other = await connect(self.address, timeout=SILENCE)
            try:
                query = _sql["waits_for_client"]
                found = await other.fetchrow(query, self.get_server_pid(), timeout=SILENCE)
                return (bool(found["idle"]), found["has"]) if found else (False, None)
            finally:
                other.terminate()
        except (*failures.CLIENT, asyncpg.PostgresError, ScoreboardError):
            return False, None


def chunks_of(
    connection: Any, query: str, *args: Any, **limits: Any
) -> AsyncGenerator[list[Any], None]:
    """``Session.chunks``, of a connection that may come from a pool. Raises InterfaceError when it
    has ended: the pool's wrapper has no ``chunks`` then, and asyncpg raises this error only for its
    own methods."""
    chunks = getattr(connection, "chunks", None)
    if chunks is None:
        raise asyncpg.InterfaceError("the connection has ended")
    found: AsyncGenerator[list[Any], None] = chunks(query, *args, **limits)
    return found


async def connect(url: str | Address, *, timeout: float, **options: Any) -> Session:
    """A connection to the first host of the URL that takes one, within ``timeout`` seconds in all;
    one of several that is silent keeps the others waiting for SILENCE seconds at most. A URL that
    is wrong raises ConfigurationError, an option that the server does not take Misconfigured;
    neither shows the password."""
    address = parse(url) if isinstance(url, str) else url
    options.setdefault("server_settings", {"application_name": "scoreboard"})
    if "application_name" in address.given:
        options["server_settings"] = {}
    options["connection_class"] = Session
    if address.connect_timeout:
        timeout = min(timeout, address.connect_timeout * len(address.urls))
    share = timeout / len(address.urls)
    haste = min(share, SILENCE) if len(address.urls) > 1 else share
    tries = [(url, haste) for url in address.urls]
    for number, (one, patience) in enumerate(tries, 1):
        try:
            connection = await _connect(address, one, timeout=patience, **options)
        except (OSError, asyncpg.PostgresError, asyncpg.TargetServerAttributeNotMatched) as error:
            kind = failures.kind_of(error)
            if kind is failures.SILENT and number <= len(address.urls) and haste < share:
                tries.append((one, share - haste))  # it may be slow: once more behind the others
            if number == len(tries) or kind not in failures.ELSEWHERE:
                raise
        else:
            address.prefer(one)
            return connection
    raise AssertionError("an address has a host")


async def _connect(address: Address, url: str, *, timeout: float, **options: Any) -> Session:
    try:
        connection: Session = await asyncpg.connect(url, timeout=timeout, **options)
    except asyncpg.PostgresError as error:
        if error.sqlstate in _OPTION:
            failures.note(failures.POOLER, error)
            said = failures.in_a_line(error)
            words = f"{address.variable}: the server does not take an option: {said}"
            raise Misconfigured(failures.REFUSED.detail, words=words) from error
        raise
    except asyncpg.exceptions.ClientConfigurationError as error:
        # Of a wrong value it tells; of a malformed URL it would show parts, perhaps the password.
        said = failures.in_a_line(error)
        told = said.startswith(("`ssl", "root certificate", "direct TLS", "No such TLS"))
        raise ConfigurationError(
            f"{address.variable}: {said}" if told else f"{address.variable} {FORM}"
        ) from None
    except (ValueError, OverflowError) as error:  # PGPORT may be beyond all ports
        if isinstance(error, OSError):
            raise  # a certificate that is not trusted is both
        raise ConfigurationError(f"{address.variable} {FORM}") from None
    try:
        _keep_watch(connection, address.socket_options)
        await _prepare(connection, address.given)
    except BaseException:
        connection.terminate()
        raise
    connection.address = address
    return connection


def _keep_watch(connection: asyncpg.Connection, options: list[tuple[int, int, int]]) -> None:
    """Sets the socket's options, through a descriptor of our own: transports hide their socket."""
    shown = connection._transport.get_extra_info("socket")
    if shown.family == socket.AF_UNIX:
        return
    with socket.socket(fileno=os.dup(shown.fileno())) as own:
        for option in options:
            own.setsockopt(*option)


async def _prepare(connection: asyncpg.Connection, given: frozenset[str]) -> None:
    """Not as options of the connection, which poolers refuse."""
    try:
        await connection.execute(_set(SESSION | CHECK, given))
    except asyncpg.InvalidParameterValueError:
        await connection.execute(_set(SESSION, given))


def _set(settings: dict[str, str], given: frozenset[str]) -> str:
    return ";".join(
        f"SET {name} = '{value}'" for name, value in settings.items() if name not in given
    )
