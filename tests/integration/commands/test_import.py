"""``scoreboard import`` as an operator runs it: from files, from Redis, from Nakama."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from scoreboard.assembly.recovery import verifier_of
from scoreboard.commands.import_ import SHOWN, Given, import_standings
from scoreboard.domain.audit import Difference
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.imports import SourceRow
from scoreboard.domain.profiles import Profile
from scoreboard.errors import ConfigurationError, InvalidRequest, ScoreboardError
from scoreboard.pg.ledger_audit import LedgerAudit
from scoreboard.pg.profiles import StoredProfiles
from scoreboard.redisio import foreign_boards
from scoreboard.redisio.foreign_boards import zset_source
from scoreboard.settings import Settings
from scoreboard.write_path.importer import BEFORE, NEW
from tests.integration.commands.conftest import Run
from tests.support.command import named, started
from tests.support.moderated_arena import Moderated
from tests.support.nakama import Record, nakama_database
from tests.support.waiting import wait_until

ROWS = [("bob", 20), ("cy", 20), ("ann", 6)]


def csv_file(folder: Path, rows: list[tuple[str, Any]] = ROWS) -> Path:
    file = folder / "season.csv"
    file.write_text("user_id,score\n" + "".join(f"{user},{score}\n" for user, score in rows))
    return file


async def make(court: Moderated, board: str = "arena", **rules: Any) -> None:
    await court.moderator.configure(board, lambda _: BoardSettings(**rules), by="mod")


async def board(court: Moderated) -> list[tuple[str, int]]:
    """The standings in Postgres, once all is there."""
    await court.arena.persist()
    rows = await court.database.fetch(
        "SELECT user_id, score FROM user_score WHERE board = 'arena'"
        " ORDER BY score DESC, reached_at, user_id DESC"
    )
    return [tuple(row) for row in rows]


async def check_clean(court: Moderated, pool: asyncpg.Pool) -> None:
    """The audit finds nothing."""
    found: list[Difference] = []
    verifier = verifier_of(court.arena.durable, court.arena.redis, LedgerAudit(pool))
    await verifier.verify("arena", found.append, lambda _: None)
    assert found == []


async def test_a_file_is_imported_once_and_the_audit_has_it(
    settings: Settings, court: Moderated, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    await make(court)
    given = Given(csv_file(tmp_path))

    assert await import_standings(settings, "arena", given, dry=True) == {NEW: 3}
    assert await board(court) == []
    assert await import_standings(settings, "arena", given) == {NEW: 3}
    assert await import_standings(settings, "arena", given) == {BEFORE: 3}
    assert await board(court) == ROWS
    assert await import_standings(settings, "arena", given) == {BEFORE: 3}

    await check_clean(court, pool)
    audit = await court.database.fetch(
        "SELECT details FROM admin_audit WHERE decision = 'board_imported' ORDER BY id"
    )
    told = [json.loads(row["details"]) for row in audit]
    assert [one["counts"] for one in told] == [{NEW: 3}, {BEFORE: 3}, {BEFORE: 3}]
    assert {one["source"] for one in told} == {"season.csv"}


async def test_rows_that_are_left_out_are_told_and_in_the_file(
    settings: Settings, court: Moderated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await make(court)
    rows = [("bob", 7.5), ("cy", 3), ("x" * 200, 1), *((f"user{at}", 0.5) for at in range(30))]
    left_out = tmp_path / "left-out.ndjson"

    given = Given(csv_file(tmp_path, rows))
    counts = await import_standings(settings, "arena", given, refused=left_out)

    assert (counts[NEW], sum(counts.values())) == (1, 33)
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("row 1, 'bob' with 7.5: the score has 1 decimal; at most 0")
    assert said[-1] == "... 12 more rows are left out; all are in the file"
    assert len(said) == SHOWN + 1
    told = [json.loads(line) for line in left_out.read_bytes().splitlines()]
    assert [(one["row"], one["score"]) for one in told[:2]] == [(1, "7.5"), (3, "1")]
    assert len(told) == 32


@pytest.mark.parametrize("order", ["desc", "asc"])
async def test_a_sorted_set_of_another_library_is_imported_in_its_order(
    settings: Settings, court: Moderated, pool: asyncpg.Pool, order: str
) -> None:
    """leaderboard-python and redis-rank keep members with their scores under the board's name, the
    former with a hash of data beside."""
    redis = court.arena.redis
    await make(court, order=order, operator="best", decimals=3)
    scores = {"ann": 83.204, "bob": 81.5, "cy": 81.5, "dan": 81.5, "eve": 1e3}
    await redis.zadd("highscores", scores)
    await redis.hset("highscores:member_data", mapping={"ann": '{"clan":"red"}'})
    given = Given(redis=settings.redis_url, key="highscores")

    refused = await import_standings(settings, "arena", given, dry=True)
    assert refused["the score has 3 decimals; at most 0 are taken (--decimals)"] == 1
    assert await import_standings(settings, "arena", given, decimals=3) == {NEW: 5}

    read: Any = redis.zrange if order == "asc" else redis.zrevrange
    best_first = [member.decode() for member in await read("highscores", 0, -1)]
    sign = -1 if order == "asc" else 1
    assert await board(court) == [(user, sign * round(scores[user] * 1000)) for user in best_first]
    await check_clean(court, pool)


async def test_a_sorted_set_is_read_in_chunks_and_must_not_move_meanwhile(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign_boards, "CHUNK", 4)
    await redis.zadd("old", {f"user{at}": at for at in range(10)})

    source = await zset_source(redis, "old", "desc", "old")
    read = [row async for chunk in source.chunks for row in chunk]
    assert read == [SourceRow(at, f"user{10 - at}", 10 - at) for at in range(1, 11)]
    assert source.rows == 10

    # Who moves past what was read: one up, or one up and another one down.
    for moves in ({"user0": 100}, {"user1": 200, "user0": -1}):
        source = await zset_source(redis, "old", "desc", "old")
        await anext(source.chunks)
        await redis.zadd("old", moves)
        with pytest.raises(InvalidRequest, match="changes while it is read"):
            [row async for chunk in source.chunks for row in chunk]


async def test_what_is_no_sorted_set_is_said(
    settings: Settings, court: Moderated, redis: Redis
) -> None:
    await make(court)
    await redis.set("text", "1")

    for key, said in (("text", "a string, no sorted set"), ("gone", "no such key")):
        with pytest.raises(InvalidRequest, match=said):
            await import_standings(settings, "arena", Given(redis=settings.redis_url, key=key))


async def test_a_leaderboard_of_nakama_is_imported_in_its_order(
    settings: Settings, court: Moderated, pool: asyncpg.Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    owners = [f"00000000-0000-0000-0000-00000000000{at}" for at in range(1, 7)]
    ann, bob, cy, dan, eve, fay = owners
    await make(court)
    profiles = StoredProfiles(pool)
    await profiles.put(cy, Profile(display_name="My own"))
    reset, next_reset = "2025-11-30", "2025-12-31"
    records = [
        Record(ann, "Ann", 50, "2025-12-01", next_reset, metadata='{"clan":"red"}'),
        Record(bob, "Bob\u200b", 70, "2025-12-03", next_reset, subscore=1),
        Record(cy, "Cy", 70, "2025-12-02", next_reset, 1, metadata=f'{{"a":"{"x" * 1100}"}}'),
        Record(dan, None, 70, "2025-12-04", next_reset, subscore=9),
        Record(eve, "Eve", 99, "2025-11-01", reset),
        Record(fay, "Fay", 0, "2025-12-05", next_reset, writes=0),
    ]
    async with nakama_database(settings.database_url, *records) as url:
        weekly, laps, nobody = (
            Given(nakama=url, leaderboard=name) for name in ("weekly", "laps", "nobody")
        )
        assert await import_standings(settings, "arena", weekly) == {NEW: 4}
        assert await import_standings(settings, "arena", weekly) == {BEFORE: 4}
        with pytest.raises(ConfigurationError, match="would stand upside down"):
            await import_standings(settings, "arena", laps)
        with pytest.raises(InvalidRequest, match="Nakama has no leaderboard 'nobody'"):
            await import_standings(settings, "arena", nobody)

    said = capsys.readouterr().err
    assert "3 subscores are left out" in said
    assert "1 players have joined and not scored; they are left out" in said
    assert "1 records of earlier resets are left out" in said
    assert "the records expired at 2025-12-31" in said
    assert "1 names are no names here, and left out" in said
    assert "1 records have metadata that a profile can't hold; it is left out" in said
    kept = await profiles.whole(owners)
    assert {user: one.display_name for user, one in kept.items()} == {
        ann: "Ann",
        cy: "My own",
    }
    assert json.loads(bytes(kept[ann].metadata)) == {"clan": "red"}  # type: ignore[arg-type]
    assert await board(court) == [
        *((dan, 70), (cy, 70), (bob, 70), (ann, 50)),
    ]
    await check_clean(court, pool)


async def test_a_database_without_nakama_is_said(settings: Settings, court: Moderated) -> None:
    await make(court)

    with pytest.raises(ConfigurationError, match="the database has no tables of Nakama"):
        await import_standings(
            settings, "arena", Given(nakama=settings.database_url, leaderboard="weekly")
        )


async def test_an_import_that_was_killed_is_finished_by_the_next(
    settings: Settings, court: Moderated, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    await make(court)
    rows = [(f"user{at:05}", 5_000 - at) for at in range(5_000)]
    file = await asyncio.to_thread(csv_file, tmp_path, rows)
    key, redis = court.arena.keys.board, court.arena.redis
    servers = named(settings.redis_url, settings.database_url)
    ours = {client["id"] for client in await redis.client_list()}

    async with started("import", str(file), "--board", "arena", **servers) as process:

        async def begun() -> bool:
            return int(await redis.zcard(key)) > 0

        await wait_until(begun, description="some rows are imported")
        others = {client["id"] for client in await redis.client_list()} - ours
        process.send_signal(signal.SIGKILL)
        await process.wait()

    async def parted() -> bool:
        """Redis has done what was on its way to it when the process ended."""
        return others.isdisjoint(client["id"] for client in await redis.client_list())

    await wait_until(parted, description="the process's connections are gone")
    counted = int(await redis.zcard(key))
    counts = await import_standings(settings, "arena", Given(file))

    assert (counts[NEW], counts[BEFORE]) == (len(rows) - counted, counted)
    assert await board(court) == rows
    await check_clean(court, pool)


async def test_what_would_be_wrong_to_import_is_refused_at_once(
    settings: Settings, court: Moderated, tmp_path: Path
) -> None:
    file = csv_file(tmp_path)
    await make(court, "gated", mode="flag")
    await make(court, "laps", order="asc")
    exported = tmp_path / "exported.csv"
    exported.write_text('# {"what":"standings","order":"desc","rows":1}\nuser_id,score\nann,1\n')

    for board, given, said in (
        ("nobody", Given(file), "There is no board 'nobody'. Make it, .*boards set nobody"),
        ("gated", Given(file), "the gate of gated is on"),
        ("laps", Given(exported), "would stand upside down"),
        ("laps", Given(), "name one source: a file, --from-redis or --from-nakama"),
        ("laps", Given(file, key="x"), "--from-redis and --key go together"),
        ("laps", Given(file, name="x" * 101), "name the source by --source"),
        ("laps", Given(redis="http://x", key="x"), "--from-redis is no Redis URL"),
        ("laps", Given(redis="redis://127.0.0.1:1", key="x"), "--from-redis: Redis can't be"),
        ("laps", Given(nakama="mysql://x", leaderboard="x"), "--from-nakama is no Postgres URL"),
        (
            "laps",
            Given(nakama="postgresql://x@127.0.0.1:1/x", leaderboard="x"),
            "--from-nakama: Postgres can't be reached",
        ),
    ):
        with pytest.raises(ScoreboardError, match=said):
            await import_standings(settings, board, given)


async def test_the_command_prints_what_became_of_the_rows(
    run: Run, court: Moderated, tmp_path: Path
) -> None:
    await make(court)
    file = str(csv_file(tmp_path, [*ROWS, ("dan", 0.5)]))

    dry = await run("import", file, "--board", "arena", "--dry-run", code=1)
    ended = await run("import", file, "--board", "arena", code=1)

    reason = "1 the score has 1 decimal; at most 0 are taken (--decimals)"
    assert [line.strip() for line in dry.out.splitlines()] == ["3 would be imported", reason]
    assert [line.strip() for line in ended.out.splitlines()] == ["3 imported", reason]


async def test_the_command_says_that_a_source_has_no_rows(
    run: Run, court: Moderated, tmp_path: Path
) -> None:
    await make(court)

    ended = await run("import", str(csv_file(tmp_path, [])), "--board", "arena")

    assert ended.out == "The source has no rows.\n"
