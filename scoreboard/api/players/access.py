"""Who may ask about a player."""

from __future__ import annotations

from aiohttp import web

from scoreboard.api.auth import Authenticator
from scoreboard.domain.boards import check_board_name
from scoreboard.errors import Forbidden


class PlayerAccess:
    """A player's own token, score:write and admin see everything of the player; who may read the
    board sees what counts, or counted. All methods raise UnknownBoard for what can't be a board,
    Unauthorized and Forbidden."""

    def __init__(self, authenticator: Authenticator, *, public_reads: bool) -> None:
        self._authenticator = authenticator
        self._public = public_reads

    async def check_reads(self, request: web.Request, board: str) -> None:
        """Returns when the caller may read the board."""
        check_board_name(board)
        if not self._public:
            await self._authenticator.check_reads(request, board)

    async def sees_everything(self, request: web.Request, board: str, user: str) -> bool:
        """True when the caller does; False for other readers."""
        check_board_name(board)
        if self._public and "Authorization" not in request.headers:
            return False
        principal = await self._authenticator.authenticate(request)
        if principal.may_submit_for(user, board) or principal.may_moderate(board):
            return True
        if not (self._public or principal.may_read(board)):
            raise Forbidden("The token does not allow reading this board.")
        return False

    async def require(self, request: web.Request, board: str, user: str) -> None:
        """Returns when the caller sees everything."""
        check_board_name(board)
        principal = await self._authenticator.authenticate(request)
        if not (principal.may_submit_for(user, board) or principal.may_moderate(board)):
            raise Forbidden("The token is neither this player's nor one for all players.")
