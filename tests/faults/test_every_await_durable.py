"""At every await of the rebuilder and the persister an OSError is raised, or whoever waits there is
cancelled. Each time the same works next, an action is committed, and nothing is held: no
partition's lock, turn, connection or task. In the end Redis and the ledger agree on every user."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
import pytest

from scoreboard.assembly.recovery import verifier_of
from scoreboard.background import end
from scoreboard.backoff import Backoff
from scoreboard.domain.audit import Difference
from scoreboard.domain.durability import Durability
from scoreboard.domain.ledger import VERSION_STRIDE
from scoreboard.domain.urgency import Urgency
from scoreboard.errors import Unavailable, UnknownBoard
from scoreboard.pg import (
    board_source,
    erased_events,
    ledger,
    partition_locks,
    plain_batches,
    shared_batches,
)
from scoreboard.pg.erasures import Erasures
from scoreboard.pg.ledger_audit import LedgerAudit
from scoreboard.redisio import loader, occurrence_tables, reverter, streams
from scoreboard.settings import Settings
from scoreboard.wire.events import OPENED, Opened
from scoreboard.workers import lock_watch, persister, rebuild_turns, rebuilder, shared_rounds
from scoreboard.workers.batches import decode
from scoreboard.workers.persister import Persister
from tests.support.every_await import (
    JUDGED,
    LIMITED,
    PLAIN,
    SEASONAL,
    WEEK,
    Group,
    new_action,
    no_load_is_under_way,
    persisted,
    some_parts,
    undergo,
)
from tests.support.extent import further
from tests.support.ledger_entries import START_MS, fields
from tests.support.parts import Parts
from tests.support.suspicious_gate import TOO_MANY
from tests.support.waiting import wait_until

PERIODIC, ONE_DAY = "periodic", Opened(1, START_MS, START_MS + 1, START_MS + 1)
REFUSED_BY_POSTGRES = fields(c=b'{"userAgent":"nul \\u0000"}', board=PLAIN, version=1)

_numbers = itertools.count()


async def loads_cold_and_lost_boards(parts: Parts) -> None:
    """Several boards of one partition are wanted at once, one of them by readers too."""
    await no_load_is_under_way(parts)
    plain, judged = (parts.keyspace.board(board) for board in (PLAIN, JUDGED))
    await parts.redis.delete(plain.meta, judged.board)
    await asyncio.gather(
        parts.submit(PLAIN, new_action("ann")),
        parts.submit(JUDGED, new_action("ann")),
        parts.durable.rebuilder.ensure(PLAIN, create=False, urgency=Urgency.READ),
        parts.reader.top(PLAIN, watched=True),
    )


async def loads_boards_with_limits(parts: Parts) -> None:
    """Boards that keep count of their users: one is lost, then fenced."""
    await no_load_is_under_way(parts)
    await parts.submit(LIMITED, new_action("ann"))
    meta: Any = parts.keyspace.board(LIMITED).meta
    await parts.redis.delete(meta)
    await parts.submit(LIMITED, new_action("ann"))
    await persisted(parts)
    await parts.redis.hset(meta, "epoch", "another")
    await parts.submit(LIMITED, new_action("ann"))


async def loads_boards_with_periods(parts: Parts) -> None:
    """A board is lost with its occurrences, then fenced, and fenced again when one has become
    final."""
    await no_load_is_under_way(parts)
    meta: Any = parts.keyspace.board(SEASONAL).meta
    await parts.submit(SEASONAL, new_action("ann"))
    await parts.redis.delete(meta)
    await parts.submit(SEASONAL, new_action("ann"))
    await persisted(parts)
    await parts.redis.hset(meta, mapping={"epoch": "another", "event": "1-0"})
    await parts.submit(SEASONAL, new_action("ann"))
    await persisted(parts)
    seconds, _ = await parts.redis.time()
    number = await parts.pool.fetchval(
        "UPDATE period_occurrence SET ends_at = greatest(starts_at + 1, $2), final_at = $2"
        " WHERE board = $1 AND state = 'open' RETURNING occurrence",
        *(SEASONAL, int(seconds) * 1000),
    )
    async with parts.durable.ledger.locked(0) as session:
        await session.source.finalise(SEASONAL, WEEK.name, number)
    await parts.redis.hset(meta, "epoch", "another")
    await parts.submit(SEASONAL, new_action("ann"))


async def creates_boards(parts: Parts) -> None:
    """A board comes into being, another is asked for that does not exist."""
    number = next(_numbers)
    await parts.submit(f"new{number}", new_action("ann"))
    with pytest.raises(UnknownBoard):
        await parts.durable.rebuilder.ensure(f"none{number}", create=False)


async def catches_up(parts: Parts) -> None:
    """Redis was restarted and has lost what Postgres has; one of the users is hidden there."""
    await parts.submit(PLAIN, new_action("eve"))
    await persisted(parts)
    await parts.pool.execute("UPDATE user_score SET hidden = (user_id = 'eve')")
    await is_fenced(parts, event="1-0")
    await parts.submit(PLAIN, new_action("ann"))


async def rebuilds_by_command(parts: Parts) -> None:
    """A board is loaded again and corrected, with a duplicate that was never taken back."""
    late = await has_a_late_duplicate(parts)
    async with elsewhere_locked(parts):
        await parts.submit(PLAIN, late)
        await is_fenced(parts)  # so the persister can't take it back
    await persisted(parts)
    await parts.durable.rebuilder.rebuild(PLAIN, lambda _: None, correct=True)


async def sweeps_remains(parts: Parts) -> None:
    """A board was deleted, and Redis has lost that."""
    board = f"swept{next(_numbers)}"
    await parts.durable.rebuilder.ensure(board, create=True)
    await parts.pool.execute(
        "INSERT INTO board_removal (board, partition, version, event_ms, event_seq)"
        " VALUES ($1, 0, 1::bigint << 40, 0, 0)",
        board,
    )
    await parts.pool.execute("DELETE FROM board WHERE board = $1", board)
    await parts.redis.hset(parts.keyspace.board(board).meta, "epoch", "another")
    await parts.durable.rebuilder.ensure(board, create=True)


async def waits_for_the_lock(parts: Parts) -> None:
    """Another session has the partition's lock: first for too long, then for a while."""
    locks = parts.durable.ledger.locks
    await no_load_is_under_way(parts)
    await parts.redis.delete(parts.keyspace.board(PLAIN).meta)
    async with elsewhere_locked(parts):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(locks, "_patience", 0.01)
            with pytest.raises(Unavailable):
                await parts.durable.rebuilder.ensure(PLAIN, create=True)
        locks._blocked.clear()
        loading = asyncio.create_task(parts.durable.rebuilder.ensure(PLAIN, create=True))
        await wait_until(lambda: loading.done() or locks._blocked, description="it looks who works")
        await locks.blocked()
    await loading


