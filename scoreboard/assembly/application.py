"""The parts of the HTTP and WebSocket service, put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from scoreboard.api.admin import AdminHandlers
from scoreboard.api.app import build
from scoreboard.api.audit_trail import AuditHandlers
from scoreboard.api.auth import Authenticator
from scoreboard.api.board_periods import BoardPeriods
from scoreboard.api.board_reader import BoardReader
from scoreboard.api.board_reads import BoardHandlers
from scoreboard.api.bodies import Bodies
from scoreboard.api.calendar import CalendarHandlers
from scoreboard.api.dead_letters import DeadLetterHandlers
from scoreboard.api.exports import ExportHandlers
from scoreboard.api.gate_models import ModelHandlers
from scoreboard.api.health import HealthHandlers
from scoreboard.api.health_admin import HealthReports
from scoreboard.api.imports import ImportHandlers
from scoreboard.api.joins import JoinHandlers
from scoreboard.api.known_revocations import KnownRevocations
from scoreboard.api.live.hub import Hub
from scoreboard.api.live.sharded_updates import ShardedUpdates
from scoreboard.api.live.standings import Standings
from scoreboard.api.live.websockets import LiveLeaderboard
from scoreboard.api.live_places import LivePlaces
from scoreboard.api.live_tops import LiveTops
from scoreboard.api.pace import Pace
from scoreboard.api.past_reads import PastReads
from scoreboard.api.players.access import PlayerAccess
from scoreboard.api.players.board_search import BoardSearchHandlers
from scoreboard.api.players.erased import ErasedPlayers
from scoreboard.api.players.erasures import ErasureHandlers
from scoreboard.api.players.explanations import ExplanationHandlers
from scoreboard.api.players.history import HistoryHandlers
from scoreboard.api.players.memory import ProfileMemory
from scoreboard.api.players.presentation import Presentation
from scoreboard.api.players.profiles import ProfileHandlers
from scoreboard.api.players.relay import NEWS, PresentedTops, PresentedUpdates
from scoreboard.api.players.search import PlayerSearchHandlers
from scoreboard.api.published_keys import published_keys
from scoreboard.api.rank_changes import RankChanges
from scoreboard.api.revocation_watch import RevocationWatch
from scoreboard.api.scores import ScoreHandlers
from scoreboard.api.sharded_boards import ShardedBoards, ShardedOpener
from scoreboard.api.sharded_places import ShardedPlaces
from scoreboard.api.sign_in import sign_in_by
from scoreboard.api.token_admin import TokenHandlers
from scoreboard.api.token_rules import ClaimRules
from scoreboard.api.tokens import keys_from
from scoreboard.api.webhooks import WebhookHandlers
from scoreboard.assembly import probes
from scoreboard.assembly.model_gates import ModelGates
from scoreboard.assembly.moderation import (
    eraser,
    moderator,
    profile_keeper,
    remover,
    retrier,
    revoker,
)
from scoreboard.assembly.recovery import recovery
from scoreboard.assembly.redis_servers import redis_servers
from scoreboard.assembly.servers import connect
from scoreboard.assembly.startup import check_servers, open_board
from scoreboard.assembly.webhook_targets import webhook_targets
from scoreboard.background import end, keep_running
from scoreboard.domain.boards import Rate, is_board_name
from scoreboard.errors import ConfigurationError
from scoreboard.pg.archived_boards import ArchivedBoards
from scoreboard.pg.archived_shards import ArchivedShards
from scoreboard.pg.audit_trail import AuditTrail
from scoreboard.pg.board_settings import StoredSettings
from scoreboard.pg.cases import LedgerCases
from scoreboard.pg.daily_ranks import DailyRanks
from scoreboard.pg.dead_letters import DeadLetters
from scoreboard.pg.erasures import Erasures
from scoreboard.pg.exports import BoardExports
from scoreboard.pg.histories import Histories
from scoreboard.pg.imports import ImportRecord
from scoreboard.pg.models import Models
from scoreboard.pg.past_tables import PastTables
from scoreboard.pg.player_data import PlayerData
from scoreboard.pg.player_search import PlayerSearch
from scoreboard.pg.profiles import StoredProfiles
from scoreboard.pg.reviews import Reviews
from scoreboard.pg.revocations import StoredRevocations
from scoreboard.pg.user_shards import UserShards
from scoreboard.pg.webhooks import Webhooks
from scoreboard.redisio.cluster_updates import updates_of
from scoreboard.redisio.erased_users import ErasedUsers
from scoreboard.redisio.live_boards import LiveBoards
from scoreboard.redisio.live_shards import LiveShards
from scoreboard.redisio.patrol_reports import PatrolReports
from scoreboard.redisio.period_states import PeriodStates
from scoreboard.redisio.persister_reports import PersisterReports
from scoreboard.redisio.shared_profiles import SharedProfiles
from scoreboard.redisio.shared_revocations import SharedRevocations
from scoreboard.redisio.tickets import RedisTickets
from scoreboard.redisio.watched_boards import WatchedBoards
from scoreboard.redisio.write_watch import WriteWatch
from scoreboard.settings import Settings
from scoreboard.telemetry import sharing
from scoreboard.telemetry.tallies import keep_published
from scoreboard.wire.keys import ERASED, PROFILES_CHANGED, REVOKED
from scoreboard.write_path.batch_import import BatchImport
from scoreboard.write_path.commit_watch import CommitWatch
from scoreboard.write_path.durability_waits import DurabilityWaits
from scoreboard.write_path.joiner import Joiner
from scoreboard.write_path.judged_calls import JudgedCalls
from scoreboard.write_path.sharded import ShardedJoiner, ShardedSubmitter
from scoreboard.write_path.submitter import Submitter

if TYPE_CHECKING:
    from scoreboard.telemetry.tracing import Tracer

log = structlog.get_logger(__name__)

# Ends the service: without a result after a signal, with an error when a server proves unfit.
END: web.AppKey[asyncio.Future[None]] = web.AppKey("end", asyncio.Future)
HEALTH: web.AppKey[HealthHandlers] = web.AppKey("health", HealthHandlers)


async def application(settings: Settings, tracer: Tracer | None = None) -> web.Application:
    """Puts the parts together, even while servers are away; requests will wait for them. ``tracer``
    makes spans, where there are traces. Raises ConfigurationError."""
    if not is_board_name(settings.default_board):
        raise ConfigurationError(
            f"SCOREBOARD_DEFAULT_BOARD: {settings.default_board!r} can't be the name of a board "
            "(small letters, digits, - and _)"
        )
    sign_in = sign_in_by(settings)
    servers = await connect(settings)
    redis, pool, archive, past = servers.redis, servers.pool, servers.archive, servers.past
    writing, reading, topology = servers.writing, servers.reading, servers.topology
    durable = recovery(settings, topology, redis, servers.blocking, pool, tracer=tracer)
    commits = CommitWatch(updates_of(topology, str, timeout=settings.redis_timeout))
    models = Models(pool)
    gates = ModelGates(models)
    submitter = Submitter(
        writing,
        durable.rebuilder,
        keyspace=durable.keyspace,
        dedupe_window=settings.dedupe_window,
        board_idle=settings.board_idle,
        backlog_limit=settings.backlog_limit,
        waits=DurabilityWaits(commits, durable.ledger, timeout=settings.durability_timeout),
        judged=JudgedCalls(redis, gates, LedgerCases(pool), keyspace=durable.keyspace),
        calendar=durable.calendar,
        tracer=tracer,
    )
    joiner = Joiner(
        writing,
        durable.rebuilder,
        durable.calendar,
        keyspace=durable.keyspace,
        backlog_limit=settings.backlog_limit,
    )
    live = LiveBoards(reading, keyspace=durable.keyspace)
    live_shards = LiveShards(reading, keyspace=durable.keyspace)
    boards = ShardedBoards(live, live_shards)
    watch = WriteWatch(redis, topology, settings.partitions)
    archived = ArchivedBoards(archive)
    archived_boards = ShardedBoards(archived, ArchivedShards(archive))
    reader = BoardReader(
        boards,
        archived_boards,
        ShardedOpener(durable.rebuilder, boards),
    )
    periods = BoardPeriods(
        reader,
        PeriodStates(reading, keyspace=durable.keyspace),
        durable.calendar,
        archived,
    )
    revoked = KnownRevocations()
    published = published_keys(settings)
    authenticator = Authenticator(
        keys_from(settings),
        settings.jwt_algorithm,
        ClaimRules(settings.jwt_issuer, settings.jwt_audience, settings.jwt_leeway),
        revoked=revoked,
        published=published,
    )
    profiles = StoredProfiles(archive)
    memory = ProfileMemory(profiles, SharedProfiles(redis), most=settings.profile_memory)
    presentation = Presentation(memory, authenticator)
    updates = updates_of(
        topology,
        lambda feed: PROFILES_CHANGED if feed == NEWS else durable.keyspace.board(feed).channel,
        timeout=settings.redis_timeout,
    )
    tops = LiveTops(reader, periods)
    hub = Hub(
        PresentedUpdates(
            ShardedUpdates(updates, periods.settings, tops, interval=settings.update_interval),
            presentation,
            memory,
        ),
        PresentedTops(tops, presentation),
        settings,
    )
    standings = Standings(
        LivePlaces(
            ShardedPlaces(
                WatchedBoards(reading, keyspace=durable.keyspace), live_shards, periods.settings
            ),
            reader,
            periods,
        ),
        presentation,
        settings,
    )
    revocations = RevocationWatch(
        revoked,
        StoredRevocations(pool),
        SharedRevocations(redis),
        updates_of(topology, lambda _: REVOKED, timeout=settings.redis_timeout),
        (authenticator.forget_revoked, lambda: hub.dismiss_revoked(revoked)),
    )
    erasures = Erasures(pool)
    erased = ErasedPlayers(
        erasures,
        updates_of(topology, lambda _: ERASED, timeout=settings.redis_timeout),
    )
    bodies = Bodies(
        most=settings.max_body_bytes, timeout=settings.body_timeout, budget=settings.body_budget
    )
    redis_state = probes.RedisState(redis, settings.partitions)
    health = HealthHandlers(
        {
            "redis": redis_state,
            "writes": lambda: probes.writes_state(watch),
            "board": probes.Opening(live, settings.default_board),
            "partitions": lambda: probes.partitions_state(durable.ledger),
            "tokens": revocations.state,
            "players": memory.state,
        },
        {
            "postgres": lambda: probes.postgres_state(pool),
            "gate": lambda: probes.gate_state(gates),
            "persister": lambda: probes.persister_state(PersisterReports(redis)),
            "audit": lambda: probes.audit_state(PatrolReports(redis)),
            **({} if published is None else {"keys": published.state}),
        },
    )
    histories = Histories(past, patience=settings.past_timeout)
    user_shards = UserShards(past)
    access = PlayerAccess(authenticator, public_reads=settings.public_reads)
    player_pace = Pace(Rate.from_text(settings.player_rate))
    app = build(
        ScoreHandlers(
            ShardedSubmitter(submitter, durable.capacity),
            authenticator,
            bodies,
            erased,
            default_board=settings.default_board,
            durability=settings.durability,
            player_pace=player_pace,
            board_pace=Pace(Rate.from_text(settings.board_quota)),
        ),
        JoinHandlers(
            ShardedJoiner(joiner, durable.capacity),
            authenticator,
            bodies,
            erased,
            player_pace=player_pace,
        ),
        BoardHandlers(
            reader,
            periods,
            archived,
            PastReads(PastTables(past, patience=settings.past_timeout), periods),
            RankChanges(DailyRanks(archive), UserShards(archive), periods),
            presentation,
            authenticator,
            bodies,
            default_board=settings.default_board,
            public_reads=settings.public_reads,
        ),
        LiveLeaderboard(hub, standings, tops, authenticator, RedisTickets(redis), settings),
        health,
        AdminHandlers(
            moderator(settings, redis, pool, durable),
            remover(settings, redis, pool, durable),
            Reviews(pool),
            StoredSettings(pool),
            authenticator,
            bodies,
        ),
        HealthReports(health, partial(redis_servers, topology, redis_state), authenticator),
        DeadLetterHandlers(DeadLetters(pool), retrier(redis, pool, durable), authenticator, bodies),
        AuditHandlers(AuditTrail(pool), authenticator),
        ModelHandlers(models, authenticator),
        CalendarHandlers(authenticator, bodies),
        TokenHandlers(revoker(redis, pool), authenticator, bodies),
        ExportHandlers(BoardExports(servers.exporting), authenticator),
        ImportHandlers(
            BatchImport(
                StoredSettings(pool),
                ShardedSubmitter(submitter, durable.capacity),
                ImportRecord(pool),
                erasures,
            ),
            authenticator,
            bodies,
        ),
        ProfileHandlers(
            profile_keeper(redis, pool),
            profiles,
            memory,
            authenticator,
            bodies,
            erased,
            player_pace=player_pace,
            public_reads=settings.public_reads,
        ),
        WebhookHandlers(Webhooks(pool), webhook_targets(settings), authenticator, bodies),
        HistoryHandlers(histories, user_shards, periods, presentation, access),
        ExplanationHandlers(histories, user_shards, archived_boards, periods, presentation, access),
        ErasureHandlers(
            eraser(settings, redis, pool, durable),
            erasures,
            erased,
            PlayerData(servers.exporting),
            ErasedUsers(redis, keyspace=durable.keyspace),
            authenticator,
        ),
        PlayerSearchHandlers(PlayerSearch(pool), authenticator),
        BoardSearchHandlers(PlayerSearch(archive), reader, periods, presentation, access),
        sign_in,
        max_body_bytes=settings.max_body_bytes,
        observed_here=not settings.serve_metrics_port,
        hosts=settings.hosts,
        origins=settings.foreign_origins,
        tracer=tracer,
    )
    app[HEALTH] = health

    async def starting() -> None:
        await check_servers(settings, redis, pool)
        # So that readers find the default board, empty, before its first action.
        await open_board(durable.rebuilder, settings.default_board)

    async def started(app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(starting())
        task.add_done_callback(lambda done: _end_unfit(app, done))
        yield
        await end(task)

    async def connected(_: web.Application) -> AsyncIterator[None]:
        yield
        await durable.capacity.close()
        await durable.rebuilder.close()
        await servers.close()

    async def submitting(_: web.Application) -> AsyncIterator[None]:
        yield
        await reader.close()
        await submitter.close()
        await reading.close()

    async def listening(_: web.Application) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(keep_running("relay", hub.run)),
            asyncio.create_task(keep_running("commits", commits.run)),
            asyncio.create_task(keep_running("gates", gates.run)),
            asyncio.create_task(keep_running("profiles", memory.run)),
            asyncio.create_task(keep_running("revocations", revocations.run)),
            asyncio.create_task(keep_running("erasures", erased.run)),
            *(
                [asyncio.create_task(keep_running("published keys", published.run))]
                if published
                else []
            ),
            asyncio.create_task(keep_running("write watch", watch.run)),
        ]
        if sharing.folder() is not None:
            tasks.append(asyncio.create_task(keep_running("figures", keep_published)))
        yield
        await end(*tasks)
        await standings.close()

    async def say_goodbye(_: web.Application) -> None:
        health.stopping = True
        await hub.close()

    app.cleanup_ctx.extend((connected, submitting, listening, started))
    app.on_shutdown.append(say_goodbye)
    return app


def _end_unfit(app: web.Application, starting: asyncio.Task[None]) -> None:
    if starting.cancelled() or (error := starting.exception()) is None:
        return
    log.error("start_failed", reason=str(error))
    if END in app and not app[END].done():
        app[END].set_exception(error)
        app[END].exception()  # counts as read, in case the process ends first: its port is taken
