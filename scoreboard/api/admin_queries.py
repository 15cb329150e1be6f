"""What calls of administrators have in common: how they are asked for a page of what has numbers,
newest first, and how they refuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scoreboard.api.operations import Parameter
from scoreboard.api.principals import Principal
from scoreboard.domain.boards import is_board_name
from scoreboard.errors import Forbidden, InvalidRequest

CURSOR = Parameter(
    "cursor",
    "query",
    {"type": "string", "pattern": "^[1-9][0-9]{0,17}$"},
    "next of the page before",
)

BAD_BODY: dict[int, tuple[str, Any]] = {
    400: ("invalid_request, named by path", "problem"),
    413: ("payload_too_large", "problem"),
    415: ("unsupported_media_type: send application/json, plain, gzip or deflate", "problem"),
}
# Of calls that are about all boards.
OF_ALL_BOARDS: dict[int, tuple[str, Any]] = {
    401: ("unauthorized: no usable token", "problem"),
    403: ("forbidden: the scope admin is missing, or the token is for some boards only", "problem"),
    503: ("unavailable: try again after Retry-After", "problem"),
}


def moderated_board(query: Mapping[str, str], principal: Principal) -> str | None:
    """The board that a query is to be about; None where it names none. Raises InvalidRequest and
    Forbidden."""
    board = query.get("board")
    if board is not None:
        if not is_board_name(board):
            raise InvalidRequest("This can't be the name of a board.", path="board")
        if not principal.may_moderate(board):
            raise Forbidden("The token does not allow moderating this board.")
    return board
