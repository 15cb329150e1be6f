"""Taking standings from elsewhere into a board, some rows a call."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from scoreboard.api.auth import Authenticator
from scoreboard.api.bodies import IMPORT, Bodies, decode
from scoreboard.api.ports import StandingsImport
from scoreboard.api.written import for_caller
from scoreboard.domain.boards import check_board_name
from scoreboard.domain.imports import SourceName, SourceRow
from scoreboard.errors import Forbidden

MAX_ROWS = 1_000


class ImportedRow(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A user's total in the source, as text, so that no decimal is lost."""

    user_id: str
    score: Decimal


class StandingsBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows of a ``source`` in its order. Of one name of a source, a user counts once. ``decimals``
    is how many of a score's decimals belong to a total here; ``first`` is the number of the first
    row in the source, by which rows that are left out are told."""

    source: SourceName
    rows: Annotated[list[ImportedRow], Meta(min_length=1, max_length=MAX_ROWS)]
    decimals: Annotated[int, Meta(ge=0, le=6)] = 0
    first: Annotated[int, Meta(ge=1, le=2**53)] = 1


class LeftOut(msgspec.Struct, frozen=True, rename="camel"):
    """A row that was not imported, and why."""

    row: int
    user_id: str
    score: str
    reason: str


class ImportResult(msgspec.Struct, frozen=True, rename="camel"):
    """How many rows were imported now, and how many were before; and those that were not."""

    imported: int
    before: int
    left_out: list[LeftOut]


class ImportHandlers:
    """The call that imports."""

    def __init__(
        self, importing: StandingsImport, authenticator: Authenticator, bodies: Bodies
    ) -> None:
        self._importing = importing
        self._authenticator = authenticator
        self._bodies = bodies
        self._batch = msgspec.json.Decoder(StandingsBatch)

    async def take(self, request: web.Request) -> web.Response:
        """Makes each user's total an action. Again, it changes nothing."""
        principal = await self._authenticator.administrator(request)
        board = request.match_info["board"]
        check_board_name(board)
        if not principal.may_moderate(board):
            raise Forbidden("The token does not allow moderating this board.")
        batch = decode(self._batch, await self._bodies.read(request, most=IMPORT))
        rows = [
            SourceRow(place, row.user_id, row.score)
            for place, row in enumerate(batch.rows, batch.first)
        ]
        imported, before, refused = await self._importing.take(
            board, batch.source, batch.decimals, rows, by=principal.subject
        )
        left_out = [
            LeftOut(row.place, row.user_id, str(row.score), reason) for row, reason in refused
        ]
        return for_caller(ImportResult(imported, before, left_out))
