"""Reads of boards: the top 10, standings, neighbours, friends."""

from __future__ import annotations

import msgspec
from aiohttp import web

from scoreboard.api.auth import Authenticator
from scoreboard.api.board_reader import BoardReader
from scoreboard.api.bodies import decode, read_json
from scoreboard.api.parameters import identifier, number
from scoreboard.domain.actions import UserList
from scoreboard.domain.boards import check_board_name, not_on_board
from scoreboard.domain.standings import Standing, TopEntry
from scoreboard.errors import Forbidden

_encode = msgspec.json.Encoder().encode
_user_list = msgspec.json.Decoder(UserList)

MAX_RADIUS = 100
DEFAULT_RADIUS = 5


class TopScores(msgspec.Struct, frozen=True, rename="camel"):
    """The first ten of a board, score descending; of equal scores the one reached earlier first."""

    top_scores: list[TopEntry]


class Neighbours(msgspec.Struct, frozen=True):
    """A user and those around, by rank."""

    users: list[Standing]


class Lookup(msgspec.Struct, frozen=True):
    """The standings of the listed users that are on the board, in the order of the list, and the
    ids of those that are not."""

    users: list[Standing]
    missing: list[str]


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


class BoardHandlers:
    """The calls that read boards. ``body_timeout`` in seconds."""

    def __init__(
        self,
        reader: BoardReader,
        authenticator: Authenticator,
        *,
        default_board: str,
        public_reads: bool,
        body_timeout: float,
    ) -> None:
        self._reader = reader
        self._authenticator = authenticator
        self._default_board = default_board
        self._public = public_reads
        self._body_timeout = body_timeout
        self._answer = _TopAnswer((None, b"[]"))

    async def get_top(self, request: web.Request) -> web.Response:
        """The top 10, with the board's version as ETag."""
        board = await self._board(request)
        top = await self._reader.shared_top(board)
        if top is not self._answer.top:  # else the previous reader had the same
            self._answer = _TopAnswer(top)
        answer = self._answer
        known = request.headers.get("If-None-Match")
        if known is not None and answer.tag and (known == answer.tag or _lists(known, answer.tag)):
            headers = {"Cache-Control": "no-cache", "ETag": answer.tag}
            return web.Response(status=304, headers=headers)
        return web.Response(body=answer.body, headers=answer.headers)

    async def get_user(self, request: web.Request) -> web.Response:
        """One user's standing."""
        board = await self._board(request)
        user = _user(request)
        standing = (await self._reader.standings(board, [user]))[0]
        if standing is None:
            raise not_on_board(user, board)
        return _json(standing)

    async def get_around(self, request: web.Request) -> web.Response:
        """A user's neighbours."""
        board = await self._board(request)
        user = _user(request)
        around = await self._reader.around(board, user, _radius(request))
        if around is None:
            raise not_on_board(user, board)
        return _json(Neighbours(around))

    async def lookup_users(self, request: web.Request) -> web.Response:
        """The standings of up to 500 listed users."""
        board = await self._board(request)
        body = await read_json(request, timeout=self._body_timeout)
        users = list(dict.fromkeys(decode(_user_list, body).user_ids))
        standings = await self._reader.standings(board, users)
        return _json(
            Lookup(
                [standing for standing in standings if standing],
                [user for user, standing in zip(users, standings, strict=True) if not standing],
            )
        )

    async def _board(self, request: web.Request) -> str:
        board = request.match_info.get("board", self._default_board)
        check_board_name(board)
        if not self._public:
            principal = await self._authenticator.authenticate(request)
            if not principal.may_read(board):
                raise Forbidden("The token does not allow reading this board.")
        return board


def _user(request: web.Request) -> str:
    return identifier(request.match_info["user"], "userId")


def _radius(request: web.Request) -> int:
    text = request.query.get("radius", str(DEFAULT_RADIUS))
    return number(text, "radius", least=0, most=MAX_RADIUS)


def _lists(header: str, tag: str) -> bool:
    """True when an If-None-Match header names the tag (weak or strong) or is ``*``."""
    names = {name.strip().removeprefix("W/") for name in header.split(",")}
    return tag in names or "*" in names


def _json(value: msgspec.Struct) -> web.Response:
    return web.Response(body=_encode(value), content_type="application/json")
