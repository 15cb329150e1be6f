"""Erasures step by step: what they find, and that they can be interrupted anywhere."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import msgspec
import pytest
from redis.asyncio import Redis

from scoreboard.assembly.moderation import eraser
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.days import day_start
from scoreboard.domain.erasures import ErasureJob
from scoreboard.domain.periods import Period
from scoreboard.domain.profiles import KnownProfile, Profile
from scoreboard.errors import Erased, Unavailable
from scoreboard.pg import erased_rows
from scoreboard.pg.board_settings import StoredSettings
from scoreboard.pg.daily_ranks import DailyRanks
from scoreboard.pg.erased_rows import ErasedRows
from scoreboard.pg.erasures import Erasures, erased_in
from scoreboard.pg.profiles import StoredProfiles
from scoreboard.redisio.closing import ClosedBoards
from scoreboard.redisio.commands import run_script
from scoreboard.redisio.erased_users import ErasedUsers
from scoreboard.settings import Settings
from scoreboard.wire import scripts
from scoreboard.workers.day_keeper import DayKeeper
from scoreboard.workers.eraser import Eraser
from tests.support.arena import Arena, opened_arena
from tests.support.differences import differences
from tests.support.extent import kept
from tests.support.occurrences import end_occurrence, make_final, now_ms
from tests.support.traces import traces
from tests.support.waiting import wait_until

ADA = "Quixote-47"
WEEKLY = BoardSettings(periods=(Period("week", cron="0 0 * * 1"),))


@pytest.fixture
async def arena(settings: Settings, redis: Redis, pool: asyncpg.Pool) -> AsyncIterator[Arena]:
    """The board, in the only partition."""
    async with opened_arena(settings, redis, pool) as running:
        yield running


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, partitions=1)


async def weekly(arena: Arena, pool: asyncpg.Pool) -> None:
    """A board with a week that is final and one that is open; ADA is second in both."""
    async with StoredSettings(pool).changing(
        "arena", lambda _: arena.keys.partition, lambda _: WEEKLY, by="eve"
    ):
        pass
    for week in (1, 2):
        await arena.submit(
            *(
                (user, f"{user}-{week}-{n}", points)
                for user, points in (("ann", 9), (ADA, 7), ("cy", 5), ("dan", 3))
                for n in range(3)
            )
        )
        await arena.persist()
        if week == 1:
            await end_occurrence(arena, "week")
    await make_final(arena, "week", 1)
    await arena.durable.rebuilder.ensure("arena", create=False)


async def places(database: asyncpg.Connection) -> list[tuple[str, int, int]]:
    rows = await database.fetch(
        "SELECT user_id, place, rank FROM user_score WHERE board = 'arena:week:1' ORDER BY place"
    )
    return [tuple(row) for row in rows]


async def test_in_a_final_table_the_rest_moves_up_and_in_the_ranks_of_days_too(
    arena: Arena, settings: Settings, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    await weekly(arena, pool)
    clock = ClosedBoards(arena.redis, keyspace=arena.durable.keyspace, backlog_limit=1_000)
    keeper = DayKeeper(DailyRanks(pool), arena.durable.loader, clock)
    await keeper.keep_all(day_start("UTC", await now_ms(arena) + 86_400_000))
    kept = "SELECT first_user, users, ranks, scores FROM daily_ranks WHERE table_name = 'arena'"
    assert (await database.fetchrow(kept))["first_user"] == ADA

    works = eraser(settings, arena.redis, pool, arena.durable)
    await works.ask(ADA, "erase", by="eve")
    assert await works.work()
    assert await places(database) == [("ann", 1, 1), ("cy", 2, 2), ("dan", 3, 3)]
    assert tuple(await database.fetchrow(kept)) == (
        "ann", ["ann", "cy", "dan"], [1, 3, 4], [54, 30, 18]
    )  # fmt: skip
    state = "SELECT users, amended FROM period_occurrence WHERE occurrence = 1"
    assert tuple(await database.fetchrow(state)) == (3, True)
    assert await differences(arena, pool) == []
    assert await traces(ADA, arena.redis, database) == []


async def test_in_a_final_table_a_pseudonym_has_the_place(
    arena: Arena, settings: Settings, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    await weekly(arena, pool)
    works = eraser(settings, arena.redis, pool, arena.durable)
    await works.ask(ADA, "anonymise", by="eve")
    assert await works.work()
    ranked = await places(database)
    assert [(place, rank) for _, place, rank in ranked] == [(n, n) for n in range(1, 5)]
    assert ranked[1][0].startswith("anon-")
    state = "SELECT users, amended FROM period_occurrence WHERE occurrence = 1"
    assert tuple(await database.fetchrow(state)) == (4, False)
    assert await differences(arena, pool) == []


class Interrupting:
    """Lets the ``nth`` call of a part's methods fail: before what it does, or behind it."""

    def __init__(self, part: Any, when: Callable[[], bool], *, behind: bool) -> None:
        self._part = part
        self._when = when
        self._behind = behind

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._part, name)
        if name in ("devices", "turn"):
            return method

        async def call(*args: Any, **named: Any) -> Any:
            fails = self._when()
            if fails and not self._behind:
                raise Unavailable("interrupted")
            result = await method(*args, **named)
            if fails:
                raise Unavailable("interrupted")
            return result

        return call


