"""The live leaderboard's endpoints: the WebSocket and the tickets that let browsers open it."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import msgspec
from aiohttp import web

from scoreboard.api.board_periods import Wanted
from scoreboard.api.edge.addresses import Addresses
from scoreboard.api.live import handshake
from scoreboard.api.live.connections import Connection
from scoreboard.api.live.feeds import Feed
from scoreboard.api.live.hub import Hub
from scoreboard.api.live.player_connections import PlayerConnection
from scoreboard.api.live.ports import OccurrenceFinder, Reader, TicketStore, TokenVerifier
from scoreboard.api.live.standings import Standings
from scoreboard.api.live.watched_players import WatchedPlayer
from scoreboard.api.occurrence_reads import wanted_of
from scoreboard.api.parameters import identifier
from scoreboard.api.principals import Principal
from scoreboard.api.tokens import BOARD_READ
from scoreboard.domain.boards import is_board_name
from scoreboard.domain.tables import occurrence_table
from scoreboard.errors import (
    Forbidden,
    InvalidRequest,
    ScoreboardError,
    Unauthorized,
    UnknownBoard,
    UnknownPeriod,
)
from scoreboard.settings import Settings
from scoreboard.wire.tickets import Ticket

USER = "user"
MOST_USERS = 50  # that a WebSocket follows


class TicketReply(msgspec.Struct, frozen=True):
    """A ticket, good for opening one WebSocket within 30 seconds as ``?ticket=``."""

    ticket: str


class LiveLeaderboard:
    """The handlers; scoreboard.api.catalogue names their routes."""

    def __init__(
        self,
        hub: Hub,
        standings: Standings,
        occurrences: OccurrenceFinder,
        verifier: TokenVerifier,
        tickets: TicketStore,
        settings: Settings,
    ) -> None:
        self._hub = hub
        self._standings = standings
        self._occurrences = occurrences
        self._verifier = verifier
        self._tickets = tickets
        self._public = settings.public_reads
        self._origins: AbstractSet[str] = settings.origins
        self._default_board = settings.default_board
        self._addresses = Addresses(settings.trusted_proxies, settings.client_address_header)

    async def issue_ticket(self, request: web.Request) -> web.Response:
        """``POST /api/ws-ticket``: a ticket for the bearer of a token with ``board:read``, or of
        any where reads are public: it shows players themselves."""
        reader = await self._verifier.authenticate(request)
        if BOARD_READ not in reader.scopes and not self._public:
            raise Forbidden(f"The token lacks the scope {BOARD_READ}.")
        ticket = Ticket(
            reader.subject,
            reader.scopes,
            reader.boards,
            reader.expires_at,
            reader.token_id,
            reader.issued_at,
        )
        reply = TicketReply(await self._tickets.issue(ticket))
        return web.Response(
            body=msgspec.json.encode(reply),
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    async def leaderboard(self, request: web.Request) -> web.StreamResponse:
        """``GET /ws/leaderboard?board=`` and ``GET /ws/boards/{board}``, both with ``?period=``
        and ``&occurrence=``, and with ``?user=`` for each player that is to be followed.

        Refusals before the upgrade are problem documents (400, 401, 403, 426), later ones close
        codes (4404, 4429, 1013). A connection opened with a token or a ticket ends with 4401 when
        the token expires or is revoked.
        """
        board = request.match_info.get("board") or request.query.get("board", self._default_board)
        answer = handshake.accept(request)
        wanted, users = wanted_of(request.query), _users(request)
        self._check_origin(request)
        reader = await self._authorize(request, board, players=bool(users))
        refusal: ScoreboardError | None = None
        players: list[WatchedPlayer] = []
        try:
            if not is_board_name(board):
                raise UnknownBoard("There is no such board.")
            followed = await self._followed(board, wanted)
            feed = await self._hub.open(followed)
            if users:
                sought = [(user, _sees(reader, user, board)) for user in users]
                players = await self._standings.open(feed, sought)
                feed = await self._hub.open(followed)  # again: there may be another by now
        except ScoreboardError as error:
            refusal, feed = error, Feed("", now=0.0)
        if reader is not None:
            self._verifier.check(reader)  # again: opening the feed may have taken a while
        address = self._addresses.of(request)
        connection = (
            PlayerConnection(self._hub, feed, reader, players)
            if players
            else Connection(self._hub, feed, reader)
        )
        transport = handshake.take_over(request, connection)
        if transport is not None:
            transport.write(answer)
            connection.transport = transport
            if refusal:
                self._hub.refuse(connection, refusal)
            else:
                self._hub.join(connection, address)
                if isinstance(connection, PlayerConnection):
                    connection.follow()
        return handshake.TakenOver()

    async def _followed(self, board: str, wanted: tuple[str, Wanted] | None) -> str:
        """The name of what is to be followed: a board, a period, or an occurrence."""
        if wanted is None:
            return board
        period, occurrence = wanted
        if ":" in period:  # or it would name an occurrence
            raise UnknownPeriod("The board has no such period.")
        if occurrence is None:
            return f"{board}:{period}"
        number = await self._occurrences.number(board, period, occurrence)
        return occurrence_table(board, period, number)

    def _check_origin(self, request: web.Request) -> None:
        # Browsers always send an Origin with a WebSocket; other programs can send any they like.
        origin = request.headers.get("Origin")
        if not self._origins or origin is None or (origin in self._origins and origin != "self"):
            return
        own = origin.partition("://")[2] == request.headers.get("Host", "")
        if not (own and "self" in self._origins):
            raise Forbidden(
                "This Origin may not open WebSockets here; SCOREBOARD_ALLOWED_ORIGINS lists those "
                "that may."
            )

    async def _authorize(self, request: web.Request, board: str, *, players: bool) -> Reader | None:
        """Who reads, None for anybody where everybody may. Raises Unauthorized, Forbidden."""
        token = request.query.get("ticket")
        if self._public and not (players and (token or "Authorization" in request.headers)):
            return None
        reader: Reader | None
        if token is None:
            try:
                reader = await self._verifier.authenticate(request)
            except Unauthorized:
                if self._public:
                    return None  # a token that is good for nothing is that of a stranger
                raise
        else:
            reader = await self._tickets.redeem(token)
            if reader is None:
                raise Unauthorized("The ticket is unknown, used or expired.")
            self._verifier.check(reader)
        if self._public:
            return reader
        if BOARD_READ not in reader.scopes:
            raise Forbidden(f"The token lacks the scope {BOARD_READ}.")
        if reader.boards is not None and board not in reader.boards:
            raise Forbidden("The token does not allow this board.")
        return reader


def _users(request: web.Request) -> list[str]:
    """The players to follow, each once. Raises InvalidRequest."""
    if USER not in request.query:
        return []
    users = [identifier(user, USER) for user in request.query.getall(USER)]
    if len(users) > MOST_USERS:
        raise InvalidRequest(f"A WebSocket follows up to {MOST_USERS} players.", path=USER)
    return list(dict.fromkeys(users))


def _sees(reader: Reader | None, user: str, board: str) -> bool:
    """Whether the user is no secret to the reader, whatever the profile says."""
    if reader is None:
        return False
    rights = Principal(reader.subject, reader.scopes, reader.boards, reader.expires_at)
    return rights.sees_everybody(board) or rights.is_player(user)
