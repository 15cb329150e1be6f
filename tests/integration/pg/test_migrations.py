"""The schema: applied once, by one process at a time, and checked at every start."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from structlog.testing import capture_logs

from scoreboard import files
from scoreboard.errors import ConfigurationError
from scoreboard.pg import migrations
from scoreboard.pg.migrations import check_schema, migrate
from tests.support.waiting import wait_until


async def test_processes_that_migrate_at_the_same_time_take_turns(bare_url: str) -> None:
    async def run() -> list[str]:
        connection = await asyncpg.connect(bare_url)
        try:
            return await migrate(connection)
        finally:
            await connection.close()

    applied = await asyncio.gather(*(run() for _ in range(4)))
    done = [names for names in applied if names]
    assert len(done) == 1
    assert done[0] == sorted(done[0])
    assert done[0][0] == "0001_ledger"


async def test_a_database_without_the_schema_is_refused_with_the_command_to_run(
    bare_url: str,
) -> None:
    connection = await asyncpg.connect(bare_url)
    with pytest.raises(ConfigurationError, match="scoreboard migrate"):
        await check_schema(connection, partitions=8)
    await connection.close()


async def test_another_number_of_partitions_than_the_datas_is_refused(
    database: asyncpg.Connection,
) -> None:
    await check_schema(database, partitions=8)
    await check_schema(database, partitions=8)
    with pytest.raises(ConfigurationError, match="set it to 8"):
        await check_schema(database, partitions=16)


async def test_those_who_may_use_a_table_may_use_a_new_one_that_names_it(
    bare_url: str, worker_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await asyncpg.connect(bare_url)
    await migrate(connection)
    service, stranger = f"service {worker_id}", f"stranger {worker_id}"
    for role in (service, stranger):
        await connection.execute(f'CREATE ROLE "{role}"')
    await connection.execute(f'GRANT SELECT, DELETE ON board TO "{service}"')
    newer = {"9999_future": "-- It is.\n-- rights: future as on board\nCREATE TABLE future ()"}
    texts = files.texts
    monkeypatch.setattr(files, "texts", lambda *path, suffix: texts(*path, suffix=suffix) | newer)
    assert await migrate(connection) == ["9999_future"]

    async def may(role: str, right: str) -> bool:
        query = "SELECT has_table_privilege($1, 'future', $2)"
        return bool(await connection.fetchval(query, role, right))

    rights = ("SELECT", "INSERT", "UPDATE", "DELETE")
    assert [await may(service, right) for right in rights] == [True, False, False, True]
    assert not any([await may(stranger, right) for right in rights])
    for role in (service, stranger):
        await connection.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')
    await connection.close()


async def migrate_until(
    connection: asyncpg.Connection, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gives the database the schema that it had when this migration was the last."""
    texts = files.texts

    def until_then(*path: str, suffix: str) -> dict[str, str]:
        found = texts(*path, suffix=suffix)
        return {name: text for name, text in found.items() if name <= last}

    with monkeypatch.context() as before:
        before.setattr(files, "texts", until_then)
        assert (await migrate(connection))[-1] == last