class Watched(ErasedRows):
    """Notes what others see of the player when a board's turn comes."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        super().__init__(pool, Erasures(pool))
        self._profiles = StoredProfiles(pool)
        self.seen: list[tuple[str, object]] = []

    async def take_out(self, job: ErasureJob, board: str, pseudonym: str | None) -> None:
        known = (await self._profiles.known([ADA]))[ADA]
        self.seen.append((known.visibility, known.player))
        await super().take_out(job, board, pseudonym)


async def test_who_is_anonymous_stays_so_until_every_board_is_done(
    arena: Arena, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    await StoredProfiles(pool).put(ADA, Profile(display_name="Ada", visibility="anonymous"))
    await arena.submit((ADA, "k", 4), ("ann", "x", 1))
    record, rows, news = Erasures(pool), Watched(pool), News()
    works = Eraser(
        record,
        rows,
        ErasedUsers(arena.redis, keyspace=arena.durable.keyspace),
        arena.durable.loader,
        arena.durable.ledger,
        arena.durable.rebuilder,
        news,
        keyspace=arena.durable.keyspace,
    )
    await record.ask(ADA, "erase", by="eve")
    assert await works.work()
    assert rows.seen == [("anonymous", None)]
    assert news.told == [("anonymous", None), ("public", None)]
    assert await traces(ADA, arena.redis, database) == []


class News:
    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []

    async def tell(self, known: KnownProfile) -> None:
        self.told.append((known.visibility, known.player))

    async def keep(self, privacy: Any) -> None:
        raise AssertionError("an erasure keeps nothing of that")


@pytest.mark.parametrize(
    "asked",
    kept([("erase", False), ("anonymise", False), ("anonymise", True)], ("anonymise", False)),
    ids=str,
)
async def test_an_erasure_that_is_interrupted_at_any_step_is_finished_by_the_next_turn(
    arena: Arena,
    settings: Settings,
    pool: asyncpg.Pool,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    asked: tuple[Any, bool],
) -> None:
    mode, behind = asked
    monkeypatch.setattr(erased_rows, "CHUNK", 2)
    durable = arena.durable
    record, users = Erasures(pool), ErasedUsers(arena.redis, keyspace=durable.keyspace)
    rows = ErasedRows(pool, record)
    await weekly(arena, pool)
    for turn in itertools.count(1):
        user = f"{ADA}.{turn}"
        await arena.submit(("ann", f"x{turn}", 1), *((user, f"k{turn}-{n}", 4) for n in range(3)))
        await arena.persist()
        calls = itertools.count(1)
        failed = False

        def when() -> bool:
            nonlocal failed
            failed = failed or next(calls) == turn  # noqa: B023 (called in this round only)
            return failed

        parts: list[Any] = [
            Interrupting(part, when, behind=behind) for part in (record, rows, users)
        ]
        works = Eraser(
            parts[0],
            parts[1],
            parts[2],
            durable.loader,
            durable.ledger,
            durable.rebuilder,
            NoNews(),
            keyspace=durable.keyspace,
        )
        await record.ask(user, mode, by="eve")
        try:
            await works.work()
        except Unavailable:
            # The game goes on, for a process that was not told yet.
            await arena.submit((user, f"late{turn}", 50), ("ann", f"y{turn}", 1))
            await arena.persist()
        await eraser(settings, arena.redis, pool, durable).work()
        assert await traces(user, arena.redis, database) == [], turn
        if not failed:
            break
    assert turn > 10
    assert await differences(arena, pool) == []
    sums = "SELECT sum(points) FROM score_action WHERE user_id LIKE 'anon-%' GROUP BY user_id"
    found = [points for (points,) in await database.fetch(sums)]
    assert len(found) == (0 if mode == "erase" else turn)
    assert set(found) <= {12, 62}, "what came late counts if the board's turn had not come"


class NoNews:
    async def tell(self, known: Any) -> None:
        raise AssertionError("nobody had a profile")

    async def keep(self, privacy: Any) -> None:
        raise AssertionError("nobody had a profile")


async def test_many_actions_go_in_transactions_of_a_bounded_number_of_rows(
    arena: Arena,
    settings: Settings,
    pool: asyncpg.Pool,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(erased_rows, "CHUNK", 10)
    await arena.submit(*((ADA, f"k{n}", 1) for n in range(25)), ("ann", "k", 1))
    await arena.persist()
    works = eraser(settings, arena.redis, pool, arena.durable)
    asked = await works.ask(ADA, "erase", by="eve")
    assert (await works.ask(ADA, "erase", by="eve")).erasure == asked.erasure
    assert await works.work()
    receipt = await Erasures(pool).get(asked.erasure)
    assert (receipt.state, receipt.counts["actions"]) == ("done", 25)
    ages = await database.fetch("SELECT DISTINCT xmin FROM score_action")
    assert len(ages) == 1
    assert await traces(ADA, arena.redis, database) == []


async def test_what_only_redis_has_yet_counts_under_the_pseudonym(
    arena: Arena, settings: Settings, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    await arena.submit((ADA, "k1", 5), ("ann", "k1", 1))
    works = eraser(settings, arena.redis, pool, arena.durable)
    asked = await works.ask(ADA, "anonymise", by="eve")
    assert await works.work()
    assert (await Erasures(pool).get(asked.erasure)).counts["actions"] == 1
    [name] = set(await arena.totals()) - {"ann"}
    assert await arena.totals() == {name: 5, "ann": 1}
    assert await differences(arena, pool) == []
    assert await traces(ADA, arena.redis, database) == []


async def test_it_is_forgotten_who_moved_while_players_were_watched(
    arena: Arena, settings: Settings, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    await arena.submit((ADA, "k1", 5), ("ann", "k1", 9))
    meta, moves = arena.keys.meta, arena.keys.moves
    watch = scripts.watch_board(key_meta=meta, key_moves=moves, arg_period=600_000)
    await run_script(arena.redis, watch)
    await arena.submit((ADA, "k2", 5))
    assert moves in await traces(ADA, arena.redis, database)
    works = eraser(settings, arena.redis, pool, arena.durable)
    await works.ask(ADA, "erase", by="eve")
    assert await works.work()
    assert await traces(ADA, arena.redis, database) == []


async def test_a_process_that_was_not_told_can_give_an_erased_player_no_profile(
    arena: Arena, settings: Settings, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    profiles, record = StoredProfiles(pool), Erasures(pool)
    works = eraser(settings, arena.redis, pool, arena.durable)
    named = {user: Profile(display_name="The Knight") for user in (ADA, "cy")}
    async with pool.acquire() as slow, slow.transaction():
        assert await erased_in(slow, [ADA]) == set()
        await works.ask(ADA, "erase", by="eve")
        at_work = asyncio.create_task(works.work())

        async def waits() -> bool:
            waiting = (
                "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)"
                " WHERE NOT granted AND datname = current_database())"
            )
            return bool(await database.fetchval(waiting))

        await wait_until(waits, description="the erasure waits for who writes")
        await slow.execute(
            "INSERT INTO profile (user_id, visibility, revision) VALUES ($1, 'public', 1)", ADA
        )
    assert await at_work
    with pytest.raises(Erased):
        await profiles.put(ADA, named[ADA])
    await profiles.add(named)
    assert list(await profiles.whole(named)) == ["cy"]
    assert await traces(ADA, arena.redis, database) == []
    await works.admit(ADA, by="eve")
    await profiles.put(ADA, named[ADA])
    assert ADA in await profiles.whole(named)
    assert await record.erased_among([ADA, "cy"]) == set()


async def test_it_is_forgotten_whose_weeks_were_judged_last(
    arena: Arena, settings: Settings, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    await arena.submit((ADA, "k", 1), ("cy", "k", 1))
    await arena.persist()
    await database.execute(
        "INSERT INTO judged_week VALUES ('arena', '2026-11-16', '2026-11-23', $1)", ADA
    )
    works = eraser(settings, arena.redis, pool, arena.durable)
    await works.ask(ADA, "erase", by="eve")
    assert await works.work()
    assert await traces(ADA, arena.redis, database) == []
    assert await database.fetchval("SELECT after_user FROM judged_week") == ""


async def test_who_only_joined_is_found_in_what_a_board_does_not_know_any_more(
    arena: Arena,
) -> None:
    stray = arena.keys.players
    await arena.redis.zadd(stray, {ADA: 0, "cy": 0})
    users = ErasedUsers(arena.redis, keyspace=arena.durable.keyspace)
    assert await users.sweep(ADA) == (1, {"arena"})
    assert await arena.redis.zrange(stray, 0, -1) == [b"cy"]


async def test_webhooks_are_told_once_it_is_done(
    arena: Arena, settings: Settings, pool: asyncpg.Pool, redis: Redis
) -> None:
    await pool.execute(
        "INSERT INTO webhook (url, events, pace, description, secret)"
        " VALUES ('https://x', '{player.erased}', 1, '', 's')"
    )
    await arena.submit((ADA, "k", 1))
    works = eraser(settings, arena.redis, pool, arena.durable)
    asked = await works.ask(ADA, "erase", by="eve")
    assert await pool.fetchval("SELECT count(*) FROM outside_event") == 0
    assert await works.work()
    told = await pool.fetchval("SELECT body::text FROM outside_event WHERE kind = 'player.erased'")
    assert f'"erasure": "{asked.erasure}"' in told
    assert await redis.keys(f"*{ADA}*") == []
