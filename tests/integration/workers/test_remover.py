"""Boards that are deleted or cleared: all of a board goes, and nothing of another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from scoreboard.domain.ledger import EventId
from scoreboard.domain.removals import Removal, RemovalKind
from scoreboard.domain.submissions import Outcome
from scoreboard.errors import Misconfigured, Unavailable, UnknownBoard
from scoreboard.pg import removals
from scoreboard.pg.archived_boards import ArchivedBoards
from scoreboard.pg.board_settings import StoredSettings
from scoreboard.pg.ledger_audit import LedgerAudit
from scoreboard.pg.removals import Removals
from scoreboard.redisio import sweeper
from scoreboard.settings import Settings
from scoreboard.wire import messages
from scoreboard.workers.persister import Persister
from tests.support.channels import listening
from tests.support.ledger_entries import sums
from tests.support.persisting import at_work
from tests.support.posts_around import posts_around
from tests.support.removed_board import SETTINGS, Furnished, furnished


@pytest.fixture
async def place(
    settings: Settings,
    redis: Redis,
    pool: asyncpg.Pool,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Furnished]:
    """Steps are small, so that each kind of row and key takes several."""
    monkeypatch.setattr(removals, "CHUNK", 1)
    monkeypatch.setattr(sweeper, "STEP", 2)
    async with furnished(settings, redis, pool, database) as found:
        await found.furnish()
        yield found


async def test_of_a_deleted_board_nothing_is_left_and_of_others_nothing_is_gone(
    place: Furnished,
) -> None:
    assert {key.split(b":")[2] for key in await place.keys()} == {
        *(b"board", b"hidden", b"meta", b"action", b"rate", b"profile", b"device")
    }
    assert (await place.rows()).keys() == {
        *("board", "user_score", "score_action", "review", "anomaly_model")
    }
    gone: list[int] = []
    assert await place.remover.remove("arena", "delete", by="eve", progress=gone.append)
    assert await place.keys() == set()
    assert await place.rows() == {}
    assert await place.neighbour_is_whole()
    assert max(gone) == 1
    with pytest.raises(UnknownBoard):
        await place.arena.durable.rebuilder.ensure("arena", create=False)
    with pytest.raises(UnknownBoard):
        await place.remover.remove("arena", "delete", by="eve")


async def test_a_cleared_board_keeps_its_settings_and_models_alone(
    place: Furnished, pool: asyncpg.Pool
) -> None:
    when = "SELECT created FROM board WHERE board = 'arena'"
    created = await place.database.fetchval(when)
    assert await place.remover.remove("arena", "clear", by="eve")
    assert {key.split(b":")[2] for key in await place.keys()} == {b"meta"}
    assert await place.rows() == {"board": 1, "anomaly_model": 1}
    assert (await StoredSettings(pool).get("arena")).max_points == SETTINGS.max_points
    assert await place.database.fetchval(when) == created
    assert await place.neighbour_is_whole()
    assert (await place.arena.meta())["top"] == "[]"


async def test_the_audit_tells_of_the_removal_and_of_what_was_decided_before(
    place: Furnished,
) -> None:
    case = await place.court.case_of("k1")
    await place.court.moderator.approve(case.id, by="eve", reason="seen")
    await place.remover.remove("arena", "delete", by="bob")
    audited = await place.database.fetch(
        "SELECT actor, decision, review_id, details FROM admin_audit ORDER BY id"
    )
    assert [tuple(row)[:3] for row in audited] == [
        ("eve", "board_set", None),
        ("eve", "user_hidden", None),
        ("eve", "approved", case.id),
        ("bob", "board_deleted", None),
    ]
    assert '"maxPoints": 1000' in audited[-1]["details"]


@pytest.mark.parametrize("kind", ["delete", "clear"])
async def test_actions_posted_before_are_new_ones_after_and_versions_and_events_go_on(
    place: Furnished, kind: RemovalKind
) -> None:
    before = await place.version()
    last = (await place.arena.meta())["event"]
    await place.remover.remove("arena", kind, by="eve")
    results = await place.arena.submit(("bob", "k0", 7), ("ann", "k0", 6))
    assert [(r.outcome, r.score, r.rank) for r in results] == [
        (Outcome.ACCEPTED, 7, 1),
        (Outcome.ACCEPTED, 6, 2),
    ]
    await place.arena.persist()
    assert await sums(place.database) == {"bob": 7, "ann": 6}
    assert await place.version() > before

    def event(text: str) -> EventId:
        return EventId(*map(int, text.split("-")))

    assert event((await place.arena.meta())["event"]) > event(last)


async def test_those_who_watch_a_cleared_board_get_its_empty_top_and_of_a_deleted_one_its_end(
    place: Furnished,
) -> None:
    before = await place.version()
    async with listening(place.redis, place.arena.keys.channel) as channel:
        await place.remover.remove("arena", "clear", by="eve")
        update = await channel.next()
        assert b'"topScores":[]' in update
        assert messages.version_of(update) > before
        await place.remover.remove("arena", "delete", by="eve")
        assert await channel.next() == messages.GONE


async def test_a_redis_that_lost_the_sweep_brings_nothing_back(place: Furnished) -> None:
    """A Redis that was killed starts with what it had a second ago, as another history."""
    kept: dict[bytes, Any] = {key: await place.redis.dump(key) for key in await place.keys()}
    await place.remover.remove("arena", "clear", by="eve")
    await place.redis.delete(*await place.keys())
    for key, content in kept.items():
        await place.redis.restore(key, 0, content)
    await place.arena.lose_epoch()
    [result] = await place.arena.submit(("bob", "k0", 7))
    assert (result.outcome, result.score, result.rank) == (Outcome.ACCEPTED, 7, 1)
    assert {key.split(b":")[2] for key in await place.keys()} == {
        *(b"board", b"meta", b"action", b"rate", b"profile")
    }
    assert await place.arena.receipt("ann", "k0") == ("", -2)


async def test_a_redis_that_lost_the_sweep_revives_no_deleted_board(place: Furnished) -> None:
    kept: dict[bytes, Any] = {key: await place.redis.dump(key) for key in await place.keys()}
    await place.remover.remove("arena", "delete", by="eve")
    for key, content in kept.items():
        await place.redis.restore(key, 0, content)
    await place.arena.lose_epoch()
    with pytest.raises(UnknownBoard):
        await place.arena.durable.rebuilder.ensure("arena", create=False)
    await place.arena.submit(("bob", "k0", 1))
    assert await place.arena.totals() == {"bob": 1}


@pytest.mark.parametrize("kind", ["delete", "clear"])
async def test_entries_that_come_back_to_the_stream_revive_nothing(
    place: Furnished, kind: RemovalKind
) -> None:
    """After the drain under the fence none can come; but a Redis that has lost its last commands
    brings back entries that were persisted."""
    await place.arena.submit(("bob", "k9", 1))
    entries: Any = await place.redis.xrange(place.arena.keys.events)
    [(entry_id, fields)] = entries
    await place.remover.remove("arena", kind, by="eve")
    rows = await place.rows()
    await place.redis.delete(place.arena.keys.events)
    await place.redis.xadd(place.arena.keys.events, fields, id=entry_id.decode())
    await place.neighbour.persist()
    assert await place.redis.xlen(place.arena.keys.events) == 0
    assert await place.rows() == rows
    [result] = await place.arena.submit(("bob", "k9", 1))
    await place.arena.persist()
    assert (result.outcome, result.score) == (Outcome.ACCEPTED, 1)
    assert await sums(place.database) == {"bob": 1}


async def test_while_a_board_is_removed_it_answers_nobody_and_no_audit_finds_half_of_it(
    place: Furnished, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, audit, settings = ArchivedBoards(pool), LedgerAudit(pool), StoredSettings(pool)
    steps = 0

    async def seen() -> None:
        with pytest.raises(Unavailable, match="is being cleared") as refusal:
            await archive.top("arena")
        assert refusal.value.retry_after
        for read in (
            archive.standings("arena", ["bob"]),
            archive.around("arena", "bob", 1),
            settings.get("arena"),
            place.arena.durable.rebuilder.ensure("arena", create=False),
            place.arena.durable.rebuilder.ensure("arena", create=True),
            place.arena.submit(("new", "k", 1)),
            place.court.moderator.configure("arena", lambda _: SETTINGS, by="eve"),
        ):
            with pytest.raises(Unavailable, match="is being cleared"):
                await read
        assert "arena" not in await audit.boards()
        assert await audit.users("arena") == 0
        assert await audit.totals_of("arena", ["ann", "bob"]) == []
        assert [chunk async for chunk in audit.totals("arena", ["arena"])] == []

    delete = Removals.delete

    async def watched(self: Removals, removal: Removal) -> AsyncIterator[int]:
        nonlocal steps
        await seen()
        async for count in delete(self, removal):
            steps += 1
            await seen()
            yield count

    monkeypatch.setattr(Removals, "delete", watched)
    assert await place.remover.remove("arena", "clear", by="eve")
    assert steps > 5


async def test_a_process_of_before_makes_no_board_amid_a_removal(place: Furnished) -> None:
    await place.database.execute(
        "INSERT INTO board_removal (board, partition, doing, version, event_ms, event_seq)"
        " VALUES ('duel', 0, 'delete', 5000, 0, 0)"
    )
    make = "INSERT INTO board (board, partition, version) VALUES ('duel', 0, 1)"
    with pytest.raises(asyncpg.LockNotAvailableError):
        await place.database.execute(make)
    await place.database.execute("UPDATE board_removal SET doing = NULL WHERE board = 'duel'")
    await place.database.execute(make)
    assert await place.database.fetchval("SELECT version FROM board WHERE board = 'duel'") == 5000


async def test_who_is_late_with_a_removal_that_is_done_leaves_the_new_board_alone(
    place: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete = Removals.delete

    async def overtaken(self: Removals, removal: Removal) -> AsyncIterator[int]:
        with monkeypatch.context() as patched:
            patched.setattr(Removals, "delete", delete)
            await place.remover.finish_abandoned(0)
        await place.arena.submit(("bob", "new", 1))
        await place.arena.persist()
        async for count in delete(self, removal):
            yield count
        with pytest.raises(Unavailable, match="newer board"):
            await place.arena.durable.sweeper.sweep("arena", removal.version)

    monkeypatch.setattr(Removals, "delete", overtaken)
    assert await place.remover.remove("arena", "delete", by="eve")
    assert await sums(place.database) == {"bob": 1}
    assert await place.arena.totals() == {"bob": 1}


async def test_without_the_right_to_delete_rows_nothing_is_begun(
    place: Furnished, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        removals._sql, "lacking_rights", "SELECT ARRAY['score_action', 'user_score']"
    )
    rows = await place.rows()
    with pytest.raises(Misconfigured, match="--grant-to"):
        await place.remover.remove("arena", "delete", by="eve")
    assert await place.rows() == rows
    await place.court.arena.submit(("bob", "k5", 1))


@pytest.mark.parametrize("kind", ["delete", "clear"])
async def test_each_acknowledged_post_is_gone_with_the_board_or_counts_after_it(
    place: Furnished, kind: RemovalKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removals, "CHUNK", 20)
    monkeypatch.setattr(sweeper, "STEP", 100)

    async def post(user: str, action: str) -> bool:
        try:
            [result] = await place.arena.submit((user, action, 1))
        except Unavailable:
            return False
        assert result.outcome is Outcome.ACCEPTED
        return True

    async def remove() -> None:
        assert await place.remover.remove("arena", kind, by="eve")

    durable = place.arena.durable
    persister = Persister(durable.streams, durable.ledger, durable.reverter, batch=100)
    async with at_work(persister):
        acknowledged = await posts_around(remove, post)
    await place.arena.persist()

    rows = await place.database.fetch("SELECT action_id FROM score_action WHERE board = 'arena'")
    counted = {row["action_id"] for row in rows}
    everything = acknowledged.before | acknowledged.meanwhile | acknowledged.after
    assert acknowledged.after <= counted <= everything
    assert not acknowledged.before & counted
    assert sum((await sums(place.database)).values()) == len(counted)
    assert await place.arena.totals() == await sums(place.database)
    for action in everything:
        [again] = await place.arena.submit((f"user{action[0]}", action, 1))
        known = action in counted
        assert again.outcome is (Outcome.DUPLICATE if known else Outcome.ACCEPTED), action
