"""Builds what carries out decisions and ends occurrences and weeks, for the service, the persister
and the operator's commands."""

from __future__ import annotations

from pathlib import Path

import asyncpg
from redis.asyncio import Redis

from scoreboard.assembly.recovery import Recovery, verifier_of
from scoreboard.assembly.week_judges import WeekJudges
from scoreboard.formats.ledger_archive import LedgerArchive
from scoreboard.pg.board_settings import StoredSettings
from scoreboard.pg.cases import LedgerCases
from scoreboard.pg.daily_ranks import DailyRanks
from scoreboard.pg.dead_letters import DeadLetters
from scoreboard.pg.erased_rows import ErasedRows
from scoreboard.pg.erasures import Erasures
from scoreboard.pg.judged_weeks import JudgedWeeks
from scoreboard.pg.ledger_audit import LedgerAudit
from scoreboard.pg.ledger_folds import LedgerFolds
from scoreboard.pg.models import Models
from scoreboard.pg.occurrences import Occurrences
from scoreboard.pg.profile_changes import ProfileChanges
from scoreboard.pg.profiles import StoredProfiles
from scoreboard.pg.removals import Removals
from scoreboard.pg.reviews import Reviews
from scoreboard.pg.revocations import StoredRevocations
from scoreboard.pg.user_shards import UserShards
from scoreboard.redisio.cluster_updates import updates_of
from scoreboard.redisio.erased_users import ErasedUsers
from scoreboard.redisio.followed_boards import FollowedBoards
from scoreboard.redisio.moderation import ModeratedBoards
from scoreboard.redisio.shared_profiles import SharedProfiles
from scoreboard.redisio.shared_revocations import SharedRevocations
from scoreboard.redisio.topology import Topology
from scoreboard.redisio.user_memories import UserMemories
from scoreboard.settings import Settings
from scoreboard.wire.keys import PROFILES_CHANGED
from scoreboard.workers.closer import Closer
from scoreboard.workers.day_keeper import DayKeeper
from scoreboard.workers.dead_letters import Retrier
from scoreboard.workers.eraser import Eraser
from scoreboard.workers.ledger_keeper import LedgerFolder
from scoreboard.workers.moderator import Moderator
from scoreboard.workers.profile_follower import ProfileFollower
from scoreboard.workers.profile_keeper import ProfileKeeper
from scoreboard.workers.remover import PATIENCE, Remover
from scoreboard.workers.revoker import Revoker
from scoreboard.workers.week_keeper import WeekKeeper


def moderator(settings: Settings, redis: Redis, pool: asyncpg.Pool, durable: Recovery) -> Moderator:
    """Puts the parts together without connecting to anything."""
    return Moderator(
        durable.ledger,
        durable.rebuilder,
        Reviews(pool),
        StoredSettings(pool),
        UserShards(pool),
        Occurrences(pool),
        ModeratedBoards(redis, keyspace=durable.keyspace, dedupe_window=settings.dedupe_window),
        durable.calendar,
        keyspace=durable.keyspace,
    )


def remover(
    settings: Settings,
    redis: Redis,
    pool: asyncpg.Pool,
    durable: Recovery,
    *,
    patience: float | None = PATIENCE,
) -> Remover:
    """Likewise, for whole boards; ``patience`` is how many seconds a call may take."""
    return Remover(
        durable.ledger,
        durable.rebuilder,
        durable.loader,
        ModeratedBoards(redis, keyspace=durable.keyspace, dedupe_window=settings.dedupe_window),
        Removals(pool),
        durable.sweeper,
        keyspace=durable.keyspace,
        patience=patience,
    )


def closer(pool: asyncpg.Pool, durable: Recovery) -> Closer:
    """Likewise, for occurrences that end."""
    return Closer(
        Occurrences(pool),
        StoredSettings(pool),
        durable.closing,
        durable.calendar,
        durable.loader,
        durable.ledger,
        durable.rebuilder,
        durable.sweeper,
        keyspace=durable.keyspace,
    )


def profile_follower(
    topology: Topology, settings: Settings, redis: Redis, pool: asyncpg.Pool, durable: Recovery
) -> ProfileFollower:
    """Likewise, for boards whose users' profiles change."""
    return ProfileFollower(
        ProfileChanges(pool),
        FollowedBoards(redis, keyspace=durable.keyspace),
        durable.ledger,
        updates_of(topology, lambda _: PROFILES_CHANGED, timeout=settings.redis_timeout),
        keyspace=durable.keyspace,
    )


def day_keeper(pool: asyncpg.Pool, durable: Recovery) -> DayKeeper:
    """Likewise, for days that have begun."""
    return DayKeeper(DailyRanks(pool), durable.loader, durable.closing)


def week_keeper(redis: Redis, pool: asyncpg.Pool, durable: Recovery) -> WeekKeeper:
    """Likewise, for users' weeks that have ended."""
    return WeekKeeper(
        JudgedWeeks(pool),
        UserMemories(redis, keyspace=durable.keyspace),
        LedgerCases(pool),
        WeekJudges(Models(pool)),
        durable.closing,
        durable.ledger,
        durable.rebuilder,
        keyspace=durable.keyspace,
    )


def ledger_folder(
    settings: Settings, pool: asyncpg.Pool, durable: Recovery, archive: str = ""
) -> LedgerFolder:
    """Likewise, for old parts of the ledger, which ``archive``, a directory, gets before. Raises
    ConfigurationError when it can't be used."""
    return LedgerFolder(
        LedgerFolds(pool),
        durable.ledger,
        durable.rebuilder,
        retention=settings.ledger_retention,
        partitions=settings.partitions,
        archive=LedgerArchive(Path(archive)) if archive else None,
    )


def eraser(settings: Settings, redis: Redis, pool: asyncpg.Pool, durable: Recovery) -> Eraser:
    """Likewise, for players."""
    record = Erasures(pool)
    return Eraser(
        record,
        ErasedRows(pool, record),
        ErasedUsers(redis, keyspace=durable.keyspace),
        durable.loader,
        durable.ledger,
        durable.rebuilder,
        SharedProfiles(redis),
        keyspace=durable.keyspace,
    )


def retrier(redis: Redis, pool: asyncpg.Pool, durable: Recovery) -> Retrier:
    """Likewise, for what could not be written."""
    verifier = verifier_of(durable, redis, LedgerAudit(pool))
    return Retrier(DeadLetters(pool), durable.ledger, verifier, durable.rebuilder)


def revoker(redis: Redis, pool: asyncpg.Pool) -> Revoker:
    """Likewise, for tokens."""
    return Revoker(StoredRevocations(pool), SharedRevocations(redis))


def profile_keeper(redis: Redis, pool: asyncpg.Pool) -> ProfileKeeper:
    """Likewise, for profiles."""
    return ProfileKeeper(StoredProfiles(pool), SharedProfiles(redis))
