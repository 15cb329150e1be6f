"""The aiohttp application: routes and limits, without knowing where its parts come from."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from scoreboard.api import pages
from scoreboard.api.admin import AdminHandlers
from scoreboard.api.admin_catalogue import admin_operations
from scoreboard.api.board_reads import BoardHandlers
from scoreboard.api.catalogue import operations
from scoreboard.api.health import HealthHandlers
from scoreboard.api.live.websockets import LiveLeaderboard
from scoreboard.api.openapi import describe
from scoreboard.api.operations import Operation, add_routes
from scoreboard.api.scores import ScoreHandlers


def build(
    scores: ScoreHandlers,
    boards: BoardHandlers,
    live: LiveLeaderboard,
    health: HealthHandlers,
    admin: AdminHandlers,
    *,
    max_body_bytes: int,
) -> web.Application:
    """The application, ready to be started."""
    app = web.Application(client_max_size=max_body_bytes)

    async def openapi(request: web.Request) -> web.Response:
        return web.Response(
            body=description,
            content_type="application/json",
            headers={"Cache-Control": "no-cache"},
        )

    table = [
        *operations(scores, boards, live, health),
        *admin_operations(admin),
        Operation(
            "GET", "/openapi.json", "openapi", openapi, "This description, for programs",
            {200: ("OpenAPI 3.1", dict[str, Any])}, tag="pages",
        ),
        *pages.operations(),
    ]  # fmt: skip
    description = describe(table)
    add_routes(app, table)
    return app
