"""Players who join a board before they play."""

from __future__ import annotations

import msgspec
from aiohttp import web

from scoreboard.api.auth import Authenticator
from scoreboard.api.bodies import ONE_ACTION, Bodies, decode
from scoreboard.api.pace import Pace
from scoreboard.api.players.erased import ErasedPlayers
from scoreboard.api.ports import BoardJoiner
from scoreboard.api.written import for_caller
from scoreboard.domain.actions import Identifier
from scoreboard.domain.boards import check_board_name
from scoreboard.errors import Forbidden, RateLimited


class Join(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Who joins."""

    user_id: Identifier


class Joined(msgspec.Struct, frozen=True, rename="camel"):
    """The user is in, now or before. Until the first score the user has no rank."""

    board: str
    user_id: str
    joined: bool = True


class JoinHandlers:
    """``player_pace`` is that of players' own tokens by subject."""

    def __init__(
        self,
        joiner: BoardJoiner,
        authenticator: Authenticator,
        bodies: Bodies,
        erased: ErasedPlayers,
        *,
        player_pace: Pace,
    ) -> None:
        self._joiner = joiner
        self._authenticator = authenticator
        self._bodies = bodies
        self._erased = erased
        self._player_pace = player_pace
        self._decoder = msgspec.json.Decoder(Join)

    async def join(self, request: web.Request) -> web.Response:
        """Lets a user in: the token's own, or with score:write any."""
        principal = await self._authenticator.authenticate(request)
        board = request.match_info["board"]
        check_board_name(board)
        body = await self._bodies.read(request, most=ONE_ACTION)
        user = decode(self._decoder, body).user_id
        if not principal.may_submit_for(user, board):
            raise Forbidden("The token does not allow this user to join this board.")
        self._erased.check(user)
        if not principal.is_trusted_on(board) and (
            wait := self._player_pace.wait(principal.subject)
        ):
            raise RateLimited(
                "This player's own token may make no further call yet.", retry_after=wait
            )
        await self._joiner.join(board, user)
        return for_caller(Joined(board, user))
