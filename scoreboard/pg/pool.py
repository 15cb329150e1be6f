"""Connections to Postgres, and the translation of its errors into the service's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg

from scoreboard.errors import ConfigurationError, Unavailable

# Keys of pg_advisory_lock: a number of our own, then the partition (or the migrations).
LOCK_SPACE = 0x5342
MIGRATION_LOCK = -1

_REFUSED = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidPasswordError,
)
_AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that the server ended in the middle of an answer
)


@contextmanager
def translated() -> Iterator[None]:
    """Turns every error that means "Postgres is away" into Unavailable, and a refused login into
    ConfigurationError; a statement's own errors pass unchanged."""
    try:
        yield
    except _REFUSED as error:
        raise ConfigurationError(f"Postgres refuses the connection: {error}") from error
    except TimeoutError as error:
        raise Unavailable("Postgres did not answer in time.") from error
    except _AWAY as error:
        raise Unavailable("Postgres can't be reached.") from error


async def connect(*args: Any, **kwargs: Any) -> asyncpg.Connection:
    """Like asyncpg.connect, but a malformed URL raises ConfigurationError, whose text does not show
    the URL and its password."""
    try:
        return await asyncpg.connect(*args, **kwargs)
    except ValueError:
        raise ConfigurationError(
            "SCOREBOARD_DATABASE_URL is no Postgres URL: "
            "postgresql://user:password@host:port/database"
        ) from None


class _Pool(asyncpg.Pool):  # type: ignore[misc]  # asyncpg comes without types
    """A pool that waits at most ``patience`` seconds, both when it hands out a connection and when
    it takes one back; asyncpg's own pool would wait for ever."""

    __slots__ = ("_patience",)

    def __init__(self, url: str, *, connections: int, patience: float, **options: Any) -> None:
        super().__init__(
            url,
            min_size=0,
            max_size=connections,
            max_queries=50_000,  # from here on asyncpg.create_pool's own defaults
            max_inactive_connection_lifetime=300.0,
            loop=None,
            connection_class=asyncpg.Connection,
            record_class=asyncpg.Record,
            **options,
        )
        self._patience = patience

    def acquire(self, *, timeout: float | None = None) -> Any:
        return super().acquire(timeout=self._patience if timeout is None else timeout)


async def open_pool(url: str, *, connections: int, timeout: float) -> asyncpg.Pool:
    """A pool of up to ``connections``, each made when it is first needed, so that the pool can be
    opened while Postgres is away. ``timeout``, in seconds, bounds waiting for a connection,
    connecting, and each statement, including BEGIN and COMMIT."""
    return await _Pool(
        url,
        connections=connections,
        patience=timeout,
        connect=connect,
        timeout=timeout,
        command_timeout=timeout,
        server_settings={"application_name": "scoreboard", "client_min_messages": "warning"},
    )
