"""Connections: what both sides know of each other, hosts that do not serve, and a server that
changes its mind about the service."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from scoreboard.errors import ConfigurationError, Misconfigured, Unavailable
from scoreboard.pg.connection import CHECK, SESSION, connect
from scoreboard.pg.failures import translated
from scoreboard.pg.ledger import Ledger
from scoreboard.pg.pool import open_pool
from tests.support.in_between import calling, listening, pass_on
from tests.support.ledger_entries import BOARD, PARTITION
from tests.support.waiting import PATIENCE, wait_until

NOBODY = "127.0.0.1:1"
TAKES_BACK = "SELECT pg_advisory_unlock_all();SET idle_in_transaction_session_timeout = '5min'"


def through(url: str, hosts: str, **options: str) -> str:
    """The URL with these hosts, ``HOST`` for its own, and options."""
    own = url.rpartition("@")[2].partition("/")[0]
    asked = "&".join(f"{name}={value}" for name, value in options.items())
    return f"{url.replace(own, hosts.replace('HOST', own))}?{asked}".rstrip("?")


@pytest.fixture
async def role(database_url: str, database: asyncpg.Connection) -> AsyncIterator[str]:
    """A role of the test's own, that may read; its URL. Its password is its name."""
    name = f"guest_{database_url.rpartition('/')[2]}"
    await database.execute(f"""CREATE ROLE {name} LOGIN PASSWORD '{name}'""")
    await database.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
    yield re.sub("//[^@]*@", f"//{name}:{name}@", database_url)
    await database.execute(f"DROP OWNED BY {name}")
    await database.execute(f"DROP ROLE {name}")


def name_of(url: str) -> str:
    return url.partition("//")[2].partition(":")[0]


async def test_postgres_gives_a_silent_client_up_and_so_does_a_connection_that_was_used(
    pool: asyncpg.Pool,
) -> None:
    async with Ledger(pool).locked(PARTITION) as session:
        assert await session.connection.fetchval("SHOW idle_in_transaction_session_timeout") == (
            "15s"
        )
    chosen = SESSION | CHECK
    async with pool.acquire() as connection:
        found = {name: await connection.fetchval(f"SHOW {name}") for name in chosen}
        assert await connection.fetchval("SHOW application_name") == "scoreboard"
    assert found == chosen
    idle, every, count = (
        int(found[f"tcp_keepalives_{name}"]) for name in ("idle", "interval", "count")
    )
    assert idle + every * count < 15


async def test_only_what_a_session_leaves_behind_is_taken_back(
    database_url: str, database: asyncpg.Connection
) -> None:
    pool = await open_pool(database_url, connections=1, timeout=PATIENCE)
    await pool.execute("SELECT 1")  # after which a new connection's settings are set once more
    process = await pool.fetchval("SELECT pg_backend_pid()")

    async def last_statement() -> str:
        found = await database.fetchval(
            "SELECT query FROM pg_stat_activity WHERE pid = $1", process
        )
        return str(found)

    async def locks() -> int:
        found: int = await database.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = $1", process
        )
        return found

    assert await last_statement() == "SELECT pg_backend_pid()"
    async with Ledger(pool).locked(PARTITION):
        assert await locks() == 1
    assert await locks() == 0
    assert await last_statement() == TAKES_BACK
    await pool.execute("SELECT 2")
    assert await last_statement() == "SELECT 2"
    await pool.close()


