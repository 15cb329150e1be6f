"""``scoreboard boards``, ``models`` and ``train`` on the ledger, as an operator runs them."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path

import asyncpg
import msgspec
import pytest
from redis.asyncio import Redis

from scoreboard.anomaly.board import board_statistics
from scoreboard.anomaly.model import Model, TrainingRecord
from scoreboard.commands.train import store
from scoreboard.domain.boards import BoardSettings, Rate
from scoreboard.domain.periods import Period
from scoreboard.domain.submissions import Outcome
from scoreboard.errors import Unavailable, UnknownBoard
from scoreboard.pg.board_settings import StoredSettings
from scoreboard.pg.models import Models
from scoreboard.settings import Settings
from tests.integration.commands.conftest import Run
from tests.support.arena import Arena
from tests.support.extent import further
from tests.support.honest_season import season
from tests.support.moderated_arena import moderated
from tests.support.posts_around import posts_around


async def record(pool: asyncpg.Pool, board: str, seed: int = 1) -> int:
    """Writes an honest season into the ledger, as if it had been played; how many actions."""
    cases = season(seed=seed)
    rows = [
        (
            *(board, case.user_id, f"k{i}", case.points, case.at_ms, 0, "accepted", f"t{i}"),
            msgspec.json.encode(case.context).decode(),
        )
        for i, case in enumerate(cases)
    ]
    await pool.copy_records_to_table(
        "score_action",
        records=rows,
        columns=(
            *("board", "user_id", "action_id", "points", "event_ms", "event_seq", "status"),
            *("attempt_id", "context"),
        ),
    )
    return len(rows)


async def test_a_board_is_made_shown_and_changed_bit_by_bit(run: Run, pool: asyncpg.Pool) -> None:
    made = await run(
        "boards", "set", "duel", "--mode", "reject", "--rate", "20/60", "--max-points", "9"
    )
    assert "duel  mode reject, points -2147483647 to 9, rate 20/60 s" in made.out
    await run("boards", "set", "duel", "--min-points", "1", "--allow-history")
    assert await StoredSettings(pool).get("duel") == BoardSettings(
        mode="reject",
        min_points=1,
        max_points=9,
        rate=Rate(20, 60),
        allow_history=True,
        ids="nfc-visible",
    )
    shown = msgspec.json.decode((await run("boards", "show", "duel")).out)
    assert (shown["mode"], shown["minPoints"], shown["maxPoints"]) == ("reject", 1, 9)
    await run("boards", "set", "duel", "--rate", "none", "--no-allow-history")
    listed = (await run("boards", "list")).out
    assert listed == "duel  mode reject, points 1 to 9, no rate, ids nfc-visible\n"
    await run("boards", "set", "duel", "--ids", "any")
    for named in (["duel"], ["--board", "duel"], ["--board=duel"]):
        assert '"ids": "any"' in (await run("boards", "show", *named)).out
    audited = await pool.fetch("SELECT actor, decision, board FROM admin_audit ORDER BY id")
    assert [tuple(row) for row in audited] == [("command line", "board_set", "duel")] * 4


async def test_a_boards_limits_are_set_and_dropped(run: Run, pool: asyncpg.Pool) -> None:
    limits = ("--opens", "2026-06-06T10:00:00+02:00", "--closes", "2026-06-06T20:00:00+02:00")
    made = await run(
        *("boards", "set", "cup", *limits, "--attempts", "3", "--capacity", "9"),
        *("--join", "required"),
    )
    assert "join required, opens 2026-06-06T10:00:00+02:00, closes" in made.out
    assert "attempts 3, capacity 9" in made.out
    shown = msgspec.json.decode((await run("boards", "show", "cup")).out)
    assert (shown["opens"], shown["attempts"]) == ("2026-06-06T10:00:00+02:00", 3)
    dropped = (("--opens", "none"), ("--closes", "none"), ("--attempts", "none"))
    await run("boards", "set", "cup", *(word for option in dropped for word in option))
    assert await StoredSettings(pool).get("cup") == BoardSettings(
        capacity=9, join="required", ids="nfc-visible"
    )


async def test_events_are_announced_and_called_off(run: Run, pool: asyncpg.Pool) -> None:
    double = "2026-12-05T00:00:00Z/2026-12-07T00:00:00Z/2"
    made = await run("boards", "set", "cup", "--event", double)
    assert "points x 2 from 2026-12-05T00:00:00+00:00 to 2026-12-07T00:00:00+00:00" in made.out
    stored = (await StoredSettings(pool).get("cup")).events
    assert [(event.ends.day, event.factor) for event in stored] == [(7, 2.0)]
    assert (
        "--event is FROM/TO/FACTOR"
        in (await run("boards", "set", "cup", "--event", "x", code=1)).err
    )
    await run("boards", "set", "cup", "--event", "none")
    assert (await StoredSettings(pool).get("cup")).events == ()


async def test_a_boards_periods_are_set_one_by_one_with_quotes_or_without(
    run: Run, pool: asyncpg.Pool
) -> None:
    week = "week cron=0 0 * * 1 zone=Europe/Berlin grace=60"
    blitz = "blitz every=PT30S start=2026-01-01T00:00:00Z keep=9"
    made = await run("boards", "set", "cup", "--period", week, "--period", blitz, "--no-all-time")
    assert f"period {week}, period {blitz}, no table of all time" in made.out
    settings = await StoredSettings(pool).get("cup")
    assert [period.name for period in settings.periods] == ["week", "blitz"]
    assert (settings.periods[0].grace, settings.all_time) == (60, False)

    quoted = 'week cron="30 4 * * 1" zone=Asia/Kolkata'
    await run("boards", "set", "cup", "--period", quoted, "--drop-period", "blitz", "--all-time")
    settings = await StoredSettings(pool).get("cup")
    assert settings.periods == (Period("week", cron="30 4 * * 1", zone="Asia/Kolkata"),)
    await run("boards", "set", "cup", "--title", "Cup")
    assert (await StoredSettings(pool).get("cup")).periods == settings.periods


async def test_a_change_holds_for_the_next_action_of_a_running_service(
    run: Run, arena: Arena
) -> None:
    assert (await arena.submit(("ann", "k1", 5)))[0].outcome.name == "ACCEPTED"
    await run("boards", "set", "arena", "--max-points", "4")
    assert (await arena.submit(("ann", "k2", 5)))[0].outcome.name == "OUT_OF_BOUNDS"


async def test_from_the_next_action_on_a_running_service_counts_by_periods_alone(
    run: Run, arena: Arena
) -> None:
    await run("boards", "set", "arena", "--period", "day cron=0 0 * * *")
    [before] = await arena.submit(("ann", "k1", 5))
    assert (before.score, before.rank) == (5, 1)
    await run("boards", "set", "arena", "--no-all-time")
    [after] = await arena.submit(("ann", "k2", 4))
    assert (after.score, after.rank) == (None, None)
    assert [(one.period, one.score) for one in after.periods] == [("day", 9)]


async def test_a_board_is_cleared_and_deleted_by_who_names_it_twice(run: Run, arena: Arena) -> None:
    await arena.submit(("ann", "k1", 5))
    refused = await run("boards", "delete", "arena", "--confirm", "duel", code=1)
    assert "--confirm names another board than arena" in refused.err
    assert (await run("boards", "clear", "arena", "--confirm", "arena")).out == "arena  cleared\n"
    assert await arena.totals() == {}
    assert (await arena.submit(("ann", "k1", 5)))[0].outcome.name == "ACCEPTED"
    assert (await run("boards", "delete", "arena", "--confirm", "arena")).out == "arena  deleted\n"
    assert (await run("boards", "list")).out == ""
    assert "no board" in (await run("boards", "delete", "arena", "--confirm", "arena", code=1)).err


@pytest.mark.parametrize("removal", ["clear", "delete"])
async def test_whoever_posts_while_a_command_removes_the_board_counts_after_it_or_is_refused(
    run: Run, arena: Arena, removal: str
) -> None:
    async def post(user: str, action: str) -> bool:
        try:
            [result] = await arena.submit((user, action, 1))
        except Unavailable:
            return False
        assert result.outcome is Outcome.ACCEPTED
        return True

    acknowledged = await posts_around(
        lambda: run("boards", removal, "arena", "--confirm", "arena"), post
    )
    counted = sum((await arena.totals()).values())
    most = len(acknowledged.after | acknowledged.meanwhile)
    assert len(acknowledged.after) <= counted <= most
    for action in acknowledged.after:
        [again] = await arena.submit((f"user{action[0]}", action, 1))
        assert again.outcome is Outcome.DUPLICATE
    for action in acknowledged.before:
        [new] = await arena.submit((f"user{action[0]}", action, 1))
        assert new.outcome is Outcome.ACCEPTED


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("boards", "set", "duel"), "say what to set"),
        (("boards", "set", "Duel!", "--mode", "off"), "can't be the name of a board"),
        (("boards", "set", "duel", "--rate", "fast"), "--rate is N/SECONDS"),
        (("boards", "set", "duel", "--rate", "0/60"), "`int` >= 1"),
        (("boards", "set", "duel", "--min-points", "5", "--max-points", "4"), "above maxPoints"),
        (("boards", "set", "duel", "--attempts", "many"), "attempts"),
        (("boards", "set", "duel", "--closes", "2026-06-06"), "closes"),
        (("boards", "set", "duel", "--period", "week"), "needs `cron`, or `every` with `start`"),
        (("boards", "set", "duel", "--period", "week 0 0 * * 1"), "'0' is not KEY=VALUE"),
        (("boards", "set", "duel", "--period", "week cron=0 0 * *"), "cron"),
        (("boards", "set", "duel", "--period", "week grace=1 grace=2"), "has grace twice"),
        (("boards", "set", "duel", "--period", "w cron=0 0 * * 1 colour=red"), "colour"),
        (("boards", "set", "duel", "--period", ""), "is not NAME KEY=VALUE"),
        (("boards", "set", "duel", "--period", 'week cron="'), "is not NAME KEY=VALUE"),
        (("boards", "set", "duel", "--drop-period", "week"), "no period 'week'"),
        (("boards", "set", "duel", "--no-all-time"), "needs a period"),
        (("boards", "show", "duel"), "There is no board 'duel'"),
        (("boards", "set", "--top-size=3", "--board", "no board"), "can't be the name of a board"),
        (("models", "activate", "7"), "There is no model 7"),
        (("models", "rollback"), "no earlier model"),
        (("train", "--board", "duel"), "There is no board 'duel'"),
        (("train",), "Training needs at least 1000 actions; got 0."),
    ],
)
async def test_what_makes_no_sense_is_said_in_one_line(
    run: Run,
    database_url: str,
    arguments: tuple[str, ...],
    complaint: str,
) -> None:
    assert complaint in (await run(*arguments, code=1)).err


async def test_verify_finds_nothing_wrong_after_decisions(
    run: Run,
    settings: Settings,
    redis: Redis,
    pool: asyncpg.Pool,
    database: asyncpg.Connection,
) -> None:
    async with moderated(settings, redis, pool, database) as court:
        await court.set_mode("reject")
        await court.arena.submit(("ann", "k0", 5), ("bob", "k0", 7), ("bob", "zero", 0))
        approved = await court.case("ann", "approved", 100)
        await court.moderator.approve(approved.id, by="eve", reason="")
        await court.set_mode("flag")
        reverted = await court.case("bob", "reverted", 200)
        await court.moderator.confirm(
            reverted.id, by="eve", reason="", revert_earlier=True, hide_user=True
        )
        ended = await run("verify", "--board", "arena")
        assert "arena: 2 users, 5 receipts, 0 differences" in ended.out
        await court.agree({"ann": 105, "bob": 0})


async def test_a_model_trained_on_the_ledger_is_put_in_force_and_can_be_rolled_back(
    run: Run, pool: asyncpg.Pool
) -> None:
    count = await record(pool, "arena")
    ended = await run("train", "--seed", "1")
    assert f"Trained on {count:,} actions of 30 users." in ended.err
    assert "model 1 is in force" in ended.err
    models = Models(pool)
    assert await models.active() == {"": 1}
    model = Model.from_bytes(await models.content(1))
    assert model.training.actions == count
    assert {"time", "location", "device", "behavior"} <= model.agents.keys()

    ended = await run("train", "--seed", "2", "--no-activate")
    assert "model 2 is stored" in ended.err
    assert await models.active() == {"": 1}
    await run("models", "activate", "2")
    listed = (await run("models", "list")).out.splitlines()
    assert [line.split()[:2] for line in listed] == [["*", "2"], ["1", "all"]]
    assert "trained" in listed[0]
    assert f"actions {count}" in listed[0]
    await run("models", "rollback")
    assert await models.active() == {"": 1}
    held = await run("models", "hold-back", "1")
    assert "model 1 is held back; only the rules apply now" in held.out
    assert await models.active() == {}


async def test_of_a_board_that_was_deleted_during_its_training_no_model_stays(
    settings: Settings, pool: asyncpg.Pool
) -> None:
    cases = season(seed=1)
    record = TrainingRecord(0, 0, 0, 0, seed=0, false_alarm_rate=0.001, refused={})
    model = Model(board=board_statistics(cases), agents={}, training=record)

    def keep(*, of_ledger: bool) -> Awaitable[int]:
        return store(settings, "gone", model, 0.0, activate=True, of_ledger=of_ledger)

    with pytest.raises(UnknownBoard):
        await keep(of_ledger=True)
    assert await Models(pool).active() == {}
    version = await keep(of_ledger=False)  # of a file: the board may be made later
    assert await Models(pool).active() == {"gone": version}


@further
async def test_a_model_is_evaluated_on_the_ledger_with_peoples_decisions(
    run: Run, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    count = await record(pool, "arena")
    await pool.execute("INSERT INTO board (board, partition) VALUES ('arena', 0)")
    assert "no model is in force" in (await run("evaluate", "--board", "arena", code=1)).err
    await run("train", "--board", "arena")
    await pool.execute(
        "INSERT INTO review (attempt_id, kind, status, board, user_id, action_id, points, event_ms,"
        " event_seq) SELECT attempt_id, 'flagged', (ARRAY['confirmed', 'approved', 'open'])[1 + n],"
        " board, user_id, action_id, points, event_ms, 0 FROM (SELECT *, row_number() OVER"
        " (ORDER BY event_ms DESC) - 1 AS n FROM score_action) AS action WHERE n < 3"
    )
    figures = tmp_path / "figures.json"
    await run("evaluate", "--board", "arena", "--json", str(figures))
    found = msgspec.json.decode(figures.read_bytes())
    assert {kind: one["actions"] for kind, one in found["kinds"].items()} == {"confirmed": 1}
    assert {kind: one["actions"] for kind, one in found["honest_kinds"].items()} == {
        "approved": 1,
        "counted": count - 3,
    }
    since = ("--since", "2026-01-26", "--json", str(figures))
    await run("evaluate", "--board", "arena", *since)
    later = sum(case.at_ms >= 1_769_385_600_000 for case in season())  # 2026-01-26
    found = msgspec.json.decode(figures.read_bytes())
    assert found["honest"] + found["cheats"] == later - 1
    nothing = await run("evaluate", "--board", "arena", "--since", "2099-01-01", code=1)
    assert "no action of this board to measure" in nothing.err
    assert (
        "--csv file, or a --board" in (await run("evaluate", "--since", "2026-01-26", code=1)).err
    )


async def test_without_a_model_the_list_says_so_and_how_to_get_one(run: Run) -> None:
    (line,) = (await run("models", "list")).out.splitlines()
    assert "scoreboard train" in line


async def test_a_rebuild_prints_for_people(run: Run, arena: Arena) -> None:
    await arena.submit(("ann", "a1", 5))
    ended = await run("rebuild", "--board", "arena")
    assert "{" not in ended.out + ended.err
    assert "arena" in ended.err


async def test_the_list_of_models_shows_counts_whole(run: Run, pool: asyncpg.Pool) -> None:
    figures = {"actions": 137_554, "refused by time": 0.00034567}
    await Models(pool).add("", b"x", first_ms=0, last_ms=1, false_alarm_rate=0.001, quality=figures)
    (line,) = (await run("models", "list")).out.splitlines()
    assert line.endswith("actions 137554, refused by time 0.0003457")


async def test_training_reads_one_board_since_a_day_and_can_write_a_file(
    run: Run, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    await record(pool, "arena")
    await pool.execute("INSERT INTO board (board, partition) VALUES ('arena', 0)")
    await pool.execute(
        "INSERT INTO score_action (board, user_id, action_id, points, event_ms, event_seq, status,"
        " attempt_id) SELECT 'other', user_id, action_id, 999, event_ms, event_seq, status,"
        " attempt_id FROM score_action"
    )
    saved = tmp_path / "model"
    await run("train", "--board", "arena", "--since", "2026-01-19", "--save", str(saved))
    model = Model.from_bytes(saved.read_bytes())
    assert model.board.points_high == 3
    wanted = [case for case in season() if case.at_ms >= 1_768_780_800_000]  # 2026-01-19
    assert model.training.actions == len(wanted)
    assert await Models(pool).list() == []
