"""Users' weeks that have ended become cases, once, though their users never play again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import asyncpg
import pytest
from msgspec import structs
from redis.asyncio import Redis

from scoreboard.anomaly.gate import Gate
from scoreboard.anomaly.rules import GateRules
from scoreboard.assembly.moderation import eraser, remover
from scoreboard.domain.announced import AnnouncedEvent
from scoreboard.domain.boards import GateMode
from scoreboard.domain.erasures import ErasureMode, is_pseudonym
from scoreboard.domain.judged_weeks import FoundWeek
from scoreboard.domain.moments import moment_of
from scoreboard.domain.weeks import WEEK, WEEK_MS, start_of
from scoreboard.errors import Unavailable
from scoreboard.pg.judged_weeks import JudgedWeeks
from scoreboard.pg.ledger_folds import LedgerFolds
from scoreboard.settings import Settings
from scoreboard.workers import week_keeper
from scoreboard.workers.postgres_ports import LedgerSession
from scoreboard.workers.week_keeper import WeekKeeper
from tests.support.honest_season import DAY, HOUR
from tests.support.ledger_entries import totals
from tests.support.parted_ledger import ALL_DUE, parted
from tests.support.weeks_played import EarlierGate, Weeks, lenient_model, weeks_played

ANY_AGE = GateRules(max_age_ms=None)


@pytest.fixture
async def weeks(settings: Settings, redis: Redis, pool: asyncpg.Pool) -> AsyncIterator[Weeks]:
    async with weeks_played(settings, redis, pool) as played:
        yield played


async def progress(database: asyncpg.Connection) -> list[tuple[object, ...]]:
    rows = await database.fetch("SELECT board, week, passing, after_user FROM judged_week")
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("mode", ["flag", "reject"])
async def test_a_padded_week_of_a_user_who_never_plays_again_is_one_case(
    weeks: Weeks, database: asyncpg.Connection, mode: GateMode
) -> None:
    await weeks.set_mode(mode)
    await weeks.play_ordinary("bob")
    last = await weeks.play_padded("ann")
    assert await weeks.cases() == []

    (case,) = await weeks.judge()
    assert (case.kind, case.status, case.user_id, case.action_id) == (
        *("flagged", "open"),
        *("ann", last),
    )
    assert {(found.agent, found.week) for found in case.findings} == {("week", weeks.week)}
    assert f"the week from {weeks.week}" in case.findings[0].text
    assert await progress(database) == [("arena", weeks.week, None, "")]
    assert await weeks.judge() == [case]


async def test_a_board_whose_gate_is_off_has_no_weekly_cases(
    weeks: Weeks, database: asyncpg.Connection
) -> None:
    await weeks.play_padded("ann")
    await weeks.set_mode("off")
    assert await weeks.judge() == []
    assert await progress(database) == []


async def test_a_board_without_a_model_is_judged_as_soon_as_there_is_one(
    weeks: Weeks, database: asyncpg.Connection
) -> None:
    await weeks.play_padded("ann")
    await database.execute("UPDATE anomaly_model SET active = false")
    assert await weeks.judge() == []
    await weeks.add_model()
    assert [case.user_id for case in await weeks.judge()] == ["ann"]


async def test_weeks_wait_until_no_action_of_them_may_come_any_more(weeks: Weeks) -> None:
    await weeks.play_padded("ann")
    over = start_of(weeks.week + WEEK) + week_keeper.DELAY_MS
    await weeks.keeper().judge_all(over - 1)
    assert await weeks.cases() == []
    await weeks.keeper().judge_all(over)
    assert [case.user_id for case in await weeks.cases()] == ["ann"]


async def test_what_is_still_on_its_way_to_postgres_when_the_persister_returns_is_judged(
    weeks: Weeks, database: asyncpg.Connection
) -> None:
    last = await weeks.play_padded("ann")
    assert await totals(database) == {}
    await weeks.keeper().judge_all(weeks.now)
    assert [case.action_id for case in await weeks.cases()] == [last]


async def test_weeks_that_nobody_judged_for_some_time_are_judged_together(
    weeks: Weeks, database: asyncpg.Connection
) -> None:
    await weeks.play_padded("ann")
    await weeks.judge()
    later = weeks.now + 3 * WEEK_MS
    for before in (2, 1):
        await weeks.play("bob", weeks.week - before * WEEK)
    await weeks.play("bob", weeks.week + WEEK, padding=12)
    await weeks.keeper().judge_all(later)
    _, case = await weeks.cases()
    assert (case.user_id, case.findings[0].week) == ("bob", weeks.week + WEEK)
    assert await progress(database) == [("arena", weeks.week + 3 * WEEK, None, "")]


class MemoriesOf:
    """As they were at some moment, in which a keeper read them."""

    def __init__(self, payloads: dict[str, bytes | None]) -> None:
        self._payloads = payloads

    async def of_users(self, board: str, users: Sequence[str]) -> list[bytes | None]:
        return [self._payloads[user] for user in users]


async def slow_keeper(weeks: Weeks, *users: str) -> WeekKeeper:
    """One that has read these users' memories, and then does not go on for some time."""
    keeper = weeks.keeper()
    read = await keeper._memories.of_users("arena", users)
    keeper._memories = MemoriesOf(dict(zip(users, read, strict=True)))
    return keeper