async def test_what_the_url_asks_for_is_kept(database_url: str) -> None:
    url = through(
        database_url,
        "HOST",
        application_name="mine",
        statement_timeout="7000",
        tcp_user_timeout="3000",
        idle_in_transaction_session_timeout="4000",
        connect_timeout="30",
        channel_binding="prefer",
    )
    pool = await open_pool(url, connections=1, timeout=PATIENCE)
    for _ in range(2):  # new, and used before
        async with pool.acquire() as connection:
            shown = [
                await connection.fetchval(f"SHOW {name}")
                for name in ("application_name", "statement_timeout")
            ]
            assert shown == ["mine", "7s"]
    await pool.close()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"sslmode": "verify-full"}, "root certificate file .* does not exist"),
        ({"sslmode": "perhaps"}, "`sslmode` parameter must be one of"),
        ({"hostaddr": "10.1.2.3"}, "SCOREBOARD_DATABASE_URL: .*hostaddr"),
        ({"statement_timeout": "soon"}, "SCOREBOARD_DATABASE_URL: .*statement_timeout"),
        ({"sslmode": "require"}, "sslmode"),
    ],
)
async def test_an_option_that_can_not_be_honoured_is_one_clear_line(
    database_url: str,
    options: dict[str, str],
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises((ConfigurationError, Misconfigured)) as refused, translated():
        await connect(through(database_url, "HOST", **options), timeout=PATIENCE)
    error = refused.value
    line = error.words if isinstance(error, Misconfigured) else error.detail
    assert re.search(complaint, line), line
    assert "\n" not in line


async def test_the_next_host_is_asked_when_one_does_not_answer(database_url: str) -> None:
    pool = await open_pool(through(database_url, f"{NOBODY},HOST"), connections=2, timeout=PATIENCE)
    assert await pool.fetchval("SELECT 1") == 1
    await pool.close()


@pytest.fixture
async def muted(database_url: str) -> AsyncIterator[tuple[str, list[int]]]:
    """A host that is silent to its first client and leads every other to Postgres, and the clients
    that it has had."""
    postgres, clients = urlsplit(database_url), list[int]()

    async def serve(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        clients.append(len(clients))
        if len(clients) == 1:
            await client.read()
        else:
            async with calling(postgres.hostname, postgres.port) as (there, to_there):
                await asyncio.gather(pass_on(client, to_there), pass_on(there, to_client))

    async with listening(serve) as port:
        yield f"127.0.0.1:{port}", clients


@pytest.mark.parametrize("other", ["HOST", NOBODY])
async def test_a_silent_host_keeps_no_other_waiting_and_is_asked_again_behind_them(
    database_url: str,
    muted: tuple[str, list[int]],
    other: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host, clients = muted
    monkeypatch.setattr("scoreboard.pg.connection.SILENCE", 0.5)

    async def asked_no_more_than_that() -> bool:
        clients.clear()
        async with asyncio.timeout(PATIENCE):
            made = await connect(through(database_url, f"{host},{other}"), timeout=10 * PATIENCE)
            assert await made.fetchval("SELECT 1") == 1
            await made.close()
        # It is asked once more where Postgres was too busy to answer in time.
        return len(clients) == (1 if other == "HOST" else 2)

    await wait_until(asked_no_more_than_that, description="nobody waited for the silent host")


async def test_a_host_that_takes_no_writes_is_passed_over_when_there_are_several(
    database_url: str, database: asyncpg.Connection
) -> None:
    name = database_url.rpartition("/")[2]
    await database.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    try:
        with pytest.raises(Unavailable, match="read-only"), translated():
            await connect(through(database_url, "HOST,HOST"), timeout=PATIENCE)
        single = await connect(database_url, timeout=PATIENCE)  # reads go on from the only one
        assert await single.fetchval("SELECT 1") == 1
        await single.close()
    finally:
        await database.execute("SET default_transaction_read_only = off")
        await database.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')


async def test_a_server_that_turned_read_only_is_left_at_the_first_refusal(
    database_url: str, database: asyncpg.Connection
) -> None:
    pool = await open_pool(database_url, connections=3, timeout=PATIENCE)
    query = "SELECT pg_backend_pid()"
    async with pool.acquire() as one, pool.acquire() as two:
        before = {await one.fetchval(query), await two.fetchval(query)}

    async def demoted() -> None:
        with translated():
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute("SET TRANSACTION READ ONLY")
                await connection.execute("UPDATE setup SET partitions = 8")

    with pytest.raises(Unavailable, match="it is read-only"):
        await demoted()
    async with pool.acquire() as one, pool.acquire() as two:
        after = {await one.fetchval(query), await two.fetchval(query)}
    await pool.close()
    assert before.isdisjoint(after)


async def test_a_rotated_password_names_nobody_to_the_public(
    role: str, database: asyncpg.Connection
) -> None:
    pool = await open_pool(role, connections=2, timeout=PATIENCE)
    ledger = Ledger(pool)
    assert not await ledger.knows(BOARD)
    await database.execute(f"ALTER ROLE {name_of(role)} PASSWORD 'another'")
    await pool.expire_connections()
    with pytest.raises(Misconfigured) as refused:
        await ledger.knows(BOARD)
    assert refused.value.detail == "Postgres refuses the service."
    assert name_of(role) in refused.value.words
    await database.execute(f"ALTER ROLE {name_of(role)} PASSWORD '{name_of(role)}'")
    assert not await ledger.knows(BOARD)
    await pool.close()


async def hears_of_another(impatient: Ledger) -> bool:
    """Whether it is for another that it does not get the lock."""
    with pytest.raises(Unavailable) as refused:
        async with impatient.locked(PARTITION):
            pass
    return refused.value.detail == "Another process works on this partition."


async def test_a_transaction_that_was_left_open_is_ended_without_a_line_in_the_log(
    database_url: str,
) -> None:
    told: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    pool = await open_pool(database_url, connections=1, timeout=PATIENCE)
    async with pool.acquire() as connection:
        process = connection.get_server_pid()
        await connection.execute("BEGIN")
    async with pool.acquire() as connection:
        assert connection.get_server_pid() == process
        assert not connection.is_in_transaction()
    await pool.close()

    assert told == []


async def test_limits_that_a_role_was_given_mean_come_back_later(
    role: str, database: asyncpg.Connection, ledger: Ledger
) -> None:
    name = name_of(role)
    database_name = role.rpartition("/")[2]
    await database.execute(f'GRANT TEMPORARY ON DATABASE "{database_name}" TO {name}')
    for limit in ("lock_timeout", "statement_timeout"):
        await database.execute(f"ALTER ROLE {name} SET {limit} = '50ms'")
        pool = await open_pool(role, connections=3, timeout=PATIENCE)
        impatient = Ledger(pool)
        async with ledger.locked(PARTITION):
            # On a busy machine the limit may end a statement before it comes to the lock.
            await wait_until(
                partial(hears_of_another, impatient), description="it hears that another has it"
            )
        async with database.transaction():
            await database.execute("LOCK TABLE board")
            with pytest.raises(Unavailable, match="waited or took too long"):
                await impatient.knows(BOARD)
        await pool.close()
        await database.execute(f"ALTER ROLE {name} RESET {limit}")
