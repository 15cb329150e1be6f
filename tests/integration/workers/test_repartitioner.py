"""Another number of partitions: nothing is lost, doubled or left behind, wherever it is killed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any

import asyncpg
import pytest
from msgspec import structs
from redis.asyncio import Redis

from scoreboard.assembly.operator import operator
from scoreboard.assembly.repartition import repartitioner
from scoreboard.domain.audit import Difference
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.periods import Period
from scoreboard.domain.repartition import Outcome
from scoreboard.domain.submissions import Outcome as Submitted
from scoreboard.errors import ConfigurationError, Misconfigured
from scoreboard.pg.migrations import check_schema
from scoreboard.pg.pool import open_pool
from scoreboard.settings import Settings
from scoreboard.wire.events import split_id
from scoreboard.wire.keys import EVERY_PARTITIONS_KEY, Keyspace
from scoreboard.workers import repartitioner as repartitioner_module
from tests.support import servers
from tests.support.arena import Arena, opened_arena
from tests.support.extent import kept
from tests.support.ledger_entries import append_raw, fields
from tests.support.occurrences import table_totals

BOARDS = ("arena", "derby", "duel")
WEEKLY = BoardSettings(periods=(Period("week", cron="0 0 * * 1"),)).to_text()
FEW, MORE = 2, 3  # partitions


class Killed(BaseException):
    """Ends a change where it is, as a signal would."""


@pytest.fixture
def on(request: pytest.FixtureRequest) -> str:
    """Where keys are: on the tests' server, unless a test says "cluster"."""
    return getattr(request, "param", "server")


ON_BOTH = pytest.mark.parametrize("on", kept(["server", "cluster"], "server"), indirect=True)


@pytest.fixture
def settings(request: pytest.FixtureRequest, settings: Settings, on: str) -> Settings:
    url = settings.redis_url
    if on == "cluster":
        url = request.getfixturevalue("redis_cluster").url
    return structs.replace(settings, redis_url=url, partitions=FEW)


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[Redis]:
    async with servers.redis_client(settings.redis_url) as client:
        yield client


@asynccontextmanager
async def running(settings: Settings, redis: Redis) -> AsyncIterator[dict[str, Arena]]:
    """Every board behind the write path of one process, which is gone at the end of the block."""
    async with AsyncExitStack() as opened:
        pool = await open_pool(settings.database_url, connections=10, timeout=30)
        opened.push_async_callback(pool.close)
        async with pool.acquire() as connection:
            await check_schema(connection, partitions=settings.partitions)
        yield {
            board: await opened.enter_async_context(opened_arena(settings, redis, pool, board))
            for board in BOARDS
        }


async def change(
    settings: Settings, partitions: int, tell: Callable[[str, int, int], None] = lambda *_: None
) -> Outcome:
    async with repartitioner(settings, tell=tell, on_difference=unexpected) as works:
        return await works.change(partitions)


def unexpected(difference: Difference) -> None:
    pytest.fail(str(difference))


async def play(arenas: dict[str, Arena], game: int) -> None:
    """Actions on every board, of which the last are not persisted."""
    for number, (board, arena) in enumerate(arenas.items(), 1):
        await arena.submit(("ann", f"{game}:1", number), ("bob", f"{game}:2", 10 * number))
        if board != "duel":
            await arena.persist()
        await arena.submit(("ann", f"{game}:3", 100))


async def seen(arenas: dict[str, Arena]) -> dict[str, dict[str, float]]:
    """The stamped scores of every table, once each board was asked for."""
    for arena in arenas.values():
        await arena.durable.rebuilder.ensure(arena.board, create=False)
    tables = {board: await arena.zset() for board, arena in arenas.items()}
    return tables | {"arena:week:1": dict(await table_totals(arenas["arena"], "arena:week:1"))}


async def expect_clean(settings: Settings) -> None:
    """All boards agree in Redis and Postgres, and no key is left of another number."""
    async with operator(settings) as tools, servers.redis_client(settings.redis_url) as redis:
        for board in BOARDS:
            report = await tools.verifier.verify(board, unexpected, lambda _: None)
            assert (report.live, report.differences) == (True, 0)
        own = {f"{{{partition}}}" for partition in range(settings.partitions)}
        async for key in redis.scan_iter(EVERY_PARTITIONS_KEY):
            assert key.split(b":")[1].decode() in own


async def begin(settings: Settings, redis: Redis, database: asyncpg.Connection) -> None:
    """Three boards with actions, one of them with weeks."""
    partition = Keyspace(settings.partitions).partition_of("arena")
    await database.execute(
        "INSERT INTO board (board, partition, settings) VALUES ('arena', $1, $2)",
        *(partition, WEEKLY),
    )
    async with running(settings, redis) as arenas:
        await play(arenas, 1)


@ON_BOTH
@pytest.mark.parametrize("partitions", [1, 16])
async def test_every_board_goes_on_under_another_number_of_partitions(
    settings: Settings, redis: Redis, database: asyncpg.Connection, partitions: int
) -> None:
    await begin(settings, redis, database)
    async with running(settings, redis) as arenas:
        before = await seen(arenas)
        receipts = {board: await arena.receipt("ann", "1:3") for board, arena in arenas.items()}

    assert await change(settings, partitions) is Outcome.DONE
    assert await change(settings, partitions) is Outcome.UNCHANGED

    with pytest.raises(ConfigurationError, match=f"set it to {partitions}, or change the data"):
        await check_schema(database, partitions=FEW)
    changed = structs.replace(settings, partitions=partitions)
    await expect_clean(changed)
    highest = await database.fetchval("SELECT max(event_ms) FROM partition_progress")
    async with running(changed, redis) as arenas:
        assert await seen(arenas) == before
        for board, arena in arenas.items():
            assert (await arena.receipt("ann", "1:3"))[0] == receipts[board][0]
            (again, new) = await arena.submit(("ann", "1:3", 100), ("cat", "2:1", 7))
            assert (again.outcome, new.outcome) == (Submitted.DUPLICATE, Submitted.ACCEPTED)
            assert again.score == int(before[board]["ann"])
            last: Any = (await redis.xinfo_stream(arena.keys.events))["last-generated-id"]
            assert split_id(last)[0] >= highest
            assert arena.keys.partition == await database.fetchval(
                "SELECT partition FROM board WHERE board = $1", board
            )
    await expect_clean(changed)