async def test_a_migration_that_waits_for_a_table_lets_others_use_it(
    bare_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, reader, other = [await asyncpg.connect(bare_url) for _ in range(3)]
    await migrate(first)
    newer = {"9999_future": "ALTER TABLE board ADD COLUMN future text"}
    texts = files.texts
    monkeypatch.setattr(files, "texts", lambda *path, suffix: texts(*path, suffix=suffix) | newer)
    monkeypatch.setattr(migrations, "QUEUE", "SET LOCAL lock_timeout = '20ms'")
    monkeypatch.setattr(migrations, "PAUSE", 0.01)
    with capture_logs() as logs:
        async with reader.transaction():
            await reader.fetch("SELECT FROM board")  # as a backup does, for hours
            task = asyncio.create_task(migrate(first))
            await wait_until(lambda: len(logs) >= 3, description="it has waited in vain")
            assert await other.fetchval("SELECT count(*) FROM board") == 0
        assert await task == ["9999_future"]
    told = {(entry["event"], entry["name"]) for entry in logs}
    assert told == {("migration_waits", "9999_future")}
    for connection in (first, reader, other):
        await connection.close()


async def test_what_was_there_before_boards_had_periods_goes_on_unchanged(
    bare_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await asyncpg.connect(bare_url)
    await migrate_until(connection, "0009_episodes", monkeypatch)
    await connection.execute("""
        INSERT INTO board (board, partition, settings)
            VALUES ('arena', 0, '{"operator":"best","order":"asc"}'), ('plain', 0, '{}');
        INSERT INTO user_score (board, user_id, score, reached_at, last_event_ms, last_event_seq)
            VALUES ('arena', 'ann', -3, now(), 7, 0), ('plain', 'ann', 8, now(), 9, 0);
        INSERT INTO score_action (board, user_id, action_id, points, score, event_ms, event_seq,
                                  status, attempt_id)
            VALUES ('arena', 'ann', 'a', 5, -5, 6, 0, 'accepted', 't1'),
                   ('arena', 'ann', 'b', 3, -3, 7, 0, 'accepted', 't2'),
                   ('plain', 'ann', 'c', 8, 8, 9, 0, 'accepted', 't3');
    """)

    async def found() -> list[object]:
        return [
            await connection.fetch(query)
            for query in (
                "SELECT user_id, score, ledger, hidden, ledger_ms FROM ledger_totals('arena')",
                "SELECT user_id, score, ledger, hidden, ledger_ms FROM ledger_totals('plain')",
                "SELECT user_id, action_id, kept, points, score FROM kept_action ORDER BY 2",
                "SELECT board, user_id, score, reached_at FROM user_score ORDER BY 1",
            )
        ]

    known = await found()
    assert (await migrate(connection))[0] == "0010_periods"
    assert await found() == known
    assert await connection.fetchval("SELECT correct_table('arena') + correct_table('plain')") == 0
    await connection.close()


async def test_tables_that_were_final_before_places_were_stored_get_theirs(
    bare_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await asyncpg.connect(bare_url)
    await migrate_until(connection, "0010_periods", monkeypatch)
    await connection.execute("""
        INSERT INTO period_occurrence (board, period, occurrence, starts_at, ends_at, final_at,
                                       state, users, shared)
            VALUES ('arena', 'week', 1, 0, 9, 9, 'final', 2, true);
        INSERT INTO user_score (board, user_id, score, reached_at, last_event_ms, last_event_seq,
                                rank)
            VALUES ('arena:week:1', 'ann', 3, to_timestamp(8), 8, 0, 1),
                   ('arena:week:1', 'bob', 3, to_timestamp(7), 7, 0, 1);
    """)
    await migrate(connection)
    rows = await connection.fetch("SELECT user_id, rank, place FROM user_score ORDER BY place")
    assert [tuple(row) for row in rows] == [("bob", 1, 1), ("ann", 1, 2)]
    await connection.close()


@pytest.mark.parametrize(("needs", "refused"), [(0, False), (2, False), (9999, True)])
async def test_a_version_goes_on_beside_a_newer_schema_unless_that_needs_a_newer_one(
    bare_url: str, monkeypatch: pytest.MonkeyPatch, needs: int, refused: bool
) -> None:
    connection = await asyncpg.connect(bare_url)
    newer = {"9999_future": f"-- needs: {needs}\nCREATE TABLE future ()"}
    texts = files.texts
    with monkeypatch.context() as patched:
        patched.setattr(files, "texts", lambda *path, suffix: texts(*path, suffix=suffix) | newer)
        assert (await migrate(connection))[-1] == "9999_future"
    if refused:
        with pytest.raises(ConfigurationError, match="newer version"):
            await check_schema(connection, partitions=8)
    else:
        with capture_logs() as logs:
            await check_schema(connection, partitions=8)
        assert [(entry["event"], entry["schema"]) for entry in logs] == [("schema_newer", 9999)]
    await connection.close()


async def test_events_that_nobody_could_be_told_of_are_gone_with_webhooks(
    bare_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await asyncpg.connect(bare_url)
    texts = files.texts
    with monkeypatch.context() as before:
        before.setattr(
            files,
            "texts",
            lambda *path, suffix: {
                name: text
                for name, text in texts(*path, suffix=suffix).items()
                if name < "0014_webhooks"
            },
        )
        await migrate(connection)
    record = "INSERT INTO outside_event (kind, board, body) VALUES ('occurrence_final', 'a', '{}')"
    await connection.execute(record)
    assert "0014_webhooks" in await migrate(connection)
    await connection.execute(record)  # by a process of the version before
    assert await connection.fetchval("SELECT count(*) FROM outside_event") == 0
    await connection.close()