async def persists_batches(parts: Parts) -> None:
    """Batches that are full and one that is not, of actions that count, that contradict an earlier
    one, and that are refused."""
    user, action, points = new_action("ann")
    await asyncio.gather(
        parts.submit(
            PLAIN,
            *((user, action, points), (user, action, points + 1)),
            *(new_action("ann") for _ in range(4)),
        ),
        parts.submit(JUDGED, new_action("ann", TOO_MANY)),
    )


async def tells_who_waits(parts: Parts) -> None:
    """Somebody waits for a commit, and again for that of the same action."""
    action = new_action("ann")
    for _ in range(2):
        await parts.submit(PLAIN, action, durability=Durability.POSTGRES)


async def persists_joins(parts: Parts) -> None:
    """A user joins a board."""
    await parts.joiner.join(LIMITED, f"new{next(_numbers)}")


async def leaves_out_erased_players(parts: Parts) -> None:
    """What is counted of players who were erased is taken out again."""
    user = f"gone{next(_numbers)}"
    erasures = Erasures(parts.pool)
    await erasures.ask(user, "erase", by="eve")
    for job in await erasures.running():
        await erasures.close(job)
    await parts.submit(PLAIN, (user, "k1", 5), new_action("ann"))
    await persisted(parts)


async def persists_occurrences(parts: Parts) -> None:
    """Of a board that is in no Redis: an occurrence is opened, an action counts in it, and is taken
    back."""
    user, stream = f"new{next(_numbers)}", parts.keyspace.board(PLAIN).events
    counted, taken_back = f"day:1 5 {START_MS} -", f"day:1 0 {START_MS} 5"
    entry: Any = fields("day", OPENED, 0, board=PERIODIC, kind="P", moves="", version=1, o=ONE_DAY)
    await parts.redis.xadd(stream, entry)
    entry = fields(user, board=PERIODIC, moves=counted)
    event_id: Any = await parts.redis.xadd(stream, entry)
    entry = fields(
        user, board=PERIODIC, kind="V", score=0, moves=taken_back, e=event_id.decode(), w="cheat"
    )
    await parts.redis.xadd(stream, entry)
    await persisted(parts)


