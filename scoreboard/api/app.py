"""The aiohttp application: routes and limits, without knowing where its parts come from."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from aiohttp import web

from scoreboard.api import pages
from scoreboard.api.admin import AdminHandlers
from scoreboard.api.admin_catalogue import admin_operations
from scoreboard.api.asyncapi import describe_live
from scoreboard.api.audit_trail import AuditHandlers
from scoreboard.api.board_reads import BoardHandlers
from scoreboard.api.calendar import CalendarHandlers
from scoreboard.api.catalogue import operations
from scoreboard.api.dead_letters import DeadLetterHandlers
from scoreboard.api.exports import ExportHandlers
from scoreboard.api.gate_models import ModelHandlers
from scoreboard.api.health import HealthHandlers
from scoreboard.api.health_admin import HealthReports
from scoreboard.api.imports import ImportHandlers
from scoreboard.api.joins import JoinHandlers
from scoreboard.api.live.websockets import LiveLeaderboard
from scoreboard.api.openapi import describe
from scoreboard.api.operations import Operation, add_routes
from scoreboard.api.operator_catalogue import operator_operations
from scoreboard.api.players.board_search import BoardSearchHandlers
from scoreboard.api.players.catalogue import player_operations
from scoreboard.api.players.erasures import ErasureHandlers
from scoreboard.api.players.explanations import ExplanationHandlers
from scoreboard.api.players.history import HistoryHandlers
from scoreboard.api.players.past_catalogue import past_operations
from scoreboard.api.players.profiles import ProfileHandlers
from scoreboard.api.players.search import PlayerSearchHandlers
from scoreboard.api.scores import ScoreHandlers
from scoreboard.api.sign_in import SignIn, sign_in_operations
from scoreboard.api.token_admin import TokenHandlers
from scoreboard.api.webhook_catalogue import webhook_operations
from scoreboard.api.webhooks import WebhookHandlers

if TYPE_CHECKING:
    from scoreboard.telemetry.tracing import Tracer


def build(
    scores: ScoreHandlers,
    joins: JoinHandlers,
    boards: BoardHandlers,
    live: LiveLeaderboard,
    health: HealthHandlers,
    admin: AdminHandlers,
    reports: HealthReports,
    letters: DeadLetterHandlers,
    audit: AuditHandlers,
    models: ModelHandlers,
    calendar: CalendarHandlers,
    tokens: TokenHandlers,
    exports: ExportHandlers,
    imports: ImportHandlers,
    profiles: ProfileHandlers,
    webhooks: WebhookHandlers,
    history: HistoryHandlers,
    explanations: ExplanationHandlers,
    erasures: ErasureHandlers,
    search: PlayerSearchHandlers,
    board_search: BoardSearchHandlers,
    sign_in: SignIn,
    *,
    max_body_bytes: int,
    observed_here: bool,
    hosts: AbstractSet[str],
    origins: AbstractSet[str],
    tracer: Tracer | None = None,
) -> web.Application:
    """The application, ready to be started; with /readyz and /metrics if ``observed_here``.
    ``hosts`` are the names by which it may be called, if not by any; pages of other ``origins`` may
    call the API; with a ``tracer`` its calls have spans."""
    app = web.Application(client_max_size=max_body_bytes)

    async def openapi(request: web.Request) -> web.Response:
        return _json(description())

    async def asyncapi(request: web.Request) -> web.Response:
        return _json(live_description())

    table = [
        *operations(scores, joins, boards, live, health, observed_here=observed_here),
        *past_operations(history, explanations),
        *admin_operations(admin, calendar, tokens, exports, imports),
        *operator_operations(reports, letters, audit, models),
        *player_operations(profiles, erasures, search, board_search),
        *webhook_operations(webhooks),
        *sign_in_operations(sign_in),
        Operation(
            "GET", "/openapi.json", "openapi", openapi, "This description, for programs",
            {200: ("OpenAPI 3.1", dict[str, Any])}, tag="pages",
        ),
        Operation(
            "GET", "/asyncapi.json", "asyncapi", asyncapi, "The WebSocket's messages, for programs",
            {200: ("AsyncAPI 3.0", dict[str, Any])}, tag="pages",
        ),
        *pages.operations(sign_in.provider.origins if sign_in.provider else ()),
    ]  # fmt: skip
    # Made for the first who asks: a megabyte that most processes never need.
    description, live_description = cache(partial(describe, table)), cache(describe_live)
    add_routes(app, table, hosts, origins, pages.unknown_address(), tracer)
    return app


def _json(body: bytes) -> web.Response:
    return web.Response(
        body=body, content_type="application/json", headers={"Cache-Control": "no-cache"}
    )
