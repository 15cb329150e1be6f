"""Looking for players by an administrator."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from aiohttp import web

from scoreboard.api.auth import Authenticator
from scoreboard.api.parameters import identifier, number
from scoreboard.api.players.ports import PlayerFinder
from scoreboard.api.written import for_caller
from scoreboard.domain.found_players import FoundPlayer, PlayerOnBoard
from scoreboard.domain.profiles import MAX_NAME
from scoreboard.errors import Forbidden, InvalidRequest

DEFAULT_FOUND = 20
MAX_FOUND = 100


def name_of(query: Mapping[str, str]) -> str:
    """How the names begin that a call looks for. Raises InvalidRequest."""
    name = query.get("name", "").strip()
    if not 1 <= len(name) <= MAX_NAME or "\0" in name:
        raise InvalidRequest(f"A name has 1 to {MAX_NAME} characters.", path="name")
    return name


class FoundPlayers(msgspec.Struct, frozen=True):
    """Players whose names begin as was asked, by name; ``more`` when there are others."""

    players: list[FoundPlayer]
    more: bool


class PlayersBoards(msgspec.Struct, frozen=True, rename="camel"):
    """The boards that have a total of the player, of those that the token allows, by name."""

    user_id: str
    boards: list[PlayerOnBoard]


class PlayerSearchHandlers:
    """The calls by which players are found."""

    def __init__(self, finder: PlayerFinder, authenticator: Authenticator) -> None:
        self._finder = finder
        self._authenticator = authenticator

    async def named(self, request: web.Request) -> web.Response:
        """Players by the beginning of their names."""
        principal = await self._authenticator.administrator(request)
        if principal.boards is not None:
            raise Forbidden("A token for some boards only can't look for names.")
        query = request.query
        name = name_of(query)
        limit = number(query.get("limit", str(DEFAULT_FOUND)), "limit", least=1, most=MAX_FOUND)
        found = await self._finder.named(name, limit + 1)
        return for_caller(FoundPlayers(found[:limit], len(found) > limit))

    async def boards(self, request: web.Request) -> web.Response:
        """One player on all boards."""
        principal = await self._authenticator.administrator(request)
        user = identifier(request.match_info["user"], "user")
        found = await self._finder.boards(user)
        allowed = [one for one in found if principal.may_moderate(one.board)]
        return for_caller(PlayersBoards(user, allowed))
