"""The files in deploy/ work as they are, set up as docs/production.md says."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError

from scoreboard.local.child_processes import Child
from scoreboard.local.embedded_servers import free_port, postgres_binaries, valkey_binary
from scoreboard.pg.migrations import check_schema
from scoreboard.redisio.fitness import check_server
from tests.support.command import scoreboard
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[3]


def quoted(name: str, page: str = "production.md") -> str:
    """The text between the page's marks of this name."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    found = re.search(f"<!-- {name} -->\n(.*?)<!-- end of {name} -->", text, re.DOTALL)
    assert found, name
    return found[1]


def test_the_page_quotes_the_configuration_of_redis() -> None:
    lines = (ROOT / "deploy" / "redis.conf").read_text(encoding="utf-8").splitlines()
    settings = [line for line in lines if line and not line.startswith("#")]
    assert quoted("deploy/redis.conf").split("\n") == [f"    {line}" for line in settings] + [""]


def test_the_page_quotes_the_rights_of_the_service() -> None:
    _, service = (ROOT / "deploy" / "users.acl").read_text(encoding="utf-8").splitlines()
    assert service.split() == ["user", "scoreboard", "off", *quoted("redis acl").split()]


def _pasted(lines: str, folder: Path = ROOT) -> str:
    """What a shell prints into which the lines are pasted."""
    shell = ["bash", "-euc", lines]
    return subprocess.run(shell, cwd=folder, capture_output=True, text=True, check=True).stdout


def test_each_secret_of_the_units_comes_from_the_files_of_settings(tmp_path: Path) -> None:
    owner, service = "postgresql://owner:a%40b@h/d", "postgresql://scoreboard:c%2Fd@h/d?sslmode=x"
    redis, keys = "redis://scoreboard:e=f@h:6379/0", "2026-11=abc=="
    (tmp_path / "migrate.env").write_text(f"SCOREBOARD_MIGRATION_URL={owner}\n")
    (tmp_path / "scoreboard.env").write_text(
        f"SCOREBOARD_REDIS_URL={redis}\nSCOREBOARD_DATABASE_URL={service}\n"
        f"SCOREBOARD_JWT_KEYS={keys}\n"
    )
    made = tmp_path / "scoreboard"
    lines = quoted("secrets of units", "deploying.md")
    _pasted(lines.replace("/etc/scoreboard", str(made)), tmp_path)
    assert made.stat().st_mode & 0o777 == 0o700
    assert {file.name: file.read_text() for file in made.iterdir()} == {
        "migration_url": f"{owner}\n",
        "redis_url": f"{redis}\n",
        "database_url": f"{service}\n",
        "jwt_keys": f"{keys}\n",
    }


async def test_a_redis_set_up_by_the_page_takes_the_service_and_no_stranger(
    tmp_path: Path,
) -> None:
    port, configuration = free_port(), tmp_path / "redis.conf"
    configuration.write_text(f"bind 127.0.0.1\nport {port}\ndir {tmp_path}\n")
    steps = quoted("redis set-up").replace("/etc/redis/", f"{tmp_path}/")
    steps = steps.replace("systemctl restart redis-server", "")
    told = _pasted(steps)
    found = re.fullmatch(r"admin: (\w+)  SCOREBOARD_REDIS_URL=(\S+)\n", told)
    assert found
    with configuration.open("a") as file:  # not where Debian has it
        file.write(f"aclfile {tmp_path}/users.acl\n")

    binary = os.environ.get("REDIS_SERVER") or str(valkey_binary())
    server = Child("Redis", [binary, "redis.conf"], log=tmp_path / "log", folder=tmp_path)
    server.start()
    try:
        server.wait_until(lambda: server.said("eady to accept"), timeout=PATIENCE)
        async with Redis.from_url(found[2].replace(":6379", f":{port}")) as service:
            await check_server(service)
            with pytest.raises(NoPermissionError):
                await service.set("other", "1")
        async with Redis(port=port, password=found[1]) as admin:
            assert await admin.set("other", "1")
        _pasted(quoted("redis rights", "upgrade.md").replace("/etc/redis/", f"{tmp_path}/"))
        async with Redis(port=port, password=found[1]) as admin:
            before = await admin.acl_list()
            await admin.acl_load()
            assert await admin.acl_list() == before
        async with Redis(port=port) as stranger:
            with pytest.raises(AuthenticationError):
                await stranger.ping()
    finally:
        server.stop()


async def test_the_database_and_roles_of_the_file_are_all_that_migrate_and_the_service_need(
    cluster: str, worker_id: str
) -> None:
    # Names of the test's own, since the cluster is shared.
    name = f"deploy_{worker_id}"
    script = (ROOT / "deploy" / "postgres.sql").read_text(encoding="utf-8")
    script = re.sub(r"\bscoreboard(_owner)?\b(?! migrate)", rf"{name}\1", script)
    psql = [str(postgres_binaries() / "psql"), "--no-psqlrc", f"{cluster}postgres"]
    superuser = await asyncpg.connect(f"{cluster}postgres")
    try:
        for _ in range(2):
            done = subprocess.run(psql, input=script, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stderr) == (0, "")
        for role in (name, f"{name}_owner"):
            await superuser.execute(f"ALTER ROLE {role} PASSWORD '{role}'")
        host = cluster.rpartition("@")[2]
        migrated = await scoreboard(
            *("migrate", "--grant-to", name),
            SCOREBOARD_DATABASE_URL=f"postgresql://{name}:{name}@{host}{name}",
            SCOREBOARD_MIGRATION_URL=f"postgresql://{name}_owner:{name}_owner@{host}{name}",
        )
        assert migrated.code == 0, migrated
        service = await asyncpg.connect(f"postgresql://{name}:{name}@{host}{name}")
        await check_schema(service, partitions=8)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.execute("CREATE TABLE mine ()")
        await service.close()
    finally:
        await superuser.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        for role in (name, f"{name}_owner"):
            await superuser.execute(f"DROP ROLE IF EXISTS {role}")
        await superuser.close()
