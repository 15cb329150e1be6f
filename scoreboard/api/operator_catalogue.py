"""The calls of operators, for the table that routes and describes them."""

from __future__ import annotations

from typing import Any

from scoreboard.api.admin import DEFAULT_LIMIT, MAX_LIMIT
from scoreboard.api.admin_queries import BAD_BODY, CURSOR, OF_ALL_BOARDS
from scoreboard.api.audit_trail import DECISION, AuditHandlers, AuditPage
from scoreboard.api.dead_letters import (
    DEFAULT_LETTERS,
    LETTERS_CURSOR,
    MAX_LETTERS,
    DeadEntries,
    DeadLetterHandlers,
    RetriedEntries,
    RetryResult,
)
from scoreboard.api.gate_models import GateModels, ModelHandlers
from scoreboard.api.health_admin import HealthReports, ServiceHealth
from scoreboard.api.operations import Operation, Parameter
from scoreboard.api.parameters import BOARD, FROM, TO, USER
from scoreboard.api.tokens import ADMIN
from scoreboard.domain.gate_models import Activated, HeldBack

_VERSION = Parameter("version", "path", {"type": "integer", "minimum": 1})
_LETTERS = Parameter(
    "limit",
    "query",
    {"type": "integer", "minimum": 1, "maximum": MAX_LETTERS, "default": DEFAULT_LETTERS},
)
_AUDITED = (
    Parameter("actor", "query", USER.schema, "who did it: a token's subject; default: any"),
    Parameter(
        "decision",
        "query",
        {"type": "string", "pattern": f"^{DECISION}$"},
        "what was done, such as board_set; default: any",
    ),
    Parameter("board", "query", BOARD.schema, "default: all that the token allows"),
    Parameter("user", "query", USER.schema, "the player whom it was about; default: any"),
    FROM,
    TO,
    CURSOR,
    Parameter(
        "limit",
        "query",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    ),
)
_BAD_QUERY: dict[int, tuple[str, Any]] = {400: ("invalid_request, named by path", "problem")}


def operator_operations(
    reports: HealthReports,
    letters: DeadLetterHandlers,
    audit: AuditHandlers,
    models: ModelHandlers,
) -> list[Operation]:
    """The service's health, what could not be written, the audit, the gate's models."""
    dead = "/api/admin/dead-letters"

    def call(
        method: str, path: str, name: str, handler: Any, summary: str, answers: Any, **more: Any
    ) -> Operation:
        return Operation(
            method, path, name, handler, summary, answers, scopes=(ADMIN,), tag="admin", **more
        )

    return [
        call(
            "GET", "/api/admin/health", "get_health", reports.get_health,
            "How the service fares: its parts, how much it answers, and how fast",
            {200: ("Its state, ready or not", ServiceHealth), **OF_ALL_BOARDS},
        ),
        call(
            "GET", dead, "list_dead_letters", letters.list, "What could not be written",
            {200: ("The oldest first", DeadEntries), **_BAD_QUERY, **OF_ALL_BOARDS},
            parameters=(_LETTERS, LETTERS_CURSOR),
        ),
        call(
            "POST", f"{dead}/retry", "retry_dead_letters", letters.retry,
            "Write entries again, all or some, once the cause of their error is gone",
            {200: ("What became of each", RetryResult), **BAD_BODY, **OF_ALL_BOARDS},
            body=RetriedEntries, body_optional=True,
        ),
        call(
            "GET", "/api/admin/audit", "list_audit", audit.list,
            "What administrators and operators did",
            {200: ("Newest first", AuditPage), **_BAD_QUERY, **OF_ALL_BOARDS}, parameters=_AUDITED,
        ),
        call(
            "GET", "/api/admin/models", "list_models", models.list,
            "The gate's newest models, and which are in force",
            {200: ("Newest first", GateModels), **OF_ALL_BOARDS},
        ),
        call(
            "POST", "/api/admin/models/{version}/activate", "activate_model", models.activate,
            "Put a model in force on its board, in place of the one that is",
            {200: ("Running servers follow within seconds", Activated), **OF_ALL_BOARDS,
             404: ("not_found", "problem")},
            parameters=(_VERSION,),
        ),
        call(
            "POST", "/api/admin/models/{version}/hold-back", "hold_model_back", models.hold_back,
            "Take a model out of force, if it is",
            {200: ("Running servers follow within seconds", HeldBack), **OF_ALL_BOARDS,
             404: ("not_found", "problem")},
            parameters=(_VERSION,),
        ),
    ]  # fmt: skip
