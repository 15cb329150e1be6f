"""The embedded Postgres of `up`: roles that can do their work and nothing else, also with the data
of an earlier version."""

from __future__ import annotations

import os
import re
from pathlib import Path

import asyncpg
import pytest

from scoreboard.local.embedded_servers import Postgres
from scoreboard.local.postgres_roles import OWNER, SERVICE, Confined
from scoreboard.pg.grants import grant
from scoreboard.pg.migrations import check_schema, migrate
from tests.support import servers

READ_SEARCH = 1 << 2  # CAP_DAC_READ_SEARCH


@pytest.fixture
async def earlier(tmp_path: Path) -> Postgres:
    """A cluster as an earlier version has left it: everything belongs to a superuser who may log
    in. Stopped."""
    made = servers.new_postgres(tmp_path / "postgres", **servers.NOT_DURABLE)
    made.start()
    superuser = await asyncpg.connect(made.url)
    await migrate(superuser)
    await check_schema(superuser, partitions=8)
    await superuser.execute("INSERT INTO board (board, partition, version) VALUES ('old', 1, 7)")
    await superuser.close()
    made.stop()
    return made


async def test_roles_do_their_work_and_reach_no_file_of_the_machine(earlier: Postgres) -> None:
    old_login = earlier.url
    confined = Confined(earlier)
    for _ in range(2):  # again, it changes nothing
        confined.confine()
    earlier.start()
    try:
        owner = await asyncpg.connect(confined.owner_url)
        assert await migrate(owner) == []
        await grant(owner, SERVICE)
        async with owner.transaction():  # as a later migration may
            await owner.execute("ALTER TABLE board ADD COLUMN later int; DROP VIEW kept_action")
            await owner.execute("ALTER TYPE action_status ADD VALUE 'later'")
            await owner.execute("DROP FUNCTION agents_against; CREATE TABLE newest (a int)")
        service = await asyncpg.connect(confined.service_url)
        await check_schema(service, partitions=8)
        assert await service.fetchval("SELECT version FROM board WHERE board = 'old'") == 7
        await service.execute("UPDATE board SET version = 8")
        await service.execute("CREATE TEMPORARY TABLE staged (a int)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.execute("CREATE TABLE mine (a int)")
        for connection in (owner, service):
            for forbidden in (
                "SELECT pg_read_file('/etc/passwd')",
                "COPY (SELECT 1) TO PROGRAM 'true'",
                "CREATE TEMPORARY TABLE files (a text); COPY files FROM '/etc/passwd'",
                "CREATE ROLE more SUPERUSER",
                "ALTER SYSTEM SET log_statement = 'all'",
                f"SET SESSION AUTHORIZATION {OWNER if connection is service else SERVICE}",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(forbidden)
            await connection.close()
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
            await asyncpg.connect(old_login)
        check_capabilities(earlier.process.pid)
    finally:
        earlier.stop()
    kept = [path for path in earlier.directory.iterdir() if path.suffix == ".password"]
    assert len(kept) == 2
    assert not [path for path in kept if path.stat().st_mode & 0o077]
    assert not (earlier.directory / "password").exists()


def check_capabilities(process: int | None) -> None:
    """As root, Postgres runs as another user who may look and can't gain more."""
    if os.geteuid() != 0:
        return
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    masks = {name: int(mask, 16) for name, mask in re.findall(r"Cap(\w+):\t(\w+)", status)}
    assert masks == dict.fromkeys(("Inh", "Prm", "Eff", "Bnd", "Amb"), READ_SEARCH)
    assert "NoNewPrivs:\t1" in status
    assert "\nUid:\t0" not in status
