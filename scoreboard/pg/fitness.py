"""What a database must be for the service to keep its scores there, beyond its schema."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import structlog

from scoreboard.errors import ConfigurationError
from scoreboard.pg.address import Address
from scoreboard.pg.connection import Session, connect
from scoreboard.pg.failures import translated
from scoreboard.pg.sql import statements

_sql = statements("fitness")
log = structlog.get_logger(__name__)

# How often to look whether another client gets the process of this one: others that are busy may
# have taken it just then.
LOOKS, LOOKS_AT_A_POOLER = 2, 40


async def check_sessions(address: Address, *, timeout: float) -> None:
    """Checks that each client has a session of its own. Behind a pooler that shares sessions
    between clients, the locks that partitions are worked on under would be left without an owner.
    Raises ConfigurationError, or Unavailable."""
    with translated():
        async with AsyncExitStack() as opened:
            one, other = [await _plain(address, timeout, opened) for _ in range(2)]
            own = await _process(one)
            # Who is answered by the process that greeted it has no pooler before it, most likely.
            looks = LOOKS if own == one.get_server_pid() else LOOKS_AT_A_POOLER
            shared = False
            for _ in range(looks):
                async with other.transaction():  # keeps the process that it has now
                    meanwhile = await _process_now(other)
                    shared = meanwhile == own or await _process(one) != own
                # Looked at again after the other's transaction has ended: a pooler that hands out
                # the session that came back last would otherwise give each client its own every
                # time. And looked at twice, since a pooler might hand out two sessions in turn.
                if shared or (shared := {await _process(one), await _process(one)} != {own}):
                    break
    if shared:
        raise ConfigurationError(
            "Postgres is behind a pooler that shares its sessions between clients (PgBouncer's "
            "pool_mode=transaction or statement), so locks would be left without an owner: set "
            "pool_mode=session for this database, or connect without the pooler"
        )


async def _plain(address: Address, timeout: float, opened: AsyncExitStack) -> Session:
    """A connection without prepared statements, which such a pooler would mix up."""
    connection = await connect(
        address, timeout=timeout, command_timeout=timeout, statement_cache_size=0
    )
    opened.callback(connection.terminate)
    return connection


async def _process(connection: Session) -> int:
    """The server's process for one transaction, in which a pooler changes nothing."""
    async with connection.transaction():
        return await _process_now(connection)


async def _process_now(connection: Session) -> int:
    process: int = await connection.fetchval(_sql["process"])
    return process


async def check_owner(connection: Any) -> None:
    """Checks that the migrated tables belong to the connection's role, before it does what nobody
    else may. Raises ConfigurationError, or Unavailable."""
    with translated():
        role = await connection.fetchval(_sql["no_owner"])
    if role is not None:
        raise ConfigurationError(
            f"the role {role!r} does not own the tables, but this needs their owner: name it in "
            "SCOREBOARD_MIGRATION_URL"
        )


def check_encoding(connection: Any) -> None:
    """Raises ConfigurationError for a database that can't keep every name."""
    encoding = connection.get_settings().server_encoding
    if encoding != "UTF8":
        raise ConfigurationError(
            f"the database's encoding is {encoding}, which can't keep every player's name: make "
            "one with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
        )


async def warn_of_shortcomings(connection: Any) -> None:
    """Warns of what will fail some calls later on: a database of another encoding, made by an
    earlier version, and rights that the role lacks. Raises Unavailable."""
    encoding = connection.get_settings().server_encoding
    if encoding != "UTF8":
        log.warning(
            "encoding_not_utf8",
            encoding=encoding,
            consequence="actions with names that it can't keep go to the dead letters",
            remedy="dump the data and restore it into a database of encoding UTF8",
        )
    with translated():
        role, lacking = await connection.fetchrow(_sql["lacking_rights"])
    if lacking:
        log.warning(
            "rights_missing",
            role=role,
            lacking=lacking,
            remedy=f"as the owner of the database: scoreboard migrate --grant-to {role}",
        )
