"""How players are shown where an answer leaves the service. Redis, Postgres and ready tops name
users by their ids; here names are put beside them, pseudonyms take the place of anonymous ones, and
those who are hidden are left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType

from scoreboard.api.auth import Authenticator
from scoreboard.api.paging import cursor, sealed_cursor
from scoreboard.api.players.memory import ProfileMemory
from scoreboard.api.principals import Principal
from scoreboard.domain.boards import not_on_board
from scoreboard.domain.profiles import KnownProfile, Player, pseudonym
from scoreboard.domain.standings import Next, Place, Standing, TopEntry
from scoreboard.domain.tables import board_of
from scoreboard.errors import Unauthorized

_encode = msgspec.json.Encoder().encode
_entries = msgspec.json.Decoder(list[TopEntry])


class Presentation:
    """Knows what is shown of players, and to whom."""

    def __init__(self, memory: ProfileMemory, authenticator: Authenticator) -> None:
        self._memory = memory
        self._authenticator = authenticator

    @property
    def needed(self) -> bool:
        """False while all answers are shown as they are: nobody has a profile."""
        return self._memory.needed

    @property
    def news(self) -> int:
        """Grows when somebody may be shown otherwise."""
        return self._memory.news

    async def private(self) -> bool:
        """Whether anybody is anonymous or hidden. Raises Unavailable when that can't be said."""
        return await self._memory.has_private()

    async def seen(self, table: str, users: Iterable[str], request: web.Request | None) -> Seen:
        """How these users of a table are shown to whoever asks; None: to everybody. Raises
        Unavailable when that can't be said."""
        if not self._memory.needed:
            return Seen(table, {}, None, self._memory)
        known = await self._memory.of(users)
        viewer = None
        if request is not None and any(one.visibility != "public" for one in known.values()):
            viewer = await self._viewer(request)
        return Seen(table, known, viewer, self._memory)

    def seen_at_once(self, table: str, users: Iterable[str]) -> Seen | None:
        """The same, to everybody, without waiting; None when some have to be looked up first."""
        known = self._memory.remembered(users)
        return None if known is None else Seen(table, known, None, self._memory)

    async def entries(self, table: str, top: bytes, request: web.Request | None) -> bytes:
        """The JSON array of a ready top as it is shown."""
        if not self._memory.needed:
            return top
        entries = _entries.decode(top)
        seen = await self.seen(table, (one.user_id for one in entries), request)
        return _encode(seen.entries(entries))

    def entries_at_once(self, table: str, top: bytes) -> bytes | None:
        """The same, to everybody, without waiting; None when some have to be looked up first."""
        entries = _entries.decode(top)
        seen = self.seen_at_once(table, (one.user_id for one in entries))
        return None if seen is None else _encode(seen.entries(entries))

    def secret(self) -> bytes:
        """What only this installation knows. Raises Unavailable until it was read."""
        return self._memory.secret

    async def _viewer(self, request: web.Request) -> Principal | None:
        # A token that is good for nothing is that of a stranger: reads that are public take any.
        try:
            return await self._authenticator.authenticate(request)
        except Unauthorized:
            return None


class Seen:
    """Users of a table, as one viewer sees them; None sees what everybody does."""

    def __init__(
        self,
        table: str,
        known: Mapping[str, KnownProfile],
        viewer: Principal | None,
        memory: ProfileMemory,
    ) -> None:
        self._table = table
        self._board = board_of(table)
        self._known = known
        self._viewer = viewer
        self._memory = memory

    def entries(self, entries: Iterable[TopEntry]) -> list[TopEntry]:
        """The entries of a top as they are shown, without those of hidden users."""
        return [
            TopEntry(shown[0], one.score, shown[1])
            for one in entries
            if (shown := self.shown(one.user_id))
        ]

    def standings(self, standings: Iterable[Standing]) -> list[Standing]:
        """Likewise."""
        if not self._known:
            return list(standings)
        return [
            Standing(shown[0], one.score, one.rank, one.percentile, shown[1])
            for one in standings
            if (shown := self.shown(one.user_id))
        ]

    def next(self, above: Next | None) -> Next | None:
        """The one above, as it is shown; None for a hidden user."""
        if not self._known:
            return above
        shown = above and self.shown(above.user_id)
        return Next(shown[0], above.rank, above.gap, shown[1]) if above and shown else None

    def player(self, user: str) -> Player | UnsetType:
        """What is shown beside the user's own id."""
        known = self._known.get(user)
        return UNSET if known is None or known.player is None else known.player

    def conceals(self, user: str) -> bool:
        """True when the viewer may not know whether the user is on the board."""
        known = self._known.get(user)
        if known is None or known.visibility == "public":
            return False
        viewer = self._viewer
        return viewer is None or not (viewer.sees_everybody(self._board) or viewer.is_player(user))

    def check(self, user: str) -> None:
        """Raises UnknownUser if it ``conceals`` the user."""
        if self.conceals(user):
            raise not_on_board(user, self._table)

    def cursor(self, place: Place | None) -> str | None:
        """A text for clients from which the place is read again. Where anybody is concealed it is
        sealed, so that it tells no id, and can be told from one that somebody made up."""
        if place is None:
            return None
        if self._memory.private:
            return sealed_cursor(place, self._memory.secret)
        return cursor(place)

    def shown(self, user: str) -> tuple[str, Player | UnsetType] | None:
        """The user's id, or what stands in its place, and what is shown beside it; None for a
        hidden user, who is on no list."""
        known = self._known.get(user)
        if known is None:
            return user, UNSET
        if known.visibility == "hidden":
            return None
        if self.conceals(user):
            return pseudonym(self._memory.secret, self._board, user), UNSET
        return user, UNSET if known.player is None else known.player
