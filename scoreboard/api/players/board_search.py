"""Looking on a board for players by their names, by whoever may read it."""

from __future__ import annotations

import asyncio

from aiohttp import web

from scoreboard.api.board_periods import BoardPeriods
from scoreboard.api.occurrence_reads import NoUsers, OfOccurrence, Tables, shown_of, told
from scoreboard.api.parameters import number
from scoreboard.api.players.access import PlayerAccess
from scoreboard.api.players.ports import PlayerFinder
from scoreboard.api.players.presentation import Presentation
from scoreboard.api.players.search import name_of
from scoreboard.api.written import as_json
from scoreboard.domain.standings import Standing
from scoreboard.errors import Unavailable

DEFAULT_SHOWN = 10
MAX_SHOWN = 100
MOST_NAMED = 500  # players of such names who are looked for on the board, in one call of a script
MOST_AT_ONCE = 4  # searches of a process, which ask Postgres where other reads do not

_NO_USERS = NoUsers()


class FoundOnBoard(OfOccurrence, frozen=True):
    """Users of the table whose names begin as was asked, by rank; ``more`` when there are others,
    or may be, since so many players have such names. Who is anonymous or hidden is not found."""

    users: list[Standing]
    more: bool


class BoardSearchHandlers:
    """The call by which readers of a board find players."""

    def __init__(
        self,
        finder: PlayerFinder,
        boards: Tables,
        periods: BoardPeriods,
        presentation: Presentation,
        access: PlayerAccess,
    ) -> None:
        self._finder = finder
        self._boards = boards
        self._periods = periods
        self._presentation = presentation
        self._access = access
        self._places = asyncio.Semaphore(MOST_AT_ONCE)

    async def find(self, request: web.Request) -> web.Response:
        """Users of a table by the beginning of their names."""
        board, query = request.match_info["board"], request.query
        await self._access.check_reads(request, board)
        name = name_of(query)
        limit = number(query.get("limit", str(DEFAULT_SHOWN)), "limit", least=1, most=MAX_SHOWN)
        await self._periods.settings(board)  # or there is no such board
        shown = await shown_of(self._periods, board, query)
        if self._places.locked():
            raise Unavailable("Many players are being looked for.", retry_after=1.0)
        async with self._places:
            named = await self._finder.named(name, MOST_NAMED + 1)
        users = [one.user_id for one in named[:MOST_NAMED] if one.visibility == "public"]
        table = board if shown is None else shown.table
        boards = self._boards if shown is None or shown.exists else _NO_USERS
        found = [one for one in await boards.standings(table, users) if one] if users else []
        seen = await self._presentation.seen(table, users, request)
        # What is known of them here may be newer.
        listed = sorted(
            seen.standings(one for one in found if not seen.conceals(one.user_id)),
            key=lambda one: one.rank,
        )
        more = len(listed) > limit or len(named) > MOST_NAMED
        return as_json(FoundOnBoard(listed[:limit], more, **told(shown)))