async def ends_occurrences(parts: Parts) -> None:
    """What is done under the lock when an occurrence ends."""
    async with parts.durable.ledger.locked(0) as session:
        for known in await session.source.occurrences(PERIODIC):
            await session.source.has_users(known.table)
        await session.source.finalise(PERIODIC, "day", 1)


async def spaces_commits(parts: Parts) -> None:
    """A commit is followed by a pause that is long enough to be waited for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(persister, "SPACING", 0.5)
        patch.setattr(persister, "CLOSER", 0.5)  # somebody may have waited lately
        for _ in range(2):  # before the second is persisted, the pause behind the first is over
            await parts.submit(PLAIN, new_action("ann"))
            await persisted(parts)


async def shares_rounds(parts: Parts) -> None:
    """Batches follow on one another that partitions could write together."""
    board = f"shared{next(_numbers)}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(persister, "LATELY", 0.0)
        patch.setattr(persister, "LINGER", 0.0)  # the first round is one that somebody waits for
        patch.setattr(parts.persister._shared, "_spacing", 0.5)  # long enough to be waited for
        await parts.submit(board, new_action("ann"), durability=Durability.POSTGRES)
        for _ in range(3):
            await parts.submit(board, new_action("ann"))
            await persisted(parts)


async def reclaims_entries(parts: Parts) -> None:
    """A consumer dies that has read entries, and committed some of them."""
    stream, durable = parts.durable.streams[0], parts.durable
    async with durable.ledger.locked(0) as session:
        await parts.submit(PLAIN, *(new_action("ann") for _ in range(3)))
        batch = decode(await stream.read(1))
        await session.write(batch.events, batch.dead)
        await stream.read_ahead(1)


async def finds_older_events(parts: Parts) -> None:
    """A board was made live after its events, which are still where the stream is."""
    async with parts.durable.ledger.locked(0) as session:
        record = await session.source.record(PLAIN)
        assert record is not None
        await session.source.raise_version(PLAIN, record.version + VERSION_STRIDE)
    await parts.submit(PLAIN, new_action("ann"))
    await persisted(parts)


async def buries_dead_letters(parts: Parts) -> None:
    """An entry that is no event, and one that Postgres refuses, between others."""
    events = parts.keyspace.board(PLAIN).events
    entries: list[Any] = [REFUSED_BY_POSTGRES, {b"no": b"event"}]
    async with elsewhere_locked(parts):
        for dead in entries:
            await parts.submit(PLAIN, new_action("ann"))
            await parts.redis.xadd(events, dead)


async def takes_back_duplicates(parts: Parts) -> None:
    """An action is repeated after its receipt has expired, on a board too where only the ledger can
    say what the total is without it."""
    await parts.submit(PLAIN, await has_a_late_duplicate(parts))
    await parts.submit(JUDGED, await has_a_late_duplicate(parts, JUDGED))


async def finds_redis_emptied(parts: Parts) -> None:
    """Somebody reads, then posts."""
    await no_load_is_under_way(parts)
    await parts.redis.flushall()
    await parts.reader.top(PLAIN, watched=False)
    for board in (PLAIN, JUDGED):
        await parts.submit(board, new_action("ann"))


async def loses_the_lock(parts: Parts) -> None:
    """The session of the persister ends amid a batch."""
    async with parts.pool.acquire() as other, other.transaction():
        await other.execute("LOCK TABLE score_action IN ACCESS EXCLUSIVE MODE")
        await parts.submit(PLAIN, new_action("ann"))
        query = """SELECT pg_terminate_backend(pid) FROM pg_locks
                   WHERE NOT granted AND relation = 'score_action'::regclass"""
        await wait_until(lambda: other.fetchval(query), description="the persister waits")


async def waits_for_postgres(parts: Parts) -> None:
    """Postgres takes no connections for a while."""
    server, _, database = parts.settings.database_url.rpartition("/")
    admin = await asyncpg.connect(f"{server}/postgres")
    try:
        await admin.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database
        )
        await parts.submit(PLAIN, new_action("ann"))
        await wait_until(lambda: parts.persister.troubles, description="the persister notices")
    finally:
        await admin.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true')
        await admin.close()


async def stops(parts: Parts) -> None:
    """Another persister is at work, and stops."""
    durable, stopping = parts.durable, asyncio.Event()
    another = Persister(durable.streams, durable.ledger, durable.reverter, batch=2)
    running = asyncio.create_task(another.run(stopping))
    try:
        await parts.submit(PLAIN, new_action("ann"))
        stopping.set()
        await running
    finally:
        await end(running)


@asynccontextmanager
async def elsewhere_locked(parts: Parts) -> AsyncIterator[None]:
    """The partition's lock is another session's, and the persister, which has something to do, has
    noticed."""
    async with parts.pool.acquire() as connection:
        await connection.execute("SELECT pg_advisory_lock($1, 0)", partition_locks.LOCK_SPACE)
        no_event: Any = {b"no": b"event"}
        await parts.redis.xadd(parts.keyspace.board(PLAIN).events, no_event)
        looks = parts.persister._watch._next_look
        await wait_until(lambda: looks, description="the persister misses the lock")
        yield


async def has_a_late_duplicate(parts: Parts, board: str = PLAIN) -> tuple[str, str, int]:
    """An action that is in the ledger and whose receipt has expired; there is another since."""
    user, action, points = new_action("ann")
    await parts.submit(board, (user, action, points), durability=Durability.POSTGRES)
    await parts.submit(board, new_action(user, points + 1))
    await persisted(parts)
    receipt = parts.keyspace.board(board).action(user.encode(), action.encode())
    await parts.redis.delete(receipt)
    return user, action, points


async def is_fenced(parts: Parts, **changed: str) -> None:
    """What a restart of Redis does: the board was loaded under another history."""
    meta: Any = {"epoch": "another", **changed}
    await parts.redis.hset(parts.keyspace.board(PLAIN).meta, mapping=meta)


async def differences(parts: Parts) -> list[Difference]:
    """What an audit of all boards finds."""
    found: list[Difference] = []
    postgres = LedgerAudit(parts.pool)
    verifier = verifier_of(parts.durable, parts.redis, postgres)
    for board in await postgres.boards():
        await verifier.verify(board, found.append, lambda _: None)
    return found


SHARED = "It is reached where partitions share rounds."
GROUPS = {
    "rebuilder": Group(
        [rebuilder, rebuild_turns, loader, occurrence_tables, board_source, partition_locks],
        [
            *(loads_cold_and_lost_boards, loads_boards_with_limits, creates_boards, catches_up),
            loads_boards_with_periods,
            rebuilds_by_command,
            *(sweeps_remains, waits_for_the_lock),
            *(persists_occurrences, ends_occurrences),
        ],
        {
            ".close:": "At the end of a process nobody waits.",
            "tables_of:": "Moderation, erasures and profiles ask it, and no load.",
            ".players_of:": "Only verify asks it (tests/integration/workers/test_verifier.py).",
            ".take_free:": SHARED,
        },
    ),
    "persister": Group(
        [persister, lock_watch, streams, ledger, plain_batches, erased_events, reverter],
        [
            *(persists_batches, tells_who_waits, spaces_commits, reclaims_entries),
            *(finds_older_events, buries_dead_letters),
            *(takes_back_duplicates, finds_redis_emptied, loses_the_lock, waits_for_postgres),
            *(persists_joins, persists_occurrences, leaves_out_erased_players, stops),
        ],
        {
            "execute(_sql['insert_unknown']": "It takes a ledger in parts "
            "(tests/integration/pg/test_ledger_parts.py).",
            "self._shared.turn": SHARED,
            "PartitionStreams._each": SHARED,
            **dict.fromkeys((".lengths_of:", ".read_each:", ".acknowledge_each:"), SHARED),
            ".locked_where_free:": SHARED,
            "LedgerSession._merge: await self.connection.close()": "It takes a COPY that ends in "
            "the moment in which Postgres stops (tests/integration/pg/test_torn_connection.py).",
        },
    ),
    "shared rounds": Group(
        [shared_rounds, shared_batches, streams],
        [shares_rounds],
        {".PartitionStream.": "It is reached where a partition goes alone."},
    ),
}


@further
@pytest.mark.parametrize("group", GROUPS)
async def test_whatever_goes_wrong_where_the_next_action_is_committed_and_nothing_is_held(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, group: str
) -> None:
    monkeypatch.setattr(persister, "SPACING", 0.0)
    monkeypatch.setattr(persister, "Backoff", partial(Backoff, 0.01))
    monkeypatch.setattr(persister, "LOOK", 0.05)
    monkeypatch.setattr(lock_watch, "SUSPICIOUS", 0.0)
    monkeypatch.setattr(lock_watch, "LOOK", 0.0)
    monkeypatch.setattr(partition_locks, "LOOK", 0.01)
    monkeypatch.setattr("scoreboard.domain.ledger.STALLED", 0.0)
    if group != "shared rounds":
        monkeypatch.setattr(persister.Pace, "shares", lambda *_: False)
    async with some_parts(settings, monkeypatch) as parts:
        assert await undergo(parts, GROUPS[group]) == []
        assert await differences(parts) == []
