"""What the live leaderboard needs from outside its folder; tests stand in for all of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from aiohttp import web

from scoreboard.wire.tickets import Ticket


class TopReader(Protocol):
    """Reads a board's top 10. Implemented in api/board_reader.py."""

    async def top(self, board: str) -> tuple[int, bytes]:
        """(version, ready JSON array of the top 10). Raises UnknownBoard, Unavailable."""


class UpdateSource(Protocol):
    """Delivers new versions of boards. No method raises because Redis is away. Implemented in
    redisio/updates.py."""

    async def subscribe(self, board: str) -> None:
        """Once this has returned, updates arrive; while Redis is away, ``on_resubscribed`` follows
        when it is back."""

    async def unsubscribe(self, board: str) -> None:
        """Ends a subscription."""

    async def run(
        self, on_update: Callable[[str, bytes], None], on_resubscribed: Callable[[str], None]
    ) -> None:
        """Receives until cancelled: ``on_update(board, text)`` for each update, and
        ``on_resubscribed(board)`` when some of a board's may have been lost."""


class Reader(Protocol):
    """Who reads: the bearer of a token (api/auth.Principal) or of a ticket (wire/tickets.Ticket).
    ``boards`` is None for all boards; ``expires_at`` in Unix seconds."""

    @property
    def subject(self) -> str: ...
    @property
    def scopes(self) -> frozenset[str]: ...
    @property
    def boards(self) -> frozenset[str] | None: ...
    @property
    def expires_at(self) -> float: ...


class TokenVerifier(Protocol):
    """Verifies a request's token. Implemented in api/auth.py."""

    async def authenticate(self, request: web.BaseRequest) -> Reader:
        """Raises Unauthorized."""


class TicketStore(Protocol):
    """Keeps one-use tickets. Both methods raise Unavailable. Implemented in redisio/tickets.py."""

    async def issue(self, ticket: Ticket) -> str:
        """The ticket's text."""

    async def redeem(self, token: str) -> Ticket | None:
        """What the ticket stands for, once; None for an unknown, used or expired one."""
