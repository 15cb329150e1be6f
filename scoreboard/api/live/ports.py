"""What the live leaderboard needs from outside its folder; tests stand in for all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple, Protocol

from aiohttp import web
from msgspec import UnsetType

from scoreboard.domain.occurrences import Occurrence
from scoreboard.domain.profiles import Player
from scoreboard.domain.revocations import Bearer
from scoreboard.domain.standings import Next
from scoreboard.wire.places import Places
from scoreboard.wire.tickets import Ticket


class OccurrenceTop(NamedTuple):
    """The top 10 of an occurrence. ``ended``: of the latest one, the one that ended before it, if
    asked for; of another one itself, once it has ended."""

    number: int
    version: int
    top_scores: bytes
    ended: Occurrence | None


class TopReader(Protocol):
    """Reads a board's top 10. Implemented in api/live_tops.py."""

    async def top(self, board: str, *, watched: bool) -> tuple[int, bytes]:
        """(version, ready JSON array of the top 10), once the board is live; a board that is
        ``watched`` by clients becomes so before others. Raises UnknownBoard, PeriodRequired,
        Unavailable."""

    async def latest_top(
        self, board: str, period: str, *, shown: int, watched: bool
    ) -> OccurrenceTop:
        """Likewise, of a period's latest occurrence, with the one before it unless the latest is
        the number ``shown`` (0: none is shown). Raises UnknownPeriod, too."""

    async def occurrence_top(
        self, board: str, period: str, number: int, *, watched: bool
    ) -> OccurrenceTop:
        """Likewise, of any occurrence. Raises UnknownOccurrence and OccurrenceGone, too."""


class OccurrenceFinder(Protocol):
    """Implemented in api/live_tops.py."""

    async def number(self, board: str, period: str, wanted: int | Literal["previous"]) -> int:
        """The number of the occurrence that is wanted. Raises NotFound of some kind,
        Unavailable."""


class PlaceReader(Protocol):
    """Reads where watched players stand. Implemented in api/live_places.py. Both methods raise
    NotFound of some kind, BoardCold, Unavailable."""

    async def watch(self, table: str) -> bytes:
        """Has it noted for 30 s who moves on the table's board; behind the id that this returns."""

    async def places(
        self, table: str, users: Sequence[str], *, known: bytes, since: bytes
    ) -> Places:
        """Where users stand in a table, unless that is in the ``known`` state (empty: none), and
        some of the moves behind ``since`` (empty: none), once the board is live."""


class SeenPlayers(Protocol):
    """How players of a table are shown to everybody. Implemented in players/presentation.py."""

    def next(self, above: Next | None) -> Next | None:
        """A neighbour as it is shown; None for a hidden one."""

    def player(self, user: str) -> Player | UnsetType:
        """What is shown beside the user's own id."""

    def conceals(self, user: str) -> bool:
        """True when nobody else may know whether the user is on the board."""

    def shown(self, user: str) -> tuple[str, Player | UnsetType] | None:
        """The user's id, or what stands in its place, and what is shown beside it; None for a
        hidden user."""


class PlayerViews(Protocol):
    """Implemented in players/presentation.py."""

    @property
    def needed(self) -> bool:
        """False while all are shown by their ids: nobody has a profile."""

    @property
    def news(self) -> int:
        """Grows when somebody may be shown otherwise."""

    async def seen(
        self, table: str, users: Iterable[str], request: web.Request | None
    ) -> SeenPlayers:
        """How users of a table are shown to whoever asks; None: to everybody. Raises
        Unavailable."""


class UpdateSource(Protocol):
    """Delivers new versions of boards. No method raises because Redis is away. Implemented in
    redisio/updates.py."""

    async def subscribe(self, board: str) -> None:
        """Once this has returned, updates arrive; while Redis is away, ``on_resubscribed`` follows
        when it is back."""

    def unsubscribe(self, board: str) -> None:
        """Ends a subscription."""

    async def run(
        self, on_update: Callable[[str, bytes], None], on_resubscribed: Callable[[str], None]
    ) -> None:
        """Receives until cancelled: ``on_update(board, text)`` for each update, and
        ``on_resubscribed(board)`` when some of a board's may have been lost."""


class Reader(Bearer, Protocol):
    """Who reads: the bearer of a token (api/principals.Principal) or of a ticket
    (wire/tickets.Ticket)."""

    @property
    def scopes(self) -> frozenset[str]:
        """What the token allows."""

    @property
    def boards(self) -> frozenset[str] | None:
        """The boards on which it does; None for all."""

    @property
    def expires_at(self) -> float:
        """Until when, in Unix seconds."""


class TokenVerifier(Protocol):
    """Verifies a request's token. Implemented in api/auth.py."""

    async def authenticate(self, request: web.BaseRequest) -> Reader:
        """Raises Unauthorized."""

    def check(self, reader: Reader) -> None:
        """Raises Unauthorized when the reader's token has expired or was revoked since."""


class TicketStore(Protocol):
    """Keeps one-use tickets. Both methods raise Unavailable. Implemented in redisio/tickets.py."""

    async def issue(self, ticket: Ticket) -> str:
        """The ticket's text."""

    async def redeem(self, token: str) -> Ticket | None:
        """What the ticket stands for, once; None for an unknown, used or expired one."""
