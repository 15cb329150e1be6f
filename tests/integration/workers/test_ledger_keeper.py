"""Old parts of the ledger are folded beside everything else, and everybody still agrees."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from pyarrow import parquet
from structlog.testing import capture_logs

from scoreboard.assembly.moderation import eraser, ledger_folder, remover
from scoreboard.errors import ConfigurationError, NotDecidable, Unavailable
from scoreboard.pg.histories import Histories
from scoreboard.pg.ledger_folds import LedgerFolds
from scoreboard.pg.ledger_parts import DAY, LedgerParts
from scoreboard.settings import Settings, load
from scoreboard.workers.ledger_keeper import LedgerFolder, LedgerKeeper
from tests.support.arena import Arena
from tests.support.differences import differences
from tests.support.moderated_arena import Moderated
from tests.support.parted_ledger import parted
from tests.support.traces import traces
from tests.support.waiting import wait_until

ADA = "ada@example.org"


@pytest.fixture
async def database_url(bare_url: str) -> str:
    """Of a database whose second part has begun an hour ago."""
    await parted(bare_url, round(time.time() * 1000) - 3_600_000, 10 * DAY)
    return bare_url


def folder(
    settings: Settings, pool: asyncpg.Pool, arena: Arena, archive: Path | None = None
) -> LedgerFolder:
    """One for which all parts are due."""
    all_due = msgspec.structs.replace(settings, ledger_retention=-1e9)
    return ledger_folder(all_due, pool, arena.durable, str(archive or ""))


async def actions(database: asyncpg.Connection) -> int:
    return int(await database.fetchval("SELECT count(*) FROM score_action"))


async def test_a_folded_ledger_agrees_and_a_board_that_redis_lost_comes_back(
    arena: Arena, settings: Settings, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    await arena.submit(*((user, f"{user}-{n}", n) for user in ("ann", "bob") for n in range(9)))
    await arena.persist()
    before = await arena.zset()
    assert await folder(settings, pool, arena).fold_all()
    assert await actions(database) == 0
    assert await differences(arena, pool) == []
    await arena.redis.flushall()
    await arena.durable.rebuilder.rebuild("arena", correct=True)
    assert await arena.zset() == before
    await arena.submit(("ann", "later", 5))
    await arena.persist()
    assert await actions(database) == 1
    assert await differences(arena, pool) == []
    assert await arena.totals() == {"ann": 41, "bob": 36}
    assert await folder(settings, pool, arena).fold_all() == 0


async def test_what_comes_while_a_part_is_folded_is_in_its_sums(
    arena: Arena, settings: Settings, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    written, stop = 0, False

    async def keep_writing() -> None:
        nonlocal written
        while not stop:
            await arena.submit(*((f"u{n}", f"a{written}", 1) for n in range(20)))
            await arena.persist()
            written += 1

    await arena.submit(("ann", "first", 7))
    await arena.persist()
    writing = asyncio.create_task(keep_writing())

    async def more() -> bool:
        return written >= seen + 3 or writing.done()

    seen = written
    await wait_until(more, description="actions come")
    assert await folder(settings, pool, arena).fold_all()
    seen = written
    await wait_until(more, description="actions go on coming")
    stop = True
    await writing
    assert await differences(arena, pool) == []
    assert await database.fetchval("SELECT sum(total) FROM folded_total") >= 7 + 20 * 3


class Stopping:
    """Folds whose process ends in front of the ``nth`` statement."""

    def __init__(self, pool: asyncpg.Pool, nth: int) -> None:
        self._pool = pool
        self.left = nth

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._pool, name)
        if name in ("fetchval", "fetchrow"):
            return self._counting(found)
        return found

    def acquire(self) -> Any:
        lease = self._pool.acquire()

        @asynccontextmanager
        async def leased() -> AsyncIterator[Any]:
            async with lease as connection:
                yield _Connection(connection, self._counting)

        return leased()

    def _counting(self, method: Callable[..., Any]) -> Any:
        async def call(*args: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                raise ConnectionResetError
            return await method(*args, **named)

        return call


class _Connection:
    def __init__(self, connection: Any, counting: Callable[[Any], Any]) -> None:
        self._connection = connection
        self._counting = counting

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connection, name)
        counted = name in ("fetch", "fetchval", "fetchrow", "execute")
        return self._counting(found) if counted else found


async def test_a_fold_that_ends_in_front_of_any_statement_is_gone_on_with(
    arena: Arena, settings: Settings, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    await arena.submit(*((user, f"{user}-{n}", n) for user in ("ann", "bob") for n in range(4)))
    await arena.persist()
    nth, ended = 0, False
    while not ended:
        nth += 1
        stopping: Any = Stopping(pool, nth)
        works = folder(settings, pool, arena)
        works._folds = LedgerFolds(stopping)
        try:
            await works.fold_all()
            ended = stopping.left > 0
        except Unavailable:
            pass
        if nth == 12:
            await arena.submit(("ann", "meanwhile", 3))
            await arena.persist()
        assert await differences(arena, pool) == []
    assert nth > 15
    assert await folder(settings, pool, arena).fold_all() == 0
    assert await database.fetchval("SELECT count(*) FROM ledger_part") == 0
    assert await arena.totals() == {"ann": 9, "bob": 6}


async def test_a_decision_about_a_folded_action_is_refused_and_a_later_one_is_made(
    court: Moderated, settings: Settings, pool: asyncpg.Pool
) -> None:
    await court.set_mode("flag")
    old = await court.case("ann", "old", 100)
    await court.set_mode("reject")
    refused = await court.case("bob", "refused", 100)
    assert await folder(settings, pool, court.arena).fold_all()
    with pytest.raises(NotDecidable, match="no single actions of that time"):
        await court.moderator.confirm(old.id, by="eve", reason="cheat")
    with pytest.raises(NotDecidable, match="no single actions of that time"):
        await court.moderator.approve(refused.id, by="eve", reason="fair")
    kept = await court.moderator.approve(old.id, by="eve", reason="fair")
    out = await court.moderator.confirm(refused.id, by="eve", reason="cheat")
    assert (kept.review.status, out.review.status) == ("approved", "confirmed")
    await court.database.execute(  # parts that are still to come were folded, too
        "UPDATE ledger_folded SET until_ms = (extract(epoch FROM now()) * 1000)::bigint"
    )
    later = await court.case("bob", "later", 77)
    await court.moderator.confirm(later.id, by="eve", reason="cheat", revert_earlier=True)
    assert await differences(court.arena, pool) == []


@pytest.mark.parametrize("merged", [True, False])
async def test_an_erased_player_is_in_no_sums_either(
    merged: bool,
    arena: Arena,
    settings: Settings,
    pool: asyncpg.Pool,
    database: asyncpg.Connection,
) -> None:
    await arena.submit((ADA, f"{ADA}-1", 5), ("bob", "b", 6))
    await arena.persist()
    works = folder(settings, pool, arena)
    if merged:
        await works.fold_all()
    else:
        part = await LedgerFolds(pool).due(-(10**15))
        assert part is not None
        await LedgerFolds(pool).begin(part)
        await LedgerFolds(pool).sum_up(part)
    erases = eraser(settings, arena.redis, pool, arena.durable)
    await erases.ask(ADA, "erase", by="eve")
    assert await erases.work()
    await works.fold_all()
    assert await traces(ADA, arena.redis, database) == []
    assert await differences(arena, pool) == []
    assert await arena.totals() == {"bob": 6}


async def test_an_anonymous_players_sums_have_the_pseudonym(
    arena: Arena, settings: Settings, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    await arena.submit((ADA, f"{ADA}-1", 5), ("bob", "b", 6))
    await arena.persist()
    await folder(settings, pool, arena).fold_all()
    await arena.submit((ADA, f"{ADA}-2", 2))
    erases = eraser(settings, arena.redis, pool, arena.durable)
    await erases.ask(ADA, "anonymise", by="eve")
    assert await erases.work()
    assert await traces(ADA, arena.redis, database) == []
    assert await differences(arena, pool) == []
    assert sorted((await arena.totals()).values()) == [6, 7]


async def test_a_cleared_board_begins_without_what_was_folded(
    arena: Arena, settings: Settings, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    await arena.submit(("ann", "a", 5))
    await arena.persist()
    await folder(settings, pool, arena).fold_all()
    await remover(settings, arena.redis, pool, arena.durable).remove("arena", "clear", by="eve")
    await arena.submit(("ann", "a", 3))
    await arena.persist()
    assert await differences(arena, pool) == []
    assert await arena.totals() == {"ann": 3}
    assert await database.fetchval("SELECT count(*) FROM ledger_checkpoint") == 0


async def test_a_history_says_where_detail_begins(
    arena: Arena, settings: Settings, pool: asyncpg.Pool
) -> None:
    histories = Histories(pool, patience=60)
    await arena.submit(("ann", "a", 5))
    await arena.persist()
    assert await histories.detail_from("arena") is None
    await folder(settings, pool, arena).fold_all()
    assert await histories.detail_from("arena") is not None
    found = await histories.explained("arena", "ann", before=None, limit=10)
    assert found is not None
    assert (found[1].counted, found[1].by_ledger, found[1].actions) == (1, 5, [])


async def test_an_archive_has_every_row_of_a_part(
    arena: Arena, settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    await arena.submit(("ann", "a", 5), ("bob", "b", 6))
    await arena.persist()
    await folder(settings, pool, arena, tmp_path / "archive").fold_all()
    files = sorted((tmp_path / "archive").iterdir())
    rows = [row for file in files for row in parquet.read_table(file).to_pylist()]
    assert {file.suffix for file in files} == {".parquet"}
    assert {(row["user_id"], row["action_id"], row["points"], row["status"]) for row in rows} == {
        ("ann", "a", 5, "accepted"),
        ("bob", "b", 6, "accepted"),
    }


async def test_a_part_that_can_not_be_archived_is_kept(
    arena: Arena, settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    await arena.submit(("ann", "a", 5))
    await arena.persist()
    works = folder(settings, pool, arena, tmp_path / "archive")
    (tmp_path / "archive").rmdir()
    with pytest.raises(ConfigurationError, match="can't be written"):
        await works.fold_all()
    assert await LedgerFolds(pool).due(-(10**15)) is not None
    assert await differences(arena, pool) == []


async def test_a_retention_without_parts_is_told_in_the_log(
    settings: Settings, pool: asyncpg.Pool
) -> None:
    class Plain(LedgerParts):
        async def keep_ahead(self) -> bool:
            return False

    folds: Any = type("Folds", (), {"fold_all": lambda _: asyncio.sleep(0)})()
    with capture_logs() as logs:
        keeping = asyncio.create_task(LedgerKeeper(Plain(pool), folds).run())

        async def told() -> bool:
            return any(line["event"] == "ledger_not_in_parts" for line in logs)

        await wait_until(told, description="the log tells what to do")
        keeping.cancel()
        await asyncio.wait((keeping,))


def test_a_retention_is_longer_than_receipts_are_kept() -> None:
    with pytest.raises(ConfigurationError, match="SCOREBOARD_LEDGER_RETENTION"):
        load({"SCOREBOARD_LEDGER_RETENTION": "90000"})
    year = load({"SCOREBOARD_LEDGER_RETENTION": "31536000"})
    assert year.ledger_reach == 35 * 86_400
    assert load({"SCOREBOARD_LEDGER_RETENTION": "200000"}).ledger_reach == 200_000
    assert load({}).ledger_reach is None
