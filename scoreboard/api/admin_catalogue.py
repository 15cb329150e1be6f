"""The calls of moderators, for the table that routes and describes them."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from scoreboard.api.admin import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    AdminHandlers,
    BoardRemoval,
    BulkDecision,
    BulkResult,
    Confirmation,
    DecidedFeatures,
    Explanation,
    Revert,
    Reverted,
    ReviewPage,
    UserVisibility,
)
from scoreboard.api.admin_queries import BAD_BODY, CURSOR
from scoreboard.api.calendar import Calendar, CalendarHandlers, CalendarQuestion
from scoreboard.api.exports import FORMAT, WHAT, ExportHandlers
from scoreboard.api.imports import ImportHandlers, ImportResult, StandingsBatch
from scoreboard.api.occurrence_reads import OCCURRENCE, PERIOD
from scoreboard.api.operations import Operation, Parameter
from scoreboard.api.parameters import BOARD, USER
from scoreboard.api.token_admin import Revoked, TokenHandlers, TokenRevocation
from scoreboard.api.tokens import ADMIN
from scoreboard.api.told_settings import BoardRules
from scoreboard.domain.boards import BoardSettings, SettingsGiven
from scoreboard.domain.reviews import KINDS, STATUSES, Decision, ReviewDetails

_ID = Parameter("id", "path", {"type": "integer", "minimum": 1})
_CONFIRM = Parameter("confirm", "query", BOARD.schema, "the board's name, again")
_FILTERS = (
    Parameter("status", "query", {"type": "string", "enum": list(STATUSES)}, "default: any"),
    Parameter("kind", "query", {"type": "string", "enum": list(KINDS)}, "default: any"),
    Parameter("board", "query", BOARD.schema, "default: all boards that the token allows"),
    Parameter("user", "query", USER.schema, "default: any"),
    Parameter(
        "episodes",
        "query",
        {"type": "string", "enum": ["true", "false"], "default": "false"},
        "whether of an episode only the newest case of each status is listed",
    ),
    CURSOR,
    Parameter(
        "limit",
        "query",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    ),
)

# All settings of a board, so that it may be put on one that exists.
_WHOLE = {
    **{one.encode_name: one.default for one in structs.fields(BoardSettings)},
    "mode": "flag",
    "ids": "nfc-visible",
    "zone": "Europe/Berlin",
    "shards": 1,
}

_REFUSALS: dict[int, tuple[str, Any]] = {
    401: ("unauthorized: no usable token", "problem"),
    403: ("forbidden: the scope admin is missing, or the board is not the token's", "problem"),
    503: ("unavailable, maybe half done: repeat the call after Retry-After", "problem"),
}
_HAS_SCORES = ("board_has_scores: the rule named by path can't change any more", "problem")
_DECIDED_ERRORS: dict[int, tuple[str, Any]] = {
    **BAD_BODY,
    **_REFUSALS,
    404: ("not_found", "problem"),
    409: ("already_decided, with the first decision; not_decidable", "problem"),
    422: ("score_out_of_range: nothing was decided", "problem"),
}
_DECIDED = {200: ("Decided", Decision), **_DECIDED_ERRORS}


def admin_operations(
    handlers: AdminHandlers,
    calendar: CalendarHandlers,
    tokens: TokenHandlers,
    exports: ExportHandlers,
    imports: ImportHandlers,
) -> list[Operation]:
    """Reviews, hidden users, boards' settings, exports and end, tokens."""
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
            **BAD_BODY,
            **_REFUSALS,
            404: ("unknown_board or unknown_user", "problem"),
        }
        path = f"{board}/users/{{user}}/{verb}"
        return call(
            "POST", path, f"{verb}_user", handler, summary, answers,
            body=Explanation, body_optional=True, parameters=(BOARD, USER),
        )  # fmt: skip

    def removal(method: str, path: str, name: str, handler: Any, summary: str) -> Operation:
        answers = {
            200: ("Done", BoardRemoval),
            202: ("Decided, and finished by a persister; 503 to all else until then", BoardRemoval),
            400: ("invalid_request: confirm does not name the board", "problem"),
            **_REFUSALS,
            404: ("unknown_board", "problem"),
        }
        return call(method, path, name, handler, summary, answers, parameters=(BOARD, _CONFIRM))

    return [
        call(
            "GET", reviews, "list_reviews", handlers.list_reviews, "The review queue",
            {200: ("Newest first", ReviewPage), 400: BAD_BODY[400], **_REFUSALS},
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
            "Let the action count", _DECIDED, body=Explanation, body_optional=True,
            example={"reason": "saw the replay"}, parameters=(_ID,),
        ),
        call(
            "POST", f"{reviews}/{{id}}/confirm", "confirm_review", handlers.confirm,
            "Keep the action out, or take it back", _DECIDED, body=Confirmation,
            body_optional=True, example={"reason": "a script", "hideUser": True},
            parameters=(_ID,),
        ),
        call(
            "POST", f"{reviews}:decide", "decide_reviews", handlers.decide,
            "Decide a selection of cases, or their episodes, in one call",
            {200: ("What became of each", BulkResult), **BAD_BODY, **_REFUSALS},
            body=BulkDecision, example={"ids": [1], "verdict": "confirmed", "reason": "a script"},
        ),
        call(
            "GET", "/api/admin/decisions", "get_decided_features", handlers.decided_features,
            "How often refusals were approved later, by agent and feature",
            {200: ("Of the last 90 days", DecidedFeatures), **_REFUSALS},
        ),
        call(
            "GET", board, "get_board_settings", handlers.get_board, "A board's settings",
            {200: ("All settings", BoardRules), **_REFUSALS, 404: ("unknown_board", "problem")},
            parameters=(BOARD,),
        ),
        call(
            "PUT", board, "put_board_settings", handlers.put_board,
            "Make a board, or replace all settings of one that exists",
            {200: ("In force from the next call on", BoardRules), **BAD_BODY, **_REFUSALS,
             400: ("invalid_request, named by path; on a board that exists, also when a setting "
                   "is missing: PATCH changes some", "problem"),
             409: _HAS_SCORES,
             404: ("unknown_board: not a board's name", "problem")},
            body=BoardSettings, example=_WHOLE, parameters=(BOARD,),
        ),
        call(
            "PATCH", board, "patch_board_settings", handlers.patch_board,
            "Change some of a board's settings",
            {200: ("In force from the next call on", BoardRules), **BAD_BODY, **_REFUSALS,
             404: ("unknown_board", "problem"), 409: _HAS_SCORES},
            body=SettingsGiven, example={"maxPoints": 100}, parameters=(BOARD,),
        ),
        call(
            "POST", "/api/admin/calendar", "preview_period", calendar.preview,
            "When the occurrences of a period would come; nothing is changed",
            {200: ("The open one or the next, and those that follow", Calendar),
             **BAD_BODY, **_REFUSALS},
            body=CalendarQuestion, example={"period": {"name": "week", "cron": "0 0 * * 1"}},
        ),
        call(
            "GET", f"{board}/export", "export_board", exports.export,
            "All standings or actions of a board, or of an occurrence, as of one moment",
            {200: ("CSV, or JSON in lines (application/x-ndjson): a head with the id of the last "
                   "event that it has, which the header Scoreboard-Watermark tells, too; then the "
                   "rows. Without its end, when the client or Postgres fails amid it", "*/*"),
             **_REFUSALS,
             400: ("invalid_request, named by path", "problem"),
             404: ("unknown_board, period_required, unknown_period, unknown_occurrence, or "
                   "occurrence_gone: its users are no longer kept", "problem"),
             503: ("unavailable, or enough exports are running: repeat the call after "
                   "Retry-After", "problem")},
            parameters=(BOARD, WHAT, FORMAT, PERIOD, OCCURRENCE),
        ),
        call(
            "POST", f"{board}/import", "import_standings", imports.take,
            "Take standings from elsewhere, some rows a call; again, it changes nothing",
            {200: ("What became of the rows", ImportResult), **BAD_BODY, **_REFUSALS,
             404: ("unknown_board", "problem"),
             409: ("gate_is_on: set the board's mode to off for the import", "problem"),
             503: ("unavailable or outcome_unknown, maybe half done: repeat the call after "
                   "Retry-After", "problem")},
            body=StandingsBatch, parameters=(BOARD,),
            example={"source": "season.csv", "rows": [{"userId": "ada", "score": "1234"}]},
        ),
        call(
            "POST", "/api/admin/tokens/revoke", "revoke_token", tokens.revoke,
            "Revoke a token, or all of a subject that were issued before a moment",
            {200: ("Refused from now on; within a second by every process", Revoked),
             **BAD_BODY, **_REFUSALS},
            body=TokenRevocation, example={"jti": "7f1c09", "reason": "lost"},
        ),
        call(
            "POST", f"{board}/users/{{user}}/revert", "revert_action", handlers.revert_action,
            "Take back an action that counts, from all tables in which it does",
            {200: ("Taken back, and audited", Reverted), **_DECIDED_ERRORS,
             404: ("unknown_board; not_found: the user has no such action that counted",
                   "problem"),
             409: ("already_decided: it was taken back before; not_decidable: a case about it is "
                   "open, or the ledger keeps no single actions of that time", "problem")},
            body=Revert, example={"actionId": "match-7:kill-31", "reason": "a script"},
            parameters=(BOARD, USER),
        ),
        visibility("hide", handlers.hide_user, "Hide a user; the total goes on counting"),
        visibility("show", handlers.show_user, "Show a hidden user again"),
        removal("POST", f"{board}/clear", "clear_board", handlers.clear_board,
                "Delete all scores of a board, with their ledger; its settings stay"),
        removal("DELETE", board, "delete_board", handlers.delete_board,
                "Delete a board with its ledger"),
    ]  # fmt: skip
