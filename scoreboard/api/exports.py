"""GET of a whole table as CSV or lines of JSON, row by row as Postgres gives them. Needs the scope
``admin``."""

from __future__ import annotations

import asyncio

from aiohttp import web

from scoreboard.api.auth import Authenticator
from scoreboard.api.occurrence_reads import wanted_of
from scoreboard.api.operations import Parameter
from scoreboard.api.parameters import choice
from scoreboard.api.ports import BoardExporter
from scoreboard.api.problems import HEADERS
from scoreboard.domain.boards import check_board_name
from scoreboard.domain.snapshots import Rows, Snapshot, Wanted, What
from scoreboard.errors import Forbidden, Unavailable
from scoreboard.formats.writers import MEDIA_TYPES, TEXT_WRITERS, TextFormat
from scoreboard.telemetry import metrics

MOST = 2  # exports of a process at once
# How long a client may take for what is written at once, some 100 KB, and for all of it, in
# seconds: meanwhile it holds a connection to Postgres, which keeps what is deleted.
CHUNK_PATIENCE = 30.0
PATIENCE = 3600.0
WATERMARK = "Scoreboard-Watermark"

_WHATS: tuple[What, ...] = ("standings", "actions")
_FORMATS: tuple[TextFormat, ...] = ("csv", "ndjson")

WHAT = Parameter(
    "what",
    "query",
    {"type": "string", "enum": list(_WHATS), "default": "standings"},
    "the standings, best first, or the actions in the order of their events",
)
FORMAT = Parameter(
    "format",
    "query",
    {"type": "string", "enum": list(_FORMATS), "default": "csv"},
    "CSV, or JSON in lines",
)


class ExportHandlers:
    """Exports of this process."""

    def __init__(self, exporter: BoardExporter, authenticator: Authenticator) -> None:
        self._exporter = exporter
        self._authenticator = authenticator
        self._running = 0

    async def export(self, request: web.Request) -> web.StreamResponse:
        """All rows of a table, as of one moment."""
        principal = await self._authenticator.administrator(request)
        board, query = request.match_info["board"], request.query
        check_board_name(board)
        if not principal.may_moderate(board):
            raise Forbidden("The token does not allow moderating this board.")
        wanted = Wanted(
            board,
            choice(query.get(WHAT.name), _WHATS, WHAT.name) or "standings",
            *(wanted_of(query) or ()),
        )
        form = choice(query.get(FORMAT.name), _FORMATS, FORMAT.name) or "csv"
        if self._running >= MOST:
            metrics.limits.labels("exports").inc()
            raise Unavailable("Enough exports are running; one more can wait.", retry_after=10)
        self._running += 1
        try:
            async with self._exporter.open(wanted, by=principal.subject) as (snapshot, rows):
                return await _answered(request, form, snapshot, rows)
        finally:
            self._running -= 1


async def _answered(
    request: web.Request, form: TextFormat, snapshot: Snapshot, rows: Rows
) -> web.StreamResponse:
    name = "-".join(map(str, filter(None, (snapshot.board, snapshot.period, snapshot.occurrence))))
    response = web.StreamResponse(
        headers={
            **HEADERS,
            "Content-Type": f"{MEDIA_TYPES[form]}; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}-{snapshot.what}.{form}"',
            "Cache-Control": "no-store",
            WATERMARK: snapshot.watermark,
        }
    )
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    writer = TEXT_WRITERS[form](snapshot)
    async with asyncio.timeout(PATIENCE):
        await response.write(writer.head())
        async for chunk in rows:
            async with asyncio.timeout(CHUNK_PATIENCE):
                await response.write(writer.rows(chunk))
        await response.write_eof(writer.tail())
    return response
