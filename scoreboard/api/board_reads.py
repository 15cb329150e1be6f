"""Reads of boards: which there are, what a board is, the top 10, standings page by page or of one
user, neighbours, friends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType

from scoreboard.api.auth import Authenticator
from scoreboard.api.board_descriptions import (
    AFTER_BOARD,
    PREFIX,
    described,
    name_of,
    page_of,
)
from scoreboard.api.board_periods import BoardPeriods, Shown
from scoreboard.api.board_reader import BoardReader
from scoreboard.api.bodies import USER_LIST, Bodies, decode
from scoreboard.api.occurrence_reads import (
    AFTER_OCCURRENCE,
    LAST_NUMBER,
    NoUsers,
    OfOccurrence,
    Tables,
    shown_period,
    told,
    wanted_of,
)
from scoreboard.api.occurrence_reads import page_of as occurrences_page
from scoreboard.api.operations import Parameter
from scoreboard.api.paging import AFTER, limit_of, place_of, score_of
from scoreboard.api.parameters import board_named, choice, identifier, moment, number
from scoreboard.api.past_reads import AT, PastReads
from scoreboard.api.players.presentation import Presentation, Seen
from scoreboard.api.ports import BoardLister
from scoreboard.api.rank_changes import (
    DELTA,
    DayBegan,
    Delta,
    RankChanges,
    wants_changes,
    wants_day,
)
from scoreboard.api.written import as_json, is_known, not_changed, tagged
from scoreboard.domain.actions import UserList
from scoreboard.domain.boards import not_on_board
from scoreboard.domain.moments import moment_of
from scoreboard.domain.profiles import Player
from scoreboard.domain.standings import (
    ListedStanding,
    Next,
    Place,
    Standing,
    TopEntry,
    TopTen,
    among_listed,
    listed,
    percentile,
)
from scoreboard.errors import Forbidden, InvalidRequest

_user_list = msgspec.json.Decoder(UserList)

_NO_USERS = NoUsers()

SORT = Parameter(
    "sort",
    "query",
    {"type": "string", "const": "rank"},
    "orders the listed users by rank, each with the place among them",
)
MAX_RADIUS = 100
DEFAULT_RADIUS = 5


class TopScores(OfOccurrence, frozen=True, rename="camel"):
    """The first ten of a board, score descending; of equal scores the one reached earlier first.
    ``at`` is the moment that was asked for, if one was."""

    top_scores: list[TopEntry]
    at: datetime | UnsetType = UNSET


class Neighbours(OfOccurrence, frozen=True):
    """A user and those around, by rank."""

    users: list[Standing]


class Lookup(OfOccurrence, frozen=True):
    """The standings of the listed users that are on the board, in the order of the list or, with
    ``sort=rank``, by rank with their ``place`` among them; and the ids of those that are not. With
    ``day=true`` also their ranks when the ``day`` began, null where nothing is kept."""

    users: list[ListedStanding]
    missing: list[str]
    day: DayBegan | UnsetType | None = UNSET


class StandingsPage(OfOccurrence, frozen=True):
    """Users in order of rank. With ``next`` as ``after`` the next page goes on; it is null when
    nobody stands behind this one."""

    standings: list[Standing]
    next: str | None


class UserPlace(OfOccurrence, frozen=True, kw_only=True, rename="camel"):
    """A user's place, the one directly above (null for the first) and the way to the top 10. ``at``
    is the moment that was asked for, if one was, and ``delta`` what has changed, if that was."""

    user_id: str
    score: int
    rank: int
    percentile: float
    player: Player | UnsetType = UNSET
    next: Next | None
    top10: TopTen
    at: datetime | UnsetType = UNSET
    delta: Delta | UnsetType = UNSET


class ScoreRank(OfOccurrence, frozen=True):
    """Where a newcomer with this ``score`` would stand now: behind all who have it. ``users`` are
    those on the board, without the newcomer, who is counted in ``percentile``."""

    score: int
    rank: int
    percentile: float
    users: int


class _TopAnswer:
    """The answer that all readers of the same ``top`` share; ``tag`` is its ETag, empty when there
    is none."""

    def __init__(self, top: tuple[int | None, bytes]) -> None:
        version, entries = self.top = top
        self.body = b'{"topScores":%b}' % entries
        self.tag = "" if version is None else f'"{version}"'
        self.headers = {"Content-Type": "application/json", "Cache-Control": "no-cache"}
        if self.tag:
            self.headers["ETag"] = self.tag


class _Table(NamedTuple):
    """What a read is of: a table by its name, where to read it, and of which occurrence it is."""

    name: str
    boards: Tables
    shown: Shown | None


class BoardHandlers:
    """The calls that read boards."""

    def __init__(
        self,
        reader: BoardReader,
        periods: BoardPeriods,
        lister: BoardLister,
        past: PastReads,
        changes: RankChanges,
        presentation: Presentation,
        authenticator: Authenticator,
        bodies: Bodies,
        *,
        default_board: str,
        public_reads: bool,
    ) -> None:
        self._reader = reader
        self._periods = periods
        self._lister = lister
        self._past = past
        self._changes = changes
        self._presentation = presentation
        self._authenticator = authenticator
        self._default_board = default_board
        self._public = public_reads
        self._bodies = bodies
        self._answer = _TopAnswer((None, b"[]"))

    async def get_boards(self, request: web.Request) -> web.Response:
        """The boards that the caller may read, by name."""
        readable = None
        if not self._public:
            principal = await self._authenticator.authenticate(request)
            if not principal.may_read():
                raise Forbidden("The token does not allow reading boards.")
            readable = principal.boards
        query = request.query
        prefix, after = name_of(query, PREFIX.name), name_of(query, AFTER_BOARD.name)
        limit = limit_of(query)
        found = await self._lister.listed(prefix, after=after, among=readable, limit=limit + 1)
        return as_json(page_of(found, limit))

    async def get_board(self, request: web.Request) -> web.Response:
        """A board's rules, how many users it shows, and its periods."""
        board = await self._board(request)
        description = await self._reader.description(board)
        periods = await self._periods.current(board, description.settings)
        return as_json(described(board, description, list(map(shown_period, periods))))

    async def get_occurrences(self, request: web.Request) -> web.Response:
        """The occurrences of a period, newest first."""
        board = await self._board(request)
        query, period = request.query, request.match_info["period"]
        limit, after = limit_of(query), query.get(AFTER_OCCURRENCE.name)
        before = after and number(after, AFTER_OCCURRENCE.name, least=1, most=LAST_NUMBER)
        found = await self._periods.history(board, period, before=before or None, limit=limit + 1)
        return as_json(occurrences_page(found, limit))

    async def get_top(self, request: web.Request) -> web.Response:
        """The top 10, with the board's version as ETag; where players have profiles, and of an
        occurrence or a moment in the past, with a digest: names and states change without a new
        version."""
        if self._public:
            board = board_named(request.match_info, self._default_board)
        else:
            board = await self._board(request)
        if not request.query_string and self._periods.surely_all_time(board):
            table = _Table(board, self._reader, None)  # what most ask for, without a wait
        elif AT.name in request.query:
            return await self._get_past_top(board, request)
        else:
            table = await self._table_of(board, request)
        top = await table.boards.shared_top(table.name)
        if table.shown is not None or self._presentation.needed:
            entries = await self._presentation.entries(table.name, top[1], request)
            return tagged(request, TopScores(_ready(entries), **told(table.shown)))
        if top is not self._answer.top:  # else the previous reader had the same
            self._answer = _TopAnswer(top)
        answer = self._answer
        if answer.tag and is_known(request, answer.tag):
            return not_changed(answer.tag)
        return web.Response(body=answer.body, headers=answer.headers)

    async def _get_past_top(self, board: str, request: web.Request) -> web.Response:
        at_ms = moment(request.query[AT.name], AT.name)
        shown = await self._past.shown(board, request.query, at_ms)
        table = board if shown is None else shown.table
        entries = await self._past.top(table, at_ms)
        seen = await self._presentation.seen(table, (one.user_id for one in entries), request)
        return tagged(request, TopScores(seen.entries(entries), at=moment_of(at_ms), **told(shown)))

    async def get_standings(self, request: web.Request) -> web.Response:
        """A page of the standings, with a digest of it as ETag: what is on a page changes without
        a new version of the board."""
        board = await self._board(request)
        sealed = AFTER.name in request.query and await self._presentation.private()
        place = place_of(request.query, self._presentation.secret, sealed_only=sealed)
        limit = limit_of(request.query)
        table = await self._table_of(board, request)
        page = await table.boards.page(table.name, place, limit)
        seen = await self._seen(table, _ids(page.standings), request)
        following = seen.cursor(page.last)
        shown = seen.standings(page.standings)
        return tagged(request, StandingsPage(shown, following, **told(table.shown)))

    async def get_rank(self, request: web.Request) -> web.Response:
        """Where a score would stand."""
        board = await self._board(request)
        score = score_of(request.query, "score")
        table = await self._table_of(board, request)
        page = await table.boards.page(table.name, Place("behind", score), 0)
        share = percentile(page.rank, page.players + 1)
        return as_json(ScoreRank(score, page.rank, share, page.players, **told(table.shown)))

    async def get_user(self, request: web.Request) -> web.Response:
        """One user's standing, with the one above and the way to the top 10."""
        board, user = await self._board(request), _user(request)
        delta = bool(request.query_string) and wants_changes(request.query)
        more: dict[str, Any]
        if request.query_string and AT.name in request.query:
            if delta:
                raise InvalidRequest("delta is of now, and at is not.", path=DELTA.name)
            at_ms = moment(request.query[AT.name], AT.name)
            shown = await self._past.shown(board, request.query, at_ms)
            name = board if shown is None else shown.table
            standing = await self._past.user(name, user, at_ms)
            more = {"at": moment_of(at_ms), **told(shown)}
        else:
            name, boards, shown = await self._table_of(board, request)
            standing = await boards.user(name, user)
            more = told(shown)
        if standing is None:
            raise not_on_board(user, name)
        above = standing.next
        users = (user, above.user_id) if above else (user,)
        seen = await self._presentation.seen(name, users, request)
        seen.check(user)
        if delta:
            more["delta"] = await self._changes.of(board, shown, standing)
        return as_json(
            UserPlace(
                user_id=user,
                score=standing.score,
                rank=standing.rank,
                percentile=standing.percentile,
                player=seen.player(user),
                next=seen.next(above),
                top10=standing.top10,
                **more,
            )
        )

    async def get_around(self, request: web.Request) -> web.Response:
        """A user's neighbours."""
        board = await self._board(request)
        user, radius = _user(request), _radius(request)
        table = await self._table_of(board, request)
        around = await table.boards.around(table.name, user, radius)
        if around is None:
            raise not_on_board(user, table.name)
        seen = await self._seen(table, _ids(around), request)
        seen.check(user)
        return as_json(Neighbours(seen.standings(around), **told(table.shown)))

    async def lookup_users(self, request: web.Request) -> web.Response:
        """The standings of up to 500 listed users."""
        board = await self._board(request)
        by_rank = choice(request.query.get(SORT.name), ("rank",), SORT.name)
        body = await self._bodies.read(request, most=USER_LIST)
        users = list(dict.fromkeys(decode(_user_list, body).user_ids))
        table = await self._table_of(board, request)
        standings = [one for one in await table.boards.standings(table.name, users) if one]
        seen = await self._seen(table, _ids(standings), request)
        shown = seen.standings(one for one in standings if not seen.conceals(one.user_id))
        there = set(_ids(shown))
        missing = [user for user in users if user not in there]
        users_shown = among_listed(shown) if by_rank else [*map(listed, shown)]
        more: dict[str, Any] = {}
        if wants_day(request.query):
            asked = list(_ids(shown))
            more["day"] = (
                await self._changes.day_began(board, table.shown, asked) if asked else None
            )
        return as_json(Lookup(users_shown, missing, **more, **told(table.shown)))

    async def _seen(self, table: _Table, users: Iterable[str], request: web.Request) -> Seen:
        return await self._presentation.seen(table.name, users, request)

    async def _table_of(self, board: str, request: web.Request) -> _Table:
        # Most reads have no query, of which aiohttp would make a mapping all the same.
        wanted = wanted_of(request.query) if request.query_string else None
        if wanted is None:
            await self._periods.check_all_time(board)
            return _Table(board, self._reader, None)
        shown = await self._periods.find(board, *wanted)
        return _Table(shown.table, self._reader if shown.exists else _NO_USERS, shown)

    async def _board(self, request: web.Request) -> str:
        board = board_named(request.match_info, self._default_board)
        if not self._public:
            await self._authenticator.check_reads(request, board)
        return board


def _ids(standings: Iterable[Standing]) -> Iterator[str]:
    return (one.user_id for one in standings)


def _user(request: web.Request) -> str:
    return identifier(request.match_info["user"], "userId")


def _radius(request: web.Request) -> int:
    if not request.query_string:  # as in _table_of
        return DEFAULT_RADIUS
    text = request.query.get("radius", str(DEFAULT_RADIUS))
    return number(text, "radius", least=0, most=MAX_RADIUS)


def _ready(entries: bytes) -> Any:
    """JSON that goes into an answer as it is."""
    return msgspec.Raw(entries)
