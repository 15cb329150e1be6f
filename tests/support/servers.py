"""Real servers for the tests, on free ports and in temporary folders.

Every test process has a Valkey of its own (or the redis-server named by ``REDIS_SERVER``). One
Postgres cluster serves the whole session: the first process that needs it makes it, each process
has a database of its own in it, and the session's first process ends it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg

from scoreboard.errors import ConfigurationError
from scoreboard.local.embedded_servers import Postgres, Valkey, postgres_binaries
from scoreboard.pg.migrations import migrate

SHARED_FOLDER = "TEST_SERVERS_FOLDER"  # environment: what the processes of a session share
NOT_DURABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
}

_made: list[Postgres] = []  # kept, as Python warns of a running process that nobody refers to


def new_valkey(folder: Path, **options: str) -> Valkey:
    """A server that is not started yet; ``options`` are its settings, ``_`` for ``-``."""
    given = os.environ.get("REDIS_SERVER")
    return Valkey(
        folder,
        binary=Path(given) if given else None,
        options={name.replace("_", "-"): value for name, value in options.items()},
    )


def new_postgres(folder: Path, **options: str) -> Postgres:
    """A cluster that is not made yet; ``options`` are its settings. Without the wheel the
    binaries in ``POSTGRES_BIN`` are used."""
    try:
        binaries = postgres_binaries()
    except ConfigurationError:
        binaries = Path(os.environ["POSTGRES_BIN"])
    return Postgres(folder, binaries=binaries, options=options)


def begin_session() -> None:
    """Make the folder that the session's processes share."""
    os.environ[SHARED_FOLDER] = tempfile.mkdtemp(prefix="scoreboard-tests-")


def end_session() -> None:
    """End the shared cluster, whichever process made it, and remove the folder."""
    folder = Path(os.environ.pop(SHARED_FOLDER))
    pid_file = folder / "postgres" / "data" / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGINT)
        deadline = time.monotonic() + 10
        while pid_file.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
    shutil.rmtree(folder)


def shared_cluster() -> str:
    """URL of the session's cluster, without the database at its end; started when there is
    none."""
    folder = Path(os.environ[SHARED_FOLDER])
    address = folder / "address"
    with _locked(folder / "lock"):
        if not address.exists():
            postgres = new_postgres(folder / "postgres", **NOT_DURABLE)
            postgres.start()
            _made.append(postgres)
            address.write_text(postgres.database_url(""))
        return address.read_text()


async def create_database(cluster: str, name: str) -> str:
    """Create and migrate a database; its URL."""
    connection = await asyncpg.connect(f"{cluster}postgres")
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
    connection = await asyncpg.connect(f"{cluster}{name}")
    try:
        await migrate(connection)
    finally:
        await connection.close()
    return f"{cluster}{name}"


async def empty_database(url: str) -> None:
    """Remove all rows that the tests have written."""
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch(
            "SELECT tablename FROM pg_tables"
            " WHERE schemaname = 'public' AND tablename <> 'schema_migration'"
        )
        if tables:
            names = ", ".join(f'"{row["tablename"]}"' for row in tables)
            await connection.execute(f"TRUNCATE {names} RESTART IDENTITY CASCADE")
    finally:
        await connection.close()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
