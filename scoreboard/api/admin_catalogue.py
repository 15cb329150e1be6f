"""The calls of moderators, for the table that routes and describes them."""

from __future__ import annotations

from typing import Any

from scoreboard.api.admin import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    AdminHandlers,
    BoardRules,
    Confirmation,
    Explanation,
    ReviewPage,
    UserVisibility,
)
from scoreboard.api.operations import Operation, Parameter
from scoreboard.api.parameters import BOARD, USER
from scoreboard.api.tokens import ADMIN
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.reviews import KINDS, STATUSES, Decision, ReviewDetails

_ID = Parameter("id", "path", {"type": "integer", "minimum": 1})
_FILTERS = (
    Parameter("status", "query", {"type": "string", "enum": list(STATUSES)}, "default: any"),
    Parameter("kind", "query", {"type": "string", "enum": list(KINDS)}, "default: any"),
    Parameter("board", "query", {"type": "string"}, "default: all boards that the token allows"),
    Parameter("user", "query", {"type": "string"}, "default: any"),
    Parameter("cursor", "query", {"type": "string"}, "next of the page before"),
    Parameter(
        "limit",
        "query",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    ),
)

_REFUSALS: dict[int, tuple[str, Any]] = {
    401: ("unauthorized: no usable token", "problem"),
    403: ("forbidden: the scope admin is missing, or the board is not the token's", "problem"),
    503: ("unavailable, maybe half done: repeat the call after Retry-After", "problem"),
}
_BAD_BODY: dict[int, tuple[str, Any]] = {
    400: ("invalid_request, named by path", "problem"),
    413: ("payload_too_large", "problem"),
    415: ("unsupported_media_type: send application/json", "problem"),
}
_DECIDED: dict[int, tuple[str, Any]] = {
    200: ("Decided", Decision),
    **_BAD_BODY,
    **_REFUSALS,
    404: ("not_found", "problem"),
    409: ("already_decided, with the first decision; not_decidable", "problem"),
    422: ("score_out_of_range: nothing was decided", "problem"),
}


def admin_operations(handlers: AdminHandlers) -> list[Operation]:
    """Reviews, hidden users, boards' settings."""
    reviews = "/api/admin/reviews"
    board = "/api/admin/boards/{board}"

    def call(
        method: str, path: str, name: str, handler: Any, summary: str, answers: Any, **more: Any
    ) -> Operation:
        return Operation(
            method, path, name, handler, summary, answers, scopes=(ADMIN,), tag="admin", **more
        )

    def visibility(verb: str, handler: Any, summary: str) -> Operation:
        answers = {
            200: ("Whether the user is hidden now", UserVisibility),
            **_BAD_BODY,
            **_REFUSALS,
            404: ("unknown_board or unknown_user", "problem"),
        }
        path = f"{board}/users/{{user}}/{verb}"
        return call(
            "POST", path, f"{verb}_user", handler, summary, answers,
            body=Explanation, parameters=(BOARD, USER),
        )  # fmt: skip

    return [
        call(
            "GET", reviews, "list_reviews", handlers.list_reviews, "The review queue",
            {200: ("Newest first", ReviewPage), 400: _BAD_BODY[400], **_REFUSALS},
            parameters=_FILTERS,
        ),
        call(
            "GET", f"{reviews}/{{id}}", "get_review", handlers.get_review,
            "A case with what its user did lately",
            {200: ("The case", ReviewDetails), **_REFUSALS, 404: ("not_found", "problem")},
            parameters=(_ID,),
        ),
        call(
            "POST", f"{reviews}/{{id}}/approve", "approve_review", handlers.approve,
            "Let the action count", _DECIDED, body=Explanation, parameters=(_ID,),
        ),
        call(
            "POST", f"{reviews}/{{id}}/confirm", "confirm_review", handlers.confirm,
            "Keep the action out, or take it back", _DECIDED, body=Confirmation,
            parameters=(_ID,),
        ),
        call(
            "GET", board, "get_board_settings", handlers.get_board, "A board's settings",
            {200: ("All settings", BoardRules), **_REFUSALS, 404: ("unknown_board", "problem")},
            parameters=(BOARD,),
        ),
        call(
            "PUT", board, "put_board_settings", handlers.put_board,
            "Replace a board's settings, or make a board",
            {200: ("In force from the next call on", BoardRules), **_BAD_BODY, **_REFUSALS,
             404: ("unknown_board: not a board's name", "problem")},
            body=BoardSettings, parameters=(BOARD,),
        ),
        visibility("hide", handlers.hide_user, "Hide a user; the total goes on counting"),
        visibility("show", handlers.show_user, "Show a hidden user again"),
    ]  # fmt: skip
