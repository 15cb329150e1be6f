"""The calls about players' pasts, for the table that routes and describes them."""

from __future__ import annotations

from typing import Any

from scoreboard.api.occurrence_reads import OCCURRENCE, PERIOD
from scoreboard.api.operations import Operation
from scoreboard.api.parameters import BOARD, FROM, TO, USER
from scoreboard.api.players.explanations import Explanation, ExplanationHandlers
from scoreboard.api.players.history import RESOLUTION, History, HistoryHandlers
from scoreboard.api.players.past_actions import ACTIONS_LIMIT, AFTER_ACTION
from scoreboard.api.tokens import ADMIN, BOARD_READ, SCORE_SUBMIT, SCORE_WRITE

_REFUSALS: dict[int, tuple[str, Any]] = {
    400: ("invalid_request", "problem"),
    401: ("unauthorized: no usable token", "problem"),
    403: ("forbidden", "problem"),
    404: (
        "unknown_board, unknown_user, unknown_period, unknown_occurrence, occurrence_gone, or "
        "period_required, which names the periods",
        "problem",
    ),
    503: (
        "too_expensive: the answer takes too long; unavailable: try again after Retry-After",
        "problem",
    ),
}


def past_operations(history: HistoryHandlers, explanations: ExplanationHandlers) -> list[Operation]:
    """The calls about players' pasts."""
    user = "/api/boards/{board}/users/{user}"
    pages = (ACTIONS_LIMIT, AFTER_ACTION, PERIOD, OCCURRENCE)
    return [
        Operation(
            "GET", f"{user}/history", "get_history", history.get_history,
            "A player's score after each action, or at the end of each hour or day",
            {200: ("Newest first, and the cursor of the next page", History), **_REFUSALS},
            parameters=(BOARD, USER, FROM, TO, RESOLUTION, *pages),
            scopes=(BOARD_READ, SCORE_SUBMIT, SCORE_WRITE, ADMIN), tag="players",
        ),
        Operation(
            "GET", f"{user}/explain", "explain_rank", explanations.get_explanation,
            "Why a player stands where", {200: ("The explanation", Explanation), **_REFUSALS},
            parameters=(BOARD, USER, *pages), scopes=(SCORE_SUBMIT, SCORE_WRITE, ADMIN),
            tag="players",
        ),
    ]  # fmt: skip
