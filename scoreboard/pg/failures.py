"""What an error of Postgres means for the service, told by its SQLSTATE.

A failure has a ``detail`` that anybody may read. The server's own words may name users, databases
and addresses; they go to the log, and to the terminal of an operator's command.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import asyncpg
import structlog

from scoreboard.errors import Misconfigured, Unavailable
from scoreboard.telemetry import metrics
from scoreboard.telemetry.sparse import Sparse

log = structlog.get_logger(__name__)

LATELY = 60.0  # seconds for which a failure is told in reports of the service's health


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of failure. ``name`` is a metric's label. ``remedy`` is set when it takes an
    operator to change something, and says what."""

    name: str
    detail: str
    remedy: str = ""


UNREACHABLE = Kind("unreachable", "Postgres can't be reached.")
SILENT = Kind("silent", "Postgres did not answer in time.")
OCCUPIED = Kind("occupied", "All connections for such calls are in use.")
BUSY = Kind("busy", "Postgres gave the statement up: it waited or took too long.")
EXHAUSTED = Kind("exhausted", "Postgres is out of connections or memory.")
DISK_FULL = Kind("disk_full", "Postgres takes no writes: its disk is full.")
READ_ONLY = Kind("read_only", "Postgres takes no writes: it is read-only.")
BROKEN = Kind("broken", "Postgres reports a fault of its own.")
REFUSED = Kind(
    "refused",
    "Postgres refuses the service.",
    "correct SCOREBOARD_DATABASE_URL or the server's users, databases and pg_hba.conf",
)
NO_RIGHTS = Kind(
    "no_rights",
    "Postgres refuses the service.",
    "the role lacks rights: run `scoreboard migrate` as the owner of the database "
    "(SCOREBOARD_MIGRATION_URL), with --grant-to ROLE for the role of the service",
)
NO_SCHEMA = Kind(
    "no_schema",
    "The database's schema is not the one that the service needs.",
    "run `scoreboard migrate`",
)
TLS = Kind(
    "tls",
    "No trusted connection to Postgres can be made.",
    "correct sslmode, sslrootcert and the like in SCOREBOARD_DATABASE_URL, or the server's "
    "certificate",
)
POOLER = Kind(
    "pooler",
    "Postgres refuses the service.",
    "a pooler such as PgBouncer must give each client a session of its own (pool_mode=session), "
    "and take the options of SCOREBOARD_DATABASE_URL",
)

# By SQLSTATE, or by the class that its first two characters name. An error of any other is the
# statement's own, and passes unchanged.
_KINDS = {
    "08": UNREACHABLE,
    "08P01": POOLER,  # what a pooler answers to an option that it does not know
    "25006": READ_ONLY,
    "25P03": UNREACHABLE,  # a session that Postgres ended: it was idle in a transaction
    "26000": POOLER,  # a prepared statement that another server process has
    "28": REFUSED,
    "3D000": REFUSED,
    "3F000": NO_SCHEMA,
    "40": BUSY,
    "42501": NO_RIGHTS,
    "42703": NO_SCHEMA,  # a column is not there
    "42704": NO_SCHEMA,  # a type
    "42883": NO_SCHEMA,  # a function
    "42P01": NO_SCHEMA,  # a table
    "42P05": POOLER,
    "42P10": NO_SCHEMA,  # the unique index that an ON CONFLICT names by its columns
    "53": EXHAUSTED,
    "53100": DISK_FULL,
    "55P03": BUSY,  # lock_timeout
    "57": UNREACHABLE,
    "57014": BUSY,  # statement_timeout
    "58": BROKEN,
    "58030": BROKEN,
    "XX": BROKEN,
}


class Occupied(TimeoutError):
    """No connection of a pool became free in time. Says nothing about Postgres."""


CLIENT = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that the server ended in the middle of an answer
)
# A connection on which this came is of no more use, and neither are its neighbours in a pool.
STALE = frozenset({READ_ONLY, POOLER})
# Another host may do better.
ELSEWHERE = frozenset({UNREACHABLE, SILENT, READ_ONLY})

_sparse = Sparse()
_seen: dict[Kind, float] = {}  # when each was seen last


def kind_of(error: BaseException) -> Kind | None:
    """The kind of failure; None when the error is the statement's own."""
    if isinstance(error, Occupied):
        return OCCUPIED
    if isinstance(error, TimeoutError):
        return SILENT
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return READ_ONLY
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        return BUSY  # a migration came between; the statement is prepared anew
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
        return TLS
    if isinstance(error, ConnectionError) and "rejected SSL upgrade" in str(error):
        return TLS
    if isinstance(error, asyncpg.PostgresConnectionError) and "pooling mode" in str(error):
        return POOLER  # PgBouncer that gives a client no more than a statement
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        return _KINDS.get(state) or _KINDS.get(state[:2])
    return UNREACHABLE if isinstance(error, CLIENT) else None


@contextmanager
def translated() -> Iterator[None]:
    """Turns every error that means "not here, not now" into Unavailable, and one that takes an
    operator into Misconfigured; a statement's own errors pass unchanged. The server's words go to
    the log, sparsely."""
    try:
        yield
    except Exception as error:
        kind = kind_of(error)
        if kind is None:
            raise
        note(kind, error)
        if kind.remedy:
            raise Misconfigured(kind.detail, words=f"{in_a_line(error)}; {kind.remedy}") from error
        raise Unavailable(kind.detail, words=in_a_line(error)) from error


def in_a_line(error: BaseException) -> str:
    """The error's words, with detail and hint, which Postgres tells in lines of their own."""
    return " ".join(str(error).split())


def note(kind: Kind, error: BaseException) -> None:
    """Counts a failure and tells it to the log, unless it did so a moment ago."""
    if kind is OCCUPIED:
        metrics.limits.labels("postgres_connections").inc()
    else:
        metrics.postgres_failures.labels(kind.name).inc()
    _seen[kind] = time.monotonic()
    left_out = _sparse.due(kind.name)
    if left_out is not None:
        log.warning(
            "postgres_fails",
            kind=kind.name,
            said=f"{type(error).__name__}: {in_a_line(error)}",
            remedy=kind.remedy or None,
            repeated=left_out,
        )


def lately() -> list[str]:
    """The kinds of failure seen within the last minute in which Postgres itself answered: it is
    there, but does not do its work."""
    since = time.monotonic() - LATELY
    return [
        kind.detail
        for kind, seen in _seen.items()
        if seen > since and kind not in (UNREACHABLE, SILENT, OCCUPIED, BUSY)
    ]
