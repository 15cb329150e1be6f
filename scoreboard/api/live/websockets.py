"""The live leaderboard's endpoints: the WebSocket and the tickets that let browsers open it."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from math import inf

import msgspec
from aiohttp import web

from scoreboard.api.live import handshake
from scoreboard.api.live.connections import Connection
from scoreboard.api.live.feeds import Feed
from scoreboard.api.live.hub import Hub
from scoreboard.api.live.ports import Reader, TicketStore, TokenVerifier
from scoreboard.api.tokens import BOARD_READ
from scoreboard.domain.boards import is_board_name
from scoreboard.errors import Forbidden, ScoreboardError, Unauthorized, UnknownBoard
from scoreboard.settings import Settings
from scoreboard.wire.tickets import Ticket


class TicketReply(msgspec.Struct, frozen=True):
    """A ticket, good for opening one WebSocket within 30 seconds as ``?ticket=``."""

    ticket: str


class LiveLeaderboard:
    """The handlers; scoreboard.api.catalogue names their routes."""

    def __init__(
        self, hub: Hub, verifier: TokenVerifier, tickets: TicketStore, settings: Settings
    ) -> None:
        self._hub = hub
        self._verifier = verifier
        self._tickets = tickets
        self._public = settings.public_reads
        self._origins: AbstractSet[str] = settings.origins
        self._default_board = settings.default_board

    async def issue_ticket(self, request: web.Request) -> web.Response:
        """``POST /api/ws-ticket``: a ticket for the bearer of a token with ``board:read``."""
        reader = await self._verifier.authenticate(request)
        if BOARD_READ not in reader.scopes:
            raise Forbidden(f"The token lacks the scope {BOARD_READ}.")
        ticket = Ticket(reader.subject, reader.scopes, reader.boards, reader.expires_at)
        reply = TicketReply(await self._tickets.issue(ticket))
        return web.Response(
            body=msgspec.json.encode(reply),
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    async def leaderboard(self, request: web.Request) -> web.StreamResponse:
        """``GET /ws/leaderboard?board=`` and ``GET /ws/boards/{board}``.

        Refusals before the upgrade are problem documents (400, 401, 403), later ones close codes
        (4404, 4429, 1013). A connection opened with a token or a ticket ends with 4401 within one
        heartbeat after the token's ``exp``.
        """
        board = request.match_info.get("board") or request.query.get("board", self._default_board)
        answer = handshake.accept(request)
        self._check_origin(request)
        expires_at = await self._authorize(request, board)
        refusal: ScoreboardError | None = None
        try:
            if not is_board_name(board):
                raise UnknownBoard("There is no such board.")
            feed = await self._hub.open(board)
        except ScoreboardError as error:
            refusal, feed = error, Feed("", now=0.0)
        connection = Connection(self._hub, feed, expires_at)
        transport = handshake.take_over(request, connection)
        if transport is not None:
            transport.write(answer)
            connection.transport = transport
            if refusal:
                self._hub.refuse(connection, refusal)
            else:
                self._hub.join(connection)
        return handshake.TakenOver()

    def _check_origin(self, request: web.Request) -> None:
        # Browsers always send an Origin with a WebSocket; other programs can send any they like.
        origin = request.headers.get("Origin")
        if self._origins and origin is not None and origin not in self._origins:
            raise Forbidden("This Origin may not open WebSockets here.")

    async def _authorize(self, request: web.Request, board: str) -> float:
        """The Unix time at which the right to read ends. Raises Unauthorized, Forbidden."""
        if self._public:
            return inf
        reader: Reader | None
        token = request.query.get("ticket")
        if token is None:
            reader = await self._verifier.authenticate(request)
        else:
            reader = await self._tickets.redeem(token)
            if reader is None:
                raise Unauthorized("The ticket is unknown, used or expired.")
        if BOARD_READ not in reader.scopes:
            raise Forbidden(f"The token lacks the scope {BOARD_READ}.")
        if reader.boards is not None and board not in reader.boards:
            raise Forbidden("The token does not allow this board.")
        return reader.expires_at