@ON_BOTH
async def test_a_change_that_is_killed_at_any_step_is_finished_by_the_same_call(
    settings: Settings, redis: Redis, database: asyncpg.Connection, on: str
) -> None:
    await begin(settings, redis, database)
    stages: set[str] = set()
    present, to = FEW, MORE
    for step in count(step=1 if on == "server" else 4):
        here = structs.replace(settings, partitions=present)
        async with running(here, redis) as arenas:
            await play(arenas, 2 + step)
            before = await seen(arenas)
        told = count()

        def kill(stage: str, *_: int, told: count[int] = told, step: int = step) -> None:
            stages.add(stage)
            if next(told) == step:
                raise Killed

        try:
            assert await change(settings, to, kill) is Outcome.DONE
            killed = False
        except Killed:
            killed = True
            for partitions in (present, to):
                with pytest.raises(ConfigurationError, match=f"`scoreboard repartition {to}`"):
                    await check_schema(database, partitions=partitions)
            assert await change(settings, to) is Outcome.DONE
        there = structs.replace(settings, partitions=to)
        async with running(there, redis) as arenas:
            assert await seen(arenas) == before
        await expect_clean(there)
        present, to = to, present
        if not killed:
            break
    assert stages == {"persisting", "comparing", "emptying", "switching", "loading", "verifying"}


async def test_a_change_that_has_not_come_far_is_given_up_by_the_former_number(
    settings: Settings, redis: Redis, database: asyncpg.Connection
) -> None:
    await begin(settings, redis, database)

    def kill(stage: str, *_: int) -> None:
        if stage == at:
            raise Killed

    at = "emptying"
    with pytest.raises(Killed):
        await change(settings, MORE, kill)
    giving_up = rf"repartition {MORE}`, or give it up with `scoreboard repartition {FEW}`"
    with pytest.raises(ConfigurationError, match=giving_up):
        await change(settings, 5)
    assert await change(settings, FEW) is Outcome.GIVEN_UP
    async with running(settings, redis) as arenas:
        await play(arenas, 2)
    await expect_clean(settings)

    at = "loading"
    with pytest.raises(Killed):
        await change(settings, MORE, kill)
    with pytest.raises(ConfigurationError, match=f"repartition {MORE}`$"):
        await change(settings, FEW)


async def test_nothing_is_changed_while_a_process_works_on_the_data(
    settings: Settings,
    redis: Redis,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(repartitioner_module, "LEAVING", 0.0)
    await begin(settings, redis, database)
    async with running(settings, redis) as arenas:
        await play(arenas, 2)
        with pytest.raises(ConfigurationError, match=r"stopped first.*scoreboard at .*process \d+"):
            await change(settings, MORE)
    await check_schema(database, partitions=FEW)


async def test_a_process_that_was_overlooked_makes_no_board_live_under_the_former_number(
    settings: Settings,
    redis: Redis,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await begin(settings, redis, database)
    async with running(settings, redis) as arenas:
        await seen(arenas)
        monkeypatch.setattr("scoreboard.pg.partition_count.PartitionRecord.others", nobody)
        assert await change(settings, MORE) is Outcome.DONE
        for board, user in (("derby", "dan"), ("made later", "eve")):
            arenas["derby"].board = board
            with pytest.raises(Misconfigured, match="number of partitions was changed"):
                await arenas["derby"].submit((user, "late", 1))
    await expect_clean(structs.replace(settings, partitions=MORE))


async def nobody(_: object) -> list[object]:
    return []


async def test_what_postgres_lacks_is_no_reason_to_lose_it(
    settings: Settings, redis: Redis, database: asyncpg.Connection
) -> None:
    await begin(settings, redis, database)

    async def refused(because: str) -> None:
        with pytest.raises(ConfigurationError, match=because):
            async with repartitioner(
                settings, tell=lambda *_: None, on_difference=lambda _: None
            ) as works:
                await works.change(MORE)
        await check_schema(database, partitions=FEW)

    async with running(settings, redis) as arenas:
        before = await seen(arenas)
        derby = arenas["derby"].keys
    await redis.zadd(derby.board, {"ghost": 1.5})
    await refused("1 difference between Redis and Postgres; nothing was changed")
    await redis.zrem(derby.board, "ghost")

    await redis.hset(Keyspace(FEW).board("nowhere").meta, "version", "1")
    await refused("only Redis has the board 'nowhere'")
    await redis.unlink(Keyspace(FEW).board("nowhere").meta)

    raw = fields("ann", "bad", 5, board="derby")
    raw[b"d"] = raw[b"d"].replace(b'"v":1', b'"v":0')
    await append_raw(redis, "*", raw)
    await refused("Postgres lacks 1 dead letter")
    async with running(settings, redis) as arenas:
        assert await seen(arenas) == before
