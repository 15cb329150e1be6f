"""Real servers for the tests, on free ports and in temporary folders: in memory where it has room,
since most of them make hundreds of files and sync each, unless ``TMPDIR`` names another place.

Every test process has a Valkey of its own (or the redis-server named by ``REDIS_SERVER``); with
``REDIS_TOPOLOGY=cluster`` most tests get a cluster of three of these in its place. One
Postgres cluster serves the whole session: the first process that needs it makes it, each process
has a database of its own in it, and the session's first process ends it.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import signal
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
from redis.asyncio import Redis

from scoreboard.errors import ConfigurationError
from scoreboard.local import embedded_servers
from scoreboard.local.embedded_servers import Postgres, Valkey, postgres_binaries
from scoreboard.pg.migrations import migrate
from scoreboard.redisio.cluster_client import ClusterClient
from scoreboard.redisio.topologies import topology_at
from scripts.load.servers import given_server
from tests.support.waiting import PATIENCE

ON_A_CLUSTER = os.environ.get("REDIS_TOPOLOGY") == "cluster"
SHARED_FOLDER = "TEST_SERVERS_FOLDER"  # environment: what the processes of a session share
MEMORY = Path("/dev/shm")
GIVEN_PORTS = f"/tmp/scoreboard-test-ports-{os.getuid()}"  # empty: only its bytes' locks count
ROOM = 2 << 30  # bytes; a run of all tests was seen to take less than half of it
NOT_DURABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
}


class _Given(deque[int]):
    """The ports that any test process of this machine was given, each as long as the process
    lives: the system keeps a lock on the byte of this number. Between its choice and the moment at
    which a server listens, and while that is stopped, nobody else gets a port."""

    def __init__(self) -> None:
        super().__init__()
        self._file = os.open(GIVEN_PORTS, os.O_WRONLY | os.O_CREAT, 0o600)

    def __contains__(self, port: object) -> bool:
        assert isinstance(port, int)
        if super().__contains__(port):
            return True
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        except OSError:
            return True
        return False


embedded_servers._given = _Given()


def new_valkey(folder: Path, **options: str) -> Valkey:
    """A server that is not started yet; ``options`` are its settings, ``_`` for ``-``."""
    return Valkey(
        folder,
        binary=given_server(),
        options={name.replace("_", "-"): value for name, value in options.items()},
    )


@contextlib.asynccontextmanager
async def redis_client(url: str) -> AsyncIterator[Redis]:
    """A client of the server or cluster that the URL names, for as long as the block lasts."""
    topology = topology_at(url)
    whole = topology.sharded
    async with (
        Administrator(topology, timeout=PATIENCE, connections=8)
        if whole
        else topology.client(timeout=PATIENCE)
    ) as client:
        yield client
    await topology.close()


async def each_server(redis: Redis) -> Sequence[Redis]:
    """A client of each server of a cluster; of a server by itself the one that it is."""
    return await redis.each() if isinstance(redis, ClusterClient) else [redis]


class Administrator(ClusterClient):
    """What the service never does to a cluster is done to each of its servers."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        command = args[0].split(" ")[0]
        if command in ("FLUSHALL", "SCRIPT", "CONFIG", "ACL", "CLIENT", "KEYS", "DBSIZE"):
            told = [await one.execute_command(*args, **options) for one in await self.each()]
            return sum(told[1:], told[0]) if command in ("KEYS", "DBSIZE") else told[0]
        return await super().execute_command(*args, **options)

    async def scan_iter(  # type: ignore[override]  # redis-py's is for both kinds of clients
        self, match: Any = None, **options: Any
    ) -> AsyncIterator[Any]:
        for one in await self.each():
            async for key in one.scan_iter(match, **options):
                yield key

    def delete(self, *names: Any) -> Any:
        return self.unlink(*names)


def new_postgres(folder: Path, **options: str) -> Postgres:
    """A cluster that is not made yet; ``options`` are its settings."""
    return Postgres(folder, binaries=binaries_of_postgres(), options=options)


def binaries_of_postgres() -> Path:
    """The folder of the wheel's programs; without the wheel that in ``POSTGRES_BIN``."""
    try:
        return postgres_binaries()
    except ConfigurationError:
        return Path(os.environ["POSTGRES_BIN"])


def begin_session() -> None:
    """Make the folder that the session's processes share."""
    if "TMPDIR" not in os.environ and _takes_files(MEMORY):
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)
    os.environ[SHARED_FOLDER] = tempfile.mkdtemp(prefix="scoreboard-tests-")


def _takes_files(folder: Path) -> bool:
    """Whether it is there and has room for the tests' servers and programs."""
    try:
        there = os.statvfs(folder)
    except OSError:
        return False
    free = there.f_bavail * there.f_frsize
    return not there.f_flag & (os.ST_RDONLY | os.ST_NOEXEC) and free >= ROOM


def end_session() -> None:
    """End the shared cluster, whichever process made it, and remove the folder."""
    folder = Path(os.environ.pop(SHARED_FOLDER))
    pid_file = folder / "postgres" / "data" / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGINT)
        deadline = time.monotonic() + PATIENCE
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
            atexit.register(_leave_running, postgres)
            address.write_text(postgres.database_url(""))
        return address.read_text()


def _leave_running(postgres: Postgres) -> None:
    """Python warns of a child that outlives its parent; this one does until the session ends."""
    assert postgres.process._process is not None
    postgres.process._process.returncode = 0


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
        await connection.execute(_EMPTY)
    finally:
        await connection.close()


# To delete the few rows of a test takes a hundredth of the time of TRUNCATE, which makes new files
# for every table and index. Like that one, it waits for those who still write.
_EMPTY = """
DO $$
DECLARE
  name regclass;
  names regclass[] := ARRAY(
    SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace
    AND relkind IN ('r', 'p') AND relname <> 'schema_migration'
  );
  sequence regclass;
BEGIN
  SET LOCAL session_replication_role = replica; -- no foreign key asks for an order
  FOREACH name IN ARRAY names LOOP
    EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', name);
  END LOOP;
  FOREACH name IN ARRAY names LOOP
    IF pg_relation_size(name) > 1000000 THEN
      EXECUTE format('TRUNCATE %s CASCADE', name);
    ELSE
      EXECUTE format('DELETE FROM %s', name);
    END IF;
  END LOOP;
  FOR sequence IN SELECT oid FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'
  LOOP
    PERFORM setval(sequence, 1, false);
  END LOOP;
END $$"""


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
