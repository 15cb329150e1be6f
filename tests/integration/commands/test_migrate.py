"""``scoreboard migrate``: as the owner, for a service with fewer rights, or refused in a line."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import asyncpg
import pytest
from structlog.testing import capture_logs

from scoreboard.pg.connection import connect
from scoreboard.pg.fitness import warn_of_shortcomings
from tests.support.command import named, scoreboard
from tests.support.waiting import PATIENCE

PASSWORD = "only-for-this-test"


@pytest.fixture
async def service(superuser: asyncpg.Connection, worker_id: str) -> AsyncIterator[str]:
    """A role with no rights; its name needs quotes."""
    name = f"the-service {worker_id}"
    await superuser.execute(f"""CREATE ROLE "{name}" LOGIN PASSWORD '{PASSWORD}'""")
    yield name
    await superuser.execute(f'DROP ROLE "{name}"')


@pytest.fixture
async def owned_url(
    superuser: asyncpg.Connection, cluster: str, worker_id: str, service: str
) -> AsyncIterator[str]:
    """URL of an empty database for the role that owns it, and nothing else."""
    name = f"owned_{worker_id}"
    await superuser.execute(f"""CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'""")
    await superuser.execute(f"CREATE DATABASE {name} OWNER {name}")
    yield _as(f"{cluster}{name}", name)
    await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await superuser.execute(f"DROP ROLE {name}")


def owner(url: str) -> dict[str, str]:
    """The whole environment of a command that runs as the owner, as docs/production.md has it."""
    return {"SCOREBOARD_MIGRATION_URL": url}


def _as(url: str, role: str) -> str:
    return re.sub("//[^@]*@", f"//{role.replace(' ', '%20')}:{PASSWORD}@", url)


async def test_one_command_prepares_a_database_for_a_service_with_fewer_rights(
    owned_url: str, service: str, redis_url: str
) -> None:
    variables = named(redis_url, _as(owned_url, service)) | {"SCOREBOARD_PARTITIONS": "4"}
    for _ in range(2):
        ended = await scoreboard("migrate", "--grant-to", service, **owner(owned_url))
        assert ended.code == 0, ended
        assert f"granted to {service}" in ended.out
        ended = await scoreboard("verify", **variables)
        assert ended.code == 0, ended
    ended = await scoreboard("ledger", "partition", **owner(owned_url))
    assert ended.code == 0, ended


@pytest.mark.parametrize("command", ["migrate", "serve", "persist", "verify"])
async def test_a_role_without_rights_is_told_what_to_do_in_a_line(
    command: str, owned_url: str, service: str, redis_url: str
) -> None:
    if command != "migrate":
        assert (await scoreboard("migrate", **named(redis_url, owned_url))).code == 0
    ended = await scoreboard(command, **named(redis_url, _as(owned_url, service)))
    said = (ended.out + ended.err).splitlines()
    assert ended.code != 0, said
    assert "permission denied" in said[-1]
    assert "--grant-to" in said[-1]
    assert not any("Traceback" in line for line in said)


@pytest.mark.parametrize("command", ["repartition 16", "ledger partition"])
async def test_what_only_the_owner_may_do_others_do_not_begin(
    command: str, owned_url: str, service: str, redis_url: str
) -> None:
    migrated = await scoreboard("migrate", "--grant-to", service, **named(redis_url, owned_url))
    assert migrated.code == 0, migrated
    ended = await scoreboard(*command.split(), **named(redis_url, _as(owned_url, service)))
    assert ended.code == 1
    said = ended.err.splitlines()[-1]
    assert f"the role {service!r} does not own the tables" in said
    assert "SCOREBOARD_MIGRATION_URL" in said


async def test_rights_that_a_table_lacks_are_warned_of(
    owned_url: str, service: str, redis_url: str
) -> None:
    variables = named(redis_url, _as(owned_url, service)) | {"SCOREBOARD_MIGRATION_URL": owned_url}
    assert (await scoreboard("migrate", "--grant-to", service, **variables)).code == 0
    owner = await asyncpg.connect(owned_url)
    await owner.execute(f'REVOKE INSERT ON board FROM "{service}"')
    await owner.execute(f'REVOKE DELETE ON dead_event FROM "{service}"')
    await owner.close()
    connection = await connect(_as(owned_url, service), timeout=PATIENCE)
    with capture_logs() as logs:
        await warn_of_shortcomings(connection)
    await connection.close()
    (line,) = logs
    assert line["lacking"] == ["INSERT on board", "DELETE on dead_event"]
    assert line["remedy"].endswith(f"scoreboard migrate --grant-to {service}")


async def test_a_role_that_is_not_there_is_named(owned_url: str, redis_url: str) -> None:
    ended = await scoreboard("migrate", "--grant-to", "nobody here", **named(redis_url, owned_url))
    assert ended.code == 1
    assert "there is no role 'nobody here'" in ended.err.splitlines()[-1]


async def test_a_database_that_can_not_keep_every_name_is_refused(
    superuser: asyncpg.Connection, cluster: str, worker_id: str, redis_url: str
) -> None:
    name = f"latin_{worker_id}"
    await superuser.execute(
        f"CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    )
    try:
        ended = await scoreboard("migrate", **named(redis_url, f"{cluster}{name}"))
        assert ended.code == 1
        assert "encoding is LATIN1" in ended.err.splitlines()[-1]
        assert "ENCODING 'UTF8'" in ended.err.splitlines()[-1]
    finally:
        await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def test_a_wrong_migration_url_is_named(redis_url: str, database_url: str) -> None:
    ended = await scoreboard(
        "migrate", **named(redis_url, database_url), SCOREBOARD_MIGRATION_URL="owner@db"
    )
    assert ended.code == 1
    assert ended.err.startswith("scoreboard: SCOREBOARD_MIGRATION_URL is no Postgres URL")
