"""The table of the API's calls, from which they are both routed and described."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from msgspec import Meta, Struct

from scoreboard.api.answers import Accepted
from scoreboard.api.board_descriptions import (
    AFTER_BOARD,
    BOARDS_LIMIT,
    PREFIX,
    BoardPage,
    DescribedBoard,
)
from scoreboard.api.board_reads import (
    DEFAULT_RADIUS,
    MAX_RADIUS,
    SORT,
    BoardHandlers,
    Lookup,
    Neighbours,
    ScoreRank,
    StandingsPage,
    TopScores,
    UserPlace,
)
from scoreboard.api.health import HealthHandlers, Readiness
from scoreboard.api.joins import Join, Joined, JoinHandlers
from scoreboard.api.live.websockets import MOST_USERS, LiveLeaderboard, TicketReply
from scoreboard.api.occurrence_reads import (
    AFTER_OCCURRENCE,
    OCCURRENCE,
    OCCURRENCES_LIMIT,
    PERIOD,
    PERIOD_IN_PATH,
    OccurrencePage,
)
from scoreboard.api.operations import Operation, Parameter
from scoreboard.api.paging import AFTER, LIMIT, MIN_SCORE, RANK, SCORE
from scoreboard.api.parameters import BOARD, USER
from scoreboard.api.past_reads import AT
from scoreboard.api.rank_changes import DAY, DELTA
from scoreboard.api.scores import ScoreHandlers
from scoreboard.api.tokens import ADMIN, BOARD_READ, SCORE_SUBMIT, SCORE_WRITE
from scoreboard.domain.actions import ActionBatch, ScoreAction, UserList
from scoreboard.domain.boards import BOARD_PATTERN

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

_READERS = (BOARD_READ, ADMIN)

_ACTION = {"userId": "ada", "actionId": "match-7:kill-31", "points": 15}

_BAD_BODY = {
    400: ("invalid_request: malformed JSON or a field out of bounds, named by path", "problem"),
    413: ("payload_too_large", "problem"),
    415: ("unsupported_media_type: send application/json, plain, gzip or deflate", "problem"),
}
_UNAVAILABLE = {503: ("unavailable: try again after Retry-After", "problem")}
_NO_BOARD = {404: ("unknown_board", "problem")}
_NO_TOKEN = {401: ("unauthorized: no usable token", "problem")}

_ERASED: dict[int, tuple[str, Any]] = {
    410: ("erased: this player was erased; admit the id first if it is a new one's", "problem")
}

_ONE: dict[int, tuple[str, Any]] = {
    200: ("Accepted; score is the new total", Accepted),
    202: ("Applied, but the durability asked for was not reached in time", Accepted),
    **_BAD_BODY,
    **_NO_TOKEN,
    403: ("forbidden, not_joined, or anomaly_rejected with the agents that refused", "problem"),
    **_NO_BOARD,
    409: (
        "duplicate_action with the original score, action_conflict, board_closed, "
        "attempts_exhausted, or board_full",
        "problem",
    ),
    **_ERASED,
    422: ("score_out_of_range or points_out_of_bounds", "problem"),
    429: ("rate_limited or board_quota_exceeded: try again after Retry-After", "problem"),
    503: ("unavailable: nothing was written; outcome_unknown: retry the same action", "problem"),
}


_JOIN: dict[int, tuple[str, Any]] = {
    200: ("The user is in, now or before", Joined),
    **_BAD_BODY,
    **_NO_TOKEN,
    403: ("forbidden", "problem"),
    **_NO_BOARD,
    409: ("board_closed or board_full", "problem"),
    **_ERASED,
    429: ("rate_limited: try again after Retry-After", "problem"),
    503: ("unavailable, or outcome_unknown: make the same call again", "problem"),
}


class BatchResults(Struct, frozen=True):
    """One entry for each action, in order: ``status`` with the members of the single call's answer,
    accepted or problem."""

    results: list[
        Annotated[
            Any,
            Meta(
                extra_json_schema={
                    "type": "object",
                    "required": ["status"],
                    "properties": {"status": {"type": "integer"}},
                    "anyOf": [
                        {"$ref": "#/components/schemas/Accepted"},
                        {"$ref": "#/components/schemas/Problem"},
                    ],
                }
            ),
        ]
    ]


_MANY: dict[int, tuple[str, Any]] = {
    200: ("Each action's own answer, in order", BatchResults),
    **_BAD_BODY,
    **_NO_TOKEN,
    403: ("forbidden", "problem"),
    **_NO_BOARD,
    429: ("board_quota_exceeded: nothing was written", "problem"),
    503: _ONE[503],
}


def operations(
    scores: ScoreHandlers,
    joins: JoinHandlers,
    boards: BoardHandlers,
    live: LiveLeaderboard,
    health: HealthHandlers,
    *,
    observed_here: bool,
) -> list[Operation]:
    """The calls of game servers, players and operators. Unless ``observed_here``, /readyz and
    /metrics are answered on a port of their own."""
    return [
        *_submissions(scores),
        *_reads(boards),
        Operation(
            "POST", "/api/boards/{board}/join", "join_board", joins.join,
            "Join a board before playing", _JOIN, Join, example={"userId": "ada"},
            parameters=[BOARD], scopes=(SCORE_WRITE, SCORE_SUBMIT),
        ),
        *_live(live),
        Operation(
            "GET", "/healthz", "healthz", health.healthz, "Liveness",
            {200: ("The process runs", dict[str, str])}, tag="operation",
        ),
        *(_observation(health) if observed_here else ()),
    ]  # fmt: skip


def _observation(health: HealthHandlers) -> list[Operation]:
    return [
        Operation(
            "GET", "/readyz", "readyz", health.readyz, "Readiness and the state of each part",
            {200: ("Ready", Readiness), 503: ("Not ready", Readiness)}, tag="operation",
        ),
        Operation(
            "GET", "/metrics", "metrics", health.metrics, "Prometheus metrics",
            {200: ("Metrics of this process, or of all that share theirs", "text/plain")},
            tag="operation",
        ),
    ]  # fmt: skip


def _submissions(handlers: ScoreHandlers) -> list[Operation]:
    found = []
    for path, name, parameters in (
        ("/api", "", []),
        ("/api/boards/{board}", "_on_board", [BOARD]),
    ):
        where = " on a board" if parameters else ""
        shared: dict[str, Any] = {
            "parameters": [*parameters, _PREFER],
            "scopes": (SCORE_WRITE, SCORE_SUBMIT),
        }
        found.append(
            Operation(
                "POST", f"{path}/score", f"post_score{name}", handlers.post_score,
                f"Submit one score action{where}", _ONE, ScoreAction, example=_ACTION, **shared,
            )
        )  # fmt: skip
        found.append(
            Operation(
                "POST", f"{path}/scores", f"post_scores{name}", handlers.post_scores,
                f"Submit up to 1,000 score actions{where}; a bad one never fails the others",
                _MANY, ActionBatch, example={"actions": [_ACTION]}, **shared,
            )
        )  # fmt: skip
    return found


def _reads(handlers: BoardHandlers) -> list[Operation]:
    refusals = {
        **_NO_TOKEN,
        403: ("forbidden", "problem"),
        404: (
            "unknown_board, unknown_user, unknown_period, unknown_occurrence, occurrence_gone, or "
            "period_required, which names the periods",
            "problem",
        ),
        503: ("unavailable: try again after Retry-After; too_expensive: of the past", "problem"),
    }
    bad = {400: ("invalid_request", "problem")}
    top = {
        200: ("The top", TopScores),
        304: ("Not changed since the ETag", None),
        **bad,
        **refusals,
    }
    page = {
        200: ("Users in order of rank, and the cursor of the next page", StandingsPage),
        304: ("Not changed since the ETag", None),
        **bad,
        **refusals,
    }
    rank = {200: ("The rank that the score would have", ScoreRank), **bad, **refusals}
    of_period = (PERIOD, OCCURRENCE)
    pages = (LIMIT, AFTER, MIN_SCORE, RANK, *of_period)
    base = "/api/boards/{board}"

    def read(
        path: str, name: str, handler: Any, summary: str, answers: Any, parameters: Sequence[Any]
    ) -> Operation:
        return Operation(
            "GET", path, name, handler, summary, answers,
            parameters=parameters, scopes=_READERS, tag="boards",
        )  # fmt: skip

    return [
        # aiohttp tries the paths of boards in this order, half a microsecond each: those that are
        # asked for most come first.
        read(
            f"{base}/users/{{user}}", "get_user", handlers.get_user,
            "A user's standing, the one above and the way to the top 10",
            {200: ("Rank, score and percentile", UserPlace), **bad, **refusals},
            (BOARD, USER, AT, DELTA, *of_period),
        ),
        read(
            f"{base}/users/{{user}}/around", "get_around", handlers.get_around,
            "A user's neighbours", {200: ("By rank", Neighbours), **bad, **refusals},
            (BOARD, USER, _RADIUS, *of_period),
        ),
        read(
            "/api/boards", "get_boards", handlers.get_boards, "The boards, by name",
            {200: ("Boards, and the cursor of the next page", BoardPage), **bad, **_NO_TOKEN,
             403: ("forbidden", "problem"), **_UNAVAILABLE},
            (PREFIX, BOARDS_LIMIT, AFTER_BOARD),
        ),
        read(
            base, "get_board", handlers.get_board,
            "A board's rules, its periods, and how many users it shows",
            {200: ("The board", DescribedBoard), **refusals}, (BOARD,),
        ),
        read(
            f"{base}/periods/{{period}}/occurrences", "get_occurrences", handlers.get_occurrences,
            "The occurrences of a period, newest first",
            {200: ("Occurrences, and the cursor of the next page", OccurrencePage), **bad,
             **refusals}, (BOARD, PERIOD_IN_PATH, OCCURRENCES_LIMIT, AFTER_OCCURRENCE),
        ),
        read("/api/score/top", "get_top", handlers.get_top, "The top", top, (AT, *of_period)),
        read(
            f"{base}/top", "get_top_of_board", handlers.get_top, "The top of a board", top,
            (BOARD, AT, *of_period),
        ),
        read(
            "/api/score/standings", "get_standings", handlers.get_standings,
            "The standings, page by page", page, pages,
        ),
        read(
            f"{base}/standings", "get_standings_of_board", handlers.get_standings,
            "The standings of a board, page by page", page, (BOARD, *pages),
        ),
        read(
            "/api/score/rank", "get_rank", handlers.get_rank, "Where a score would stand", rank,
            (SCORE, *of_period),
        ),
        read(
            f"{base}/rank", "get_rank_on_board", handlers.get_rank,
            "Where a score would stand on a board", rank, (BOARD, SCORE, *of_period),
        ),
        Operation(
            "POST", f"{base}/users:lookup", "lookup_users", handlers.lookup_users,
            "Standings of up to 500 listed users", {200: ("Standings", Lookup), **_BAD_BODY,
            **refusals}, UserList, example={"userIds": ["ada", "bob"]},
            parameters=(BOARD, SORT, DAY, *of_period), scopes=_READERS, tag="boards",
        ),
    ]  # fmt: skip


def _live(handlers: LiveLeaderboard) -> list[Operation]:
    answers: dict[int, tuple[str, Any]] = {
        101: (
            "The WebSocket is open; messages are snapshot, update, closed and heartbeat, and of "
            "players standing and overtaken",
            None,
        ),
        400: ("Not a WebSocket handshake, or invalid_request: a field out of bounds", "problem"),
        **_NO_TOKEN,
        403: ("forbidden: scope or Origin", "problem"),
        426: ("upgrade_required: only Sec-WebSocket-Version 13 is spoken here", "problem"),
        **_UNAVAILABLE,
    }
    period = replace(PERIOD, description="a period: follows its latest occurrence")
    ticket = Parameter("ticket", "query", {"type": "string"}, "from POST /api/ws-ticket")
    users = Parameter(
        "user",
        "query",
        {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": 128},
            "maxItems": MOST_USERS,
        },
        "a player to follow; may be repeated",
    )
    return [
        Operation(
            "GET", "/ws/leaderboard", "watch", handlers.leaderboard, "The live top", answers,
            parameters=(_BOARD_QUERY, period, users, ticket), tag="live",
        ),
        Operation(
            "GET", "/ws/boards/{board}", "watch_board", handlers.leaderboard,
            "The live top of a board", answers, parameters=(BOARD, period, users, ticket),
            tag="live",
        ),
        Operation(
            "POST", "/api/ws-ticket", "issue_ticket", handlers.issue_ticket,
            "A one-use ticket that opens a WebSocket within 30 seconds",
            {200: ("The ticket", TicketReply), **_NO_TOKEN,
             403: ("forbidden: reads are not public, and board:read is lacking", "problem"),
             **_UNAVAILABLE},
            scopes=(BOARD_READ,), tag="live",
        ),
    ]  # fmt: skip