async def test_a_partition_that_cannot_be_had_keeps_no_other_waiting(
    weeks: Weeks, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyspace, taken = weeks.arena.durable.keyspace, weeks.arena.keys.partition
    boards = {name: keyspace.partition_of(name) for name in map("board{}".format, range(40))}
    await database.executemany(
        "INSERT INTO board (board, partition, settings) VALUES ($1, $2, $3)",
        [(name, partition, '{"mode":"flag"}') for name, partition in boards.items()],
    )
    keeper, asked = weeks.keeper(), list[int]()
    locked = keeper._locks.locked

    def locked_but_one(partition: int) -> AbstractAsyncContextManager[LedgerSession]:
        asked.append(partition)
        if partition == taken:
            raise Unavailable("Another process works on this partition.")
        return locked(partition)

    monkeypatch.setattr(keeper._locks, "locked", locked_but_one)
    await keeper.judge_all(weeks.now)
    judged = {board for board, *_ in await progress(database)}
    assert judged == {name for name, partition in boards.items() if partition != taken} < {*boards}
    assert asked.count(taken) == 1


@pytest.mark.parametrize("earlier", [False, True], ids=["this version", "the one before"])
@pytest.mark.parametrize("first", ["the action", "the keeper"])
async def test_a_week_that_both_find_is_one_case(weeks: Weeks, first: str, earlier: bool) -> None:
    if earlier:
        weeks.judge_by(EarlierGate(lenient_model(), ANY_AGE))
    expected = await weeks.play_padded("ann")
    keeper = await slow_keeper(weeks, "ann")
    if first == "the keeper":
        await keeper.judge_all(weeks.now)
        await weeks.act("ann", weeks.next_week())
    else:
        expected = await weeks.act("ann", weeks.next_week())
        await keeper.judge_all(weeks.now)
    assert [case.action_id for case in await weeks.cases()] == [expected]


async def test_a_user_who_has_played_on_is_judged_by_that_action_alone(weeks: Weeks) -> None:
    await weeks.play_padded("ann")
    beginning = await weeks.act("ann", weeks.next_week())
    assert [case.action_id for case in await weeks.judge()] == [beginning]


@pytest.mark.parametrize("lost", ["nothing", "the memory", "everything"])
async def test_the_next_action_tells_of_no_week_again_whatever_redis_loses(
    weeks: Weeks, lost: str
) -> None:
    last = await weeks.play_padded("ann")
    await weeks.judge()
    if lost == "the memory":
        await weeks.arena.redis.delete(weeks.arena.keys.profile(b"ann"))
    elif lost == "everything":
        await weeks.arena.redis.flushall()
    await weeks.act("ann", weeks.next_week())
    assert [case.action_id for case in await weeks.cases()] == [last]


async def test_a_redis_that_lost_all_memories_gets_them_from_the_ledger(weeks: Weeks) -> None:
    await weeks.play_ordinary("bob")
    last = await weeks.play_padded("ann")
    await weeks.arena.persist()
    await weeks.arena.redis.flushall()
    assert [case.action_id for case in await weeks.judge()] == [last]


async def test_what_an_announced_event_made_of_points_is_usual(weeks: Weeks) -> None:
    await weeks.play_padded("ann")
    await weeks.arena.persist()
    await weeks.arena.redis.flushall()
    begins, ends = start_of(weeks.week), start_of(weeks.week + WEEK)
    announced = AnnouncedEvent(moment_of(begins), moment_of(ends), 20.0)
    await weeks.set_mode("flag", events=(announced,))
    assert await weeks.judge() == []


async def test_keepers_and_players_at_once_make_one_case_of_each_week(
    weeks: Weeks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(week_keeper, "PAGE", 2)
    monkeypatch.setattr(week_keeper, "SLICE", 1)
    users = [f"user{number}" for number in range(8)]
    for user in users:
        await weeks.play_padded(user)
    await weeks.arena.persist()
    await asyncio.gather(
        *(weeks.keeper().judge_all(weeks.now) for _ in range(3)),
        *(weeks.act(user, weeks.next_week()) for user in users[::2]),
    )
    await weeks.judge()
    assert sorted(case.user_id for case in await weeks.cases()) == users


async def test_a_confirmed_case_takes_its_action_back_and_the_week_is_not_told_again(
    weeks: Weeks,
) -> None:
    await weeks.play_padded("ann")
    (case,) = await weeks.judge()
    before = (await weeks.arena.totals())["ann"]
    decision = await weeks.moderator.confirm(case.id, by="eve", reason="")
    assert (decision.reverted, decision.review.status) == (1, "confirmed")
    assert (await weeks.arena.totals())["ann"] == before - case.points
    await weeks.act("ann", weeks.next_week(), points=1)
    assert [(one.id, one.status) for one in await weeks.judge()] == [(case.id, "confirmed")]


async def test_with_what_came_before_a_confirmed_case_takes_all_of_it_back_and_no_more(
    weeks: Weeks,
) -> None:
    await weeks.play_padded("ann")
    (case,) = await weeks.judge()
    await weeks.act("ann", weeks.next_week(), points=1)
    decision = await weeks.moderator.confirm(
        case.id, by="eve", reason="", revert_earlier=True, hide_user=True, episode=True
    )
    assert (decision.hidden, decision.decided) == (True, 1)
    await weeks.arena.persist()
    hidden = await weeks.arena.zset(weeks.arena.keys.hidden)
    assert {user: int(score) for user, score in hidden.items()} == {"ann": 1}
    assert len(await weeks.judge()) == 1


async def test_an_approved_case_leaves_its_action_counted(weeks: Weeks) -> None:
    await weeks.play_padded("ann")
    (case,) = await weeks.judge()
    before = await weeks.arena.totals()
    await weeks.moderator.approve(case.id, by="eve", reason="seen on video")
    await weeks.act("ann", weeks.next_week(), points=1)
    (decided,) = await weeks.judge()
    assert decided.status == "approved"
    assert await weeks.arena.totals() == {"ann": before["ann"] + 1}


async def test_a_week_whose_last_action_has_a_case_is_about_the_one_before_and_decided_alone(
    weeks: Weeks,
) -> None:
    last = await weeks.play_padded("ann")
    flagging = lenient_model()
    low = structs.replace(flagging.board, points_high=4)
    weeks.judge_by(Gate(structs.replace(flagging, board=low), ANY_AGE))
    evening = start_of(weeks.week) + 4 * DAY + 22 * HOUR
    flagged = [await weeks.act("ann", evening + n, points=50) for n in range(2)]
    cases = await weeks.judge()
    assert [case.action_id for case in cases] == [*flagged, last]
    assert [case.episode for case in cases] == [cases[0].id, cases[0].id, cases[2].id]
    decision = await weeks.moderator.approve(cases[0].id, by="eve", reason="", episode=True)
    assert decision.decided == 2
    assert [case.status for case in await weeks.cases()] == ["approved", "approved", "open"]
    assert (await weeks.reviews.details(cases[2])).review.actions == 1


async def test_an_action_that_agents_object_to_is_a_case_without_what_is_known_of_the_week(
    weeks: Weeks,
) -> None:
    await weeks.play_padded("ann")
    await weeks.judge()
    low = structs.replace(lenient_model().board, points_high=4)
    # The memory is lost, so the action tells of the week again.
    await weeks.arena.redis.delete(weeks.arena.keys.profile(b"ann"))
    weeks.judge_by(Gate(structs.replace(lenient_model(), board=low), ANY_AGE))
    action = await weeks.act("ann", weeks.next_week(), points=50)
    weekly, flagged = await weeks.cases()
    assert flagged.action_id == action
    assert {found.agent for found in flagged.findings} == {"behavior"}
    assert {found.agent for found in weekly.findings} == {"week"}


async def test_the_case_of_a_hidden_user_is_made(weeks: Weeks) -> None:
    await weeks.play_padded("ann")
    await weeks.moderator.set_hidden("arena", "ann", hidden=True, by="eve", reason="")
    assert [case.user_id for case in await weeks.judge()] == ["ann"]


async def erase(weeks: Weeks, redis: Redis, user: str, mode: ErasureMode) -> None:
    erases = eraser(weeks.settings, redis, weeks.pool, weeks.arena.durable)
    await erases.ask(user, mode, by="eve")
    assert await erases.work()


@pytest.mark.parametrize("when", ["before", "while the week is judged", "after"])
@pytest.mark.parametrize("mode", ["erase", "anonymise"])
async def test_nothing_is_told_of_an_erased_player(
    weeks: Weeks,
    redis: Redis,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    mode: ErasureMode,
    when: str,
) -> None:
    await weeks.play_padded("ann")
    await weeks.play_ordinary("bob")
    await weeks.arena.persist()
    # As it would be of weeks that were played when they say so: then the events still tell when.
    await database.execute(
        "UPDATE score_action SET event_ms = (extract(epoch FROM occurred_at) * 1000)::bigint"
    )
    keeper = weeks.keeper()
    if when == "before":
        await erase(weeks, redis, "ann", mode)
    elif when == "while the week is judged":
        found = keeper._found

        async def find_and_erase(*args: Any) -> list[FoundWeek]:
            result = await found(*args)
            assert [one.user_id for one in result] == ["ann"]
            await erase(weeks, redis, "ann", mode)
            return result

        monkeypatch.setattr(keeper, "_found", find_and_erase)
    await keeper.judge_all(weeks.now)
    if when == "after":
        assert [case.user_id for case in await weeks.cases()] == ["ann"]
        await erase(weeks, redis, "ann", mode)
    assert await weeks.judge() == []
    left = await weeks.arena.totals()
    assert [is_pseudonym(user) for user in sorted(left)] == [True, False][mode == "erase" :]


@pytest.mark.parametrize("when", ["before it is kept", "after"])
async def test_an_erased_player_is_not_where_a_pass_was_left(
    weeks: Weeks, redis: Redis, database: asyncpg.Connection, when: str
) -> None:
    for user in ("ann", "bob", "cy"):
        await weeks.play(user, weeks.week)
    await weeks.arena.persist()
    record = JudgedWeeks(weeks.pool)
    going = await record.begin("arena", weeks.week)
    assert going is not None
    some = await record.users(going, 2)
    assert some == ("bob", ["ann", "bob"])
    going = going._replace(after="bob")
    if when == "after":
        assert await record.advance(going, []) == 0
        assert await progress(database) == [("arena", weeks.week - WEEK, weeks.week, "bob")]
    await erase(weeks, redis, "bob", "erase")
    if when == "before it is kept":
        assert await record.advance(going, []) == 0
    ((*_, place),) = await progress(database)
    assert place == ("" if when == "after" else "ann")


async def test_a_board_that_is_cleared_while_it_is_judged_gets_no_cases(
    weeks: Weeks, redis: Redis, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await weeks.play_padded("ann")
    await weeks.arena.persist()
    keeper = weeks.keeper()
    found = keeper._found

    async def find_and_clear(*args: Any) -> list[FoundWeek]:
        result = await found(*args)
        removes = remover(weeks.settings, redis, weeks.pool, weeks.arena.durable)
        await removes.remove("arena", "clear", by="eve")
        return result

    monkeypatch.setattr(keeper, "_found", find_and_clear)
    await keeper.judge_all(weeks.now)
    assert await weeks.cases() == []
    assert await progress(database) == []
    await weeks.play_padded("ann")
    assert len(await weeks.judge()) == 1


async def test_imported_actions_make_no_week(weeks: Weeks, database: asyncpg.Connection) -> None:
    await weeks.play_padded("ann")
    await weeks.arena.persist()
    await database.execute("UPDATE score_action SET attempt_id = 'import:' || attempt_id")
    await weeks.arena.redis.flushall()
    assert await weeks.judge() == []


class TestWithARetention:
    """The ledger's part that has the week is folded."""

    @pytest.fixture
    async def database_url(self, bare_url: str) -> str:
        await parted(bare_url, int(time.time() * 1000) + DAY, DAY)
        return bare_url

    async def test_a_case_that_nobody_could_decide_any_more_is_not_made(
        self, weeks: Weeks, database: asyncpg.Connection
    ) -> None:
        await weeks.play_padded("ann")
        await weeks.arena.persist()
        folds = LedgerFolds(weeks.pool)
        part = await folds.due(ALL_DUE)
        assert part is not None
        await folds.begin(part)
        assert await weeks.judge() == []
        assert await database.fetchval("SELECT count(*) FROM score_action") > 0
