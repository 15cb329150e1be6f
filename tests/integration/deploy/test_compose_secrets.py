"""The secrets that the script of deploy/compose makes open the servers set up with them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import asyncpg
import msgspec
import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError

from scoreboard.api.tokens import keys_from
from scoreboard.local.child_processes import Child
from scoreboard.local.embedded_servers import free_port, valkey_binary
from scoreboard.redisio.fitness import check_server
from scoreboard.settings import Settings
from tests.support.programs import program
from tests.support.waiting import PATIENCE

DEPLOY = Path(__file__).parents[3] / "deploy"


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """The folder that the script makes, beside copies of the files that it needs."""
    program("openssl", package="openssl")
    (tmp_path / "compose").mkdir()
    for name in ("users.acl", "redis.conf", "compose/make_secrets.sh"):
        shutil.copy(DEPLOY / name, tmp_path / name)
    subprocess.run([tmp_path / "compose" / "make_secrets.sh"], check=True, capture_output=True)
    return tmp_path / "compose" / "secrets"


def read(secret: Path) -> str:
    return secret.read_text(encoding="utf-8").strip()


async def test_valkey_lets_in_the_service_and_the_administrator(
    secrets: Path, tmp_path: Path
) -> None:
    configuration = (tmp_path / "redis.conf").read_text()
    configuration = configuration.replace("/etc/redis/users.acl", str(secrets / "users.acl"))
    (tmp_path / "redis.conf").write_text(configuration)
    port = free_port()
    options = ["--dir", str(tmp_path), "--port", str(port), "--bind", "127.0.0.1"]
    server = Child(
        "Valkey",
        [str(valkey_binary()), "redis.conf", *options],
        log=tmp_path / "log",
        folder=tmp_path,
    )
    server.start()
    try:
        server.wait_until(lambda: server.said("eady to accept"), timeout=PATIENCE)
        url = read(secrets / "redis_url").replace("valkey:6379", f"127.0.0.1:{port}")
        async with Redis.from_url(url) as service:
            await check_server(service)
        async with Redis(port=port, password=read(secrets / "redis_admin_password")) as admin:
            assert await admin.set("other", "1")
        async with Redis(port=port, protocol=2) as stranger:
            # What the health check of compose.yaml looks for.
            with pytest.raises(AuthenticationError, match="Authentication required"):
                await stranger.ping()
    finally:
        server.stop()


async def test_postgres_lets_in_both_roles(
    secrets: Path, superuser: asyncpg.Connection, cluster: str, worker_id: str
) -> None:
    # Roles of the test's own, since the cluster is shared.
    name, server = f"compose_{worker_id}", cluster.rpartition("@")[2]
    sql = re.sub(r"\bscoreboard(_owner)?\b", rf"{name}\1", read(secrets / "roles.sql"))
    try:
        for role in (name, f"{name}_owner"):
            await superuser.execute(f"CREATE ROLE {role} LOGIN")
        await superuser.execute(sql)
        for secret in ("database_url", "migration_url"):
            url = re.sub(r"//scoreboard(_owner)?:", rf"//{name}\1:", read(secrets / secret))
            url = url.replace("postgres:5432/scoreboard", f"{server}postgres")
            connection = await asyncpg.connect(url)
            assert await connection.fetchval("SELECT 1") == 1
            await connection.close()
    finally:
        for role in (name, f"{name}_owner"):
            await superuser.execute(f"DROP ROLE IF EXISTS {role}")


def test_the_service_takes_the_signing_key(secrets: Path) -> None:
    assert keys_from(msgspec.structs.replace(Settings(), jwt_keys=read(secrets / "jwt_keys")))
