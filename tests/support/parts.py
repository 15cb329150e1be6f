"""The parts of a serving process and of a persister, put together as scoreboard/assembly does,
where a test can look into them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg

from scoreboard.api.board_periods import BoardPeriods
from scoreboard.api.board_reader import BoardReader
from scoreboard.api.live.hub import Hub
from scoreboard.api.live_tops import LiveTops
from scoreboard.assembly.recovery import recovery
from scoreboard.background import end, keep_running
from scoreboard.domain.actions import ScoreAction
from scoreboard.domain.durability import Durability
from scoreboard.domain.submissions import Result, Submission
from scoreboard.pg.archived_boards import ArchivedBoards
from scoreboard.pg.cases import LedgerCases
from scoreboard.redisio.line_pool import ScriptLines
from scoreboard.redisio.live_boards import LiveBoards
from scoreboard.redisio.period_states import PeriodStates
from scoreboard.redisio.reads import Reads
from scoreboard.redisio.topologies import topology_at
from scoreboard.redisio.updates import RedisUpdates
from scoreboard.settings import Settings
from scoreboard.workers.persister import Persister
from scoreboard.write_path.commit_watch import CommitWatch
from scoreboard.write_path.durability_waits import DurabilityWaits
from scoreboard.write_path.joiner import Joiner
from scoreboard.write_path.judged_calls import JudgedCalls
from scoreboard.write_path.submitter import Submitter
from tests.support.suspicious_gate import OneGate, SuspiciousGate

LINES = 2
SILENCE = 0.5

_attempts = itertools.count()


class Parts:
    """Everything that a score action meets, from the lanes to the ledger, and the relay."""

    def __init__(self, settings: Settings, pool: asyncpg.Pool) -> None:
        self.settings = settings
        self.pool = pool
        topology = topology_at(settings.redis_url)
        self.redis = topology.client(timeout=settings.redis_timeout)
        self.blocking = topology.client(timeout=None)
        self.durable = recovery(settings, topology, self.redis, self.blocking, pool)
        self.keyspace = self.durable.keyspace
        self.writing, self.reading = (
            ScriptLines(topology, timeout=settings.redis_timeout, most=LINES) for _ in range(2)
        )
        self.commit_updates = RedisUpdates(
            topology,
            str,
            timeout=settings.redis_timeout,
            silence=SILENCE,
        )
        self.board_updates = RedisUpdates(
            topology,
            lambda board: self.keyspace.board(board).channel,
            timeout=settings.redis_timeout,
            silence=SILENCE,
        )
        self.commits = CommitWatch(self.commit_updates)
        waits = DurabilityWaits(
            self.commits, self.durable.ledger, timeout=settings.durability_timeout
        )
        gates = OneGate(SuspiciousGate())
        self.submitter = Submitter(
            self.writing,
            self.durable.rebuilder,
            keyspace=self.keyspace,
            dedupe_window=settings.dedupe_window,
            board_idle=settings.board_idle,
            backlog_limit=settings.backlog_limit,
            waits=waits,
            judged=JudgedCalls(self.redis, gates, LedgerCases(pool), keyspace=self.keyspace),
            calendar=self.durable.calendar,
        )
        self.joiner = Joiner(
            self.writing,
            self.durable.rebuilder,
            self.durable.calendar,
            keyspace=self.keyspace,
            backlog_limit=settings.backlog_limit,
        )
        self.reads = Reads(self.reading)
        self.live = LiveBoards(self.reads, keyspace=self.keyspace)
        archived = ArchivedBoards(pool)
        self.reader = BoardReader(self.live, archived, self.durable.rebuilder)
        self.periods = BoardPeriods(
            self.reader,
            PeriodStates(self.reads, keyspace=self.keyspace),
            self.durable.calendar,
            archived,
        )
        self.hub = Hub(self.board_updates, LiveTops(self.reader, self.periods), settings)
        self.persister = Persister(
            self.durable.streams,
            self.durable.ledger,
            self.durable.reverter,
            batch=settings.persist_batch,
        )

    async def submit(
        self,
        board: str,
        *actions: tuple[str, str, int],
        create: bool = True,
        durability: Durability = Durability.REDIS,
    ) -> tuple[list[Result], Durability]:
        """The results of (user, action, points) in one call, and the level reached."""
        submissions = [
            Submission(ScoreAction(user, action, points), f"at{next(_attempts)}", 0, 0)
            for user, action, points in actions
        ]
        return await self.submitter.submit(board, submissions, create=create, durability=durability)

    def held(self) -> Iterator[str]:
        """What is kept for somebody now: lanes, lines, turns, connections, subscriptions. Nothing
        of it while nobody wants anything."""
        for name, some in {
            "lanes": self.submitter._lanes,
            "commits waited for": [f for w in self.commits._passing.values() for f in w],
            "attempts to be named": self.commits._unnamed,
            "shared reads": self.reader._shared,
            "feeds being opened": self.hub._opening,
            "boards being made live": self.durable.rebuilder._running,
            "of these, for readers": self.durable.rebuilder._for_readers,
            "turns": self.durable.rebuilder._turns._current,
            "connections to Redis": self.redis.connection_pool._in_use_connections,
        }.items():
            if some:
                yield f"{name}: {some}"
        blocked = self.blocking.connection_pool._in_use_connections
        if len(blocked) > self.settings.partitions:
            yield f"connections on which Redis is waited for: {blocked}"
        for name, lines in (("writing", self.writing), ("reading", self.reading)):
            for node in lines.nodes.all():
                if node._free._value != LINES or len(node._idle) > LINES:
                    yield f"{name} lines: {node._free._value} free, {len(node._idle)} idle"
        if self.pool.get_idle_size() != self.pool.get_size():
            yield f"{self.pool.get_size() - self.pool.get_idle_size()} connections to Postgres"
        for updates in (self.commit_updates, self.board_updates):
            session = updates._session
            if session is None:
                yield "a lost subscriber"
            elif session._waiting or session._unconfirmed or session._told != set(updates._boards):
                yield f"subscriptions: {session._waiting} {session._unconfirmed} {session._told}"
        wanted = {self.keyspace.board(board).channel.encode() for board in self.hub._feeds}
        if wanted != set(self.board_updates._boards):
            yield f"subscriptions without a feed: {set(self.board_updates._boards) - wanted}"


@asynccontextmanager
async def running_parts(settings: Settings, pool: asyncpg.Pool) -> AsyncIterator[Parts]:
    """The parts at work, among them the persister."""
    parts, stopping = Parts(settings, pool), asyncio.Event()

    async def persist() -> None:
        await parts.persister.run(stopping)

    async with AsyncExitStack() as opened:
        for close in (
            parts.redis.aclose,
            parts.blocking.aclose,
            parts.durable.rebuilder.close,
            parts.reads.close,
            parts.submitter.close,
            parts.reader.close,
        ):
            opened.push_async_callback(close)
        tasks = [
            asyncio.create_task(keep_running("relay", parts.hub.run)),
            asyncio.create_task(keep_running("commits", parts.commits.run)),
            asyncio.create_task(keep_running("persister", persist, until=stopping)),
        ]
        opened.push_async_callback(end, *tasks)
        opened.callback(stopping.set)
        yield parts
