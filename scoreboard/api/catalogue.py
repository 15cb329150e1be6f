"""The table of the API's calls, from which they are both routed and described."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from scoreboard.api.answers import Accepted
from scoreboard.api.board_reads import (
    DEFAULT_RADIUS,
    MAX_RADIUS,
    BoardHandlers,
    Lookup,
    Neighbours,
    TopScores,
)
from scoreboard.api.health import HealthHandlers, Readiness
from scoreboard.api.live.websockets import LiveLeaderboard, TicketReply
from scoreboard.api.operations import Operation, Parameter
from scoreboard.api.parameters import BOARD, USER
from scoreboard.api.scores import ScoreHandlers
from scoreboard.api.tokens import BOARD_READ, SCORE_SUBMIT, SCORE_WRITE
from scoreboard.domain.actions import ActionBatch, ScoreAction, UserList
from scoreboard.domain.boards import BOARD_PATTERN
from scoreboard.domain.standings import Standing

_BOARD_QUERY = Parameter(
    "board",
    "query",
    {"type": "string", "pattern": f"^{BOARD_PATTERN}$"},
    "default: the default board",
)
_RADIUS = Parameter(
    "radius",
    "query",
    {"type": "integer", "minimum": 0, "maximum": MAX_RADIUS, "default": DEFAULT_RADIUS},
)
_PREFER = Parameter(
    "Prefer",
    "header",
    {"type": "string", "examples": ["durability=postgres"]},
    "durability=redis, replica, disk or postgres: the level to wait for",
)

_BAD_BODY = {
    400: ("invalid_request: malformed JSON or a field out of bounds, named by path", "problem"),
    413: ("payload_too_large", "problem"),
    415: ("unsupported_media_type: send application/json", "problem"),
}
_UNAVAILABLE = {503: ("unavailable: try again after Retry-After", "problem")}
_NO_BOARD = {404: ("unknown_board", "problem")}
_NO_TOKEN = {401: ("unauthorized: no usable token", "problem")}

_ONE: dict[int, tuple[str, Any]] = {
    200: ("Accepted; score is the new total", Accepted),
    202: ("Applied, but the durability asked for was not reached in time", Accepted),
    **_BAD_BODY,
    **_NO_TOKEN,
    403: ("forbidden, or anomaly_rejected with the agents that refused", "problem"),
    **_NO_BOARD,
    409: ("duplicate_action with the original score, or action_conflict", "problem"),
    422: ("score_out_of_range or points_out_of_bounds", "problem"),
    429: ("rate_limited: try again after Retry-After", "problem"),
    503: ("unavailable: nothing was written; outcome_unknown: retry the same action", "problem"),
}


class BatchResults(Struct, frozen=True):
    """One entry for each action, in order: ``status`` with the members of the single call's answer,
    accepted or problem."""

    results: Annotated[
        list[dict[str, Any]],
        Meta(
            extra_json_schema={
                "items": {
                    "required": ["status"],
                    "anyOf": [
                        {"$ref": "#/components/schemas/Accepted"},
                        {"$ref": "#/components/schemas/Problem"},
                    ],
                }
            }
        ),
    ]


_MANY: dict[int, tuple[str, Any]] = {
    200: ("Each action's own answer, in order", BatchResults),
    **_BAD_BODY,
    **_NO_TOKEN,
    403: ("forbidden", "problem"),
    **_NO_BOARD,
    503: _ONE[503],
}


def operations(
    scores: ScoreHandlers, boards: BoardHandlers, live: LiveLeaderboard, health: HealthHandlers
) -> list[Operation]:
    """The calls of game servers, players and operators."""
    return [
        *_submissions(scores),
        *_reads(boards),
        *_live(live),
        Operation(
            "GET", "/healthz", "healthz", health.healthz, "Liveness",
            {200: ("The process runs", dict[str, str])}, tag="operation",
        ),
        Operation(
            "GET", "/readyz", "readyz", health.readyz, "Readiness and the state of each part",
            {200: ("Ready", Readiness), 503: ("Not ready", Readiness)}, tag="operation",
        ),
        Operation(
            "GET", "/metrics", "metrics", health.metrics, "Prometheus metrics",
            {200: ("Metrics of this process", "text/plain")}, tag="operation",
        ),
    ]  # fmt: skip


def _submissions(handlers: ScoreHandlers) -> list[Operation]:
    found = []
    for path, name, parameters in (
        ("/api", "", []),
        ("/api/boards/{board}", "_on_board", [BOARD]),
    ):
        shared: dict[str, Any] = {
            "parameters": [*parameters, _PREFER],
            "scopes": (SCORE_WRITE, SCORE_SUBMIT),
        }
        found.append(
            Operation(
                "POST", f"{path}/score", f"post_score{name}", handlers.post_score,
                "Submit one score action", _ONE, ScoreAction, **shared,
            )
        )  # fmt: skip
        found.append(
            Operation(
                "POST", f"{path}/scores", f"post_scores{name}", handlers.post_scores,
                "Submit up to 1,000 score actions; a bad one never fails the others",
                _MANY, ActionBatch, **shared,
            )
        )  # fmt: skip
    return found


def _reads(handlers: BoardHandlers) -> list[Operation]:
    refusals = {
        **_NO_TOKEN,
        403: ("forbidden", "problem"),
        404: ("unknown_board or unknown_user", "problem"),
        **_UNAVAILABLE,
    }
    bad = {400: ("invalid_request", "problem")}
    top = {200: ("The top 10", TopScores), 304: ("Not changed since the ETag", None), **refusals}
    base = "/api/boards/{board}"

    def read(
        path: str, name: str, handler: Any, summary: str, answers: Any, parameters: Sequence[Any]
    ) -> Operation:
        return Operation(
            "GET", path, name, handler, summary, answers,
            parameters=parameters, scopes=(BOARD_READ,), tag="boards",
        )  # fmt: skip

    return [
        read("/api/score/top", "get_top", handlers.get_top, "The top 10", top, ()),
        read(
            f"{base}/top", "get_top_of_board", handlers.get_top, "The top 10 of a board", top,
            (BOARD,),
        ),
        read(
            f"{base}/users/{{user}}", "get_user", handlers.get_user, "A user's standing",
            {200: ("Rank, score and percentile", Standing), **bad, **refusals}, (BOARD, USER),
        ),
        read(
            f"{base}/users/{{user}}/around", "get_around", handlers.get_around,
            "A user's neighbours", {200: ("By rank", Neighbours), **bad, **refusals},
            (BOARD, USER, _RADIUS),
        ),
        Operation(
            "POST", f"{base}/users:lookup", "lookup_users", handlers.lookup_users,
            "Standings of up to 500 listed users", {200: ("Standings", Lookup), **_BAD_BODY,
            **refusals}, UserList, (BOARD,), (BOARD_READ,), "boards",
        ),
    ]  # fmt: skip


def _live(handlers: LiveLeaderboard) -> list[Operation]:
    answers: dict[int, tuple[str, Any]] = {
        101: ("The WebSocket is open; messages are snapshot, update and heartbeat", None),
        400: ("Not a WebSocket handshake", "problem"),
        **_NO_TOKEN,
        403: ("forbidden: scope or Origin", "problem"),
        **_UNAVAILABLE,
    }
    ticket = Parameter("ticket", "query", {"type": "string"}, "from POST /api/ws-ticket")
    return [
        Operation(
            "GET", "/ws/leaderboard", "watch", handlers.leaderboard, "The live top 10", answers,
            parameters=(_BOARD_QUERY, ticket), tag="live",
        ),
        Operation(
            "GET", "/ws/boards/{board}", "watch_board", handlers.leaderboard,
            "The live top 10 of a board", answers, parameters=(BOARD, ticket), tag="live",
        ),
        Operation(
            "POST", "/api/ws-ticket", "issue_ticket", handlers.issue_ticket,
            "A one-use ticket that opens a WebSocket within 30 seconds",
            {200: ("The ticket", TicketReply), **_NO_TOKEN, 403: ("forbidden", "problem"),
             **_UNAVAILABLE},
            scopes=(BOARD_READ,), tag="live",
        ),
    ]  # fmt: skip
