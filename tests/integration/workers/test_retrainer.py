"""Scheduled training of boards with a gate."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from scoreboard import background
from scoreboard.assembly.training_process import train_apart
from scoreboard.domain.judging import Case
from scoreboard.pg.models import Models
from scoreboard.settings import Settings
from scoreboard.workers import retrainer as retrainer_module
from scoreboard.workers.retrainer import Retrainer
from scripts.synthetic_season import season
from tests.support.extent import further
from tests.support.waiting import wait_until

DAY = 86_400.0


async def add_board(pool: asyncpg.Pool, board: str, mode: str) -> None:
    await pool.execute(
        "INSERT INTO board (board, partition, settings) VALUES ($1, 0, $2)",
        board,
        f'{{"mode":"{mode}"}}',
    )


async def record(pool: asyncpg.Pool, cases: list[Case]) -> None:
    """A board with a gate, and what counts on it."""
    await add_board(pool, "guarded", "reject")
    await pool.copy_records_to_table(
        "score_action",
        columns=(
            "board", "user_id", "action_id", "points", "score", "event_ms", "event_seq",
            "status", "attempt_id",
        ),
        records=[
            ("guarded", c.user_id, f"a{i}", c.points, i, c.at_ms, i, "accepted", f"t{i}")
            for i, c in enumerate(cases)
        ],
    )  # fmt: skip


async def test_boards_with_a_gate_are_due_until_they_have_a_model_of_that_age(
    pool: asyncpg.Pool,
) -> None:
    models = Models(pool)
    for board, mode in (("open", "off"), ("watched", "flag"), ("guarded", "reject")):
        await add_board(pool, board, mode)
    assert await models.due(DAY) == ["guarded", "watched"]
    await models.add("watched", b"model", first_ms=0, last_ms=0, false_alarm_rate=0.001, quality={})
    assert await models.due(DAY) == ["guarded"]
    await pool.execute("UPDATE anomaly_model SET created = now() - interval '2 days'")
    assert await models.due(DAY) == ["guarded", "watched"]


async def test_of_models_put_in_force_at_the_same_moment_one_is(pool: asyncpg.Pool) -> None:
    models = Models(pool)
    first, *others = [
        await models.add(
            "guarded", b"model", first_ms=0, last_ms=0, false_alarm_rate=0.1, quality={}
        )
        for _ in range(3)
    ]
    await models.activate(first, by="eve")
    async with asyncio.TaskGroup() as tasks, pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM anomaly_model WHERE version = $1 FOR UPDATE", first)
        activations = [tasks.create_task(models.activate(v, by="eve")) for v in others]

        async def both_wait() -> Any:
            # Outside the transaction, which would go on seeing the sessions of its first look.
            return await pool.fetchval(
                "SELECT count(*) = 2 FROM pg_locks JOIN pg_stat_activity USING (pid) "
                "WHERE NOT granted AND datname = current_database()"
            )

        await wait_until(both_wait, description="two activations that wait")
    replaced = {one.version: one.replaced for one in [task.result() for task in activations]}
    (last,) = (await models.active()).values()
    (before,) = {*others} - {last}
    assert replaced == {before: first, last: before}


async def test_a_board_that_could_not_be_trained_waits_for_its_next_turn() -> None:
    tried: list[str] = []

    class Schedule:
        async def due(self, interval: float) -> list[str]:
            return ["few", "many"]

    async def train(board: str) -> bool:
        tried.append(board)
        return board == "many"

    retrainer = Retrainer(Schedule(), train, interval=DAY)
    await retrainer.train_due()
    await retrainer.train_due()
    assert tried == ["few", "many"]


async def test_a_training_that_fails_in_any_way_does_not_end_the_schedule(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retrainer_module, "LOOK", 0.01)
    monkeypatch.setattr(background, "RESTART", 0)
    tried: list[str] = []

    class Schedule:
        async def due(self, interval: float) -> list[str]:
            return ["slow", "few"]

    async def train(board: str) -> bool:
        tried.append(board)
        if board == "slow":
            raise TimeoutError
        return True

    retrainer = Retrainer(Schedule(), train, interval=DAY)
    running = asyncio.create_task(background.keep_running("retrainer", retrainer.run))
    try:
        await wait_until(lambda: tried == ["slow", "few"], description="the next board's turn")
        assert not running.done()
    finally:
        running.cancel()


@further
async def test_a_board_is_trained_on_its_own_ledger_by_a_process_apart(
    pool: asyncpg.Pool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sklearn", reason="training needs the extra `train`")
    monkeypatch.setenv("SCOREBOARD_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("SCOREBOARD_REDIS_URL", settings.redis_url)
    await record(pool, season(players=20, days=20))
    assert await train_apart("guarded")
    models = Models(pool)
    (model,) = await models.list()
    assert (model.board, model.active) == ("guarded", True)
    assert await models.due(DAY) == []


@further
async def test_a_model_that_refuses_much_of_the_last_week_is_kept_and_not_put_in_force(
    pool: asyncpg.Pool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sklearn", reason="training needs the extra `train`")
    monkeypatch.setenv("SCOREBOARD_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("SCOREBOARD_REDIS_URL", settings.redis_url)
    cases = season(players=40, days=40)
    quiet = cases[-1].at_ms + 10 * 86_400_000
    # A week in which hardly anybody played, and those who did played as nobody had before.
    cases += [
        Case(f"player-{i % 3}", 3, at := quiet + round(3_000 * i**0.9), at) for i in range(30)
    ]
    await record(pool, cases)
    assert not await train_apart("guarded")
    (model,) = await Models(pool).list()
    assert (model.board, model.active) == ("guarded", False)
    assert model.quality["refused of the last week"] > 0.01
    assert await Models(pool).due(DAY) == [], "it is not trained again at once"


async def test_too_small_a_ledger_makes_no_model_and_no_noise(
    pool: asyncpg.Pool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCOREBOARD_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("SCOREBOARD_REDIS_URL", settings.redis_url)
    await add_board(pool, "guarded", "reject")
    assert not await train_apart("guarded")
    assert await Models(pool).list() == []
