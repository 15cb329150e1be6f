"""The calls about webhooks, for the table that routes and describes them."""

from __future__ import annotations

from typing import Any

from scoreboard.api.admin import DEFAULT_LIMIT, MAX_LIMIT
from scoreboard.api.admin_queries import BAD_BODY, CURSOR, OF_ALL_BOARDS
from scoreboard.api.operations import Operation, Parameter
from scoreboard.api.tokens import ADMIN
from scoreboard.api.webhooks import (
    AddedWebhook,
    DeliveryPage,
    Retried,
    RetriedDeliveries,
    WebhookHandlers,
    WebhookList,
)
from scoreboard.domain.webhooks import DELIVERY_STATES, NewWebhook, Webhook, WebhookSecret

_ID = Parameter("id", "path", {"type": "integer", "minimum": 1})
_PAGING = (
    Parameter("state", "query", {"type": "string", "enum": list(DELIVERY_STATES)}, "default: any"),
    CURSOR,
    Parameter(
        "limit",
        "query",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    ),
)
_NONE: dict[int, tuple[str, Any]] = {404: ("not_found", "problem")}


def webhook_operations(handlers: WebhookHandlers) -> list[Operation]:
    """Setting webhooks up, and what became of their deliveries."""
    webhooks = "/api/admin/webhooks"
    one = f"{webhooks}/{{id}}"

    def call(
        method: str, path: str, name: str, handler: Any, summary: str, answers: Any, **more: Any
    ) -> Operation:
        return Operation(
            method, path, name, handler, summary, answers, scopes=(ADMIN,), tag="admin", **more
        )

    return [
        call(
            "POST", webhooks, "add_webhook", handlers.add,
            "Have outsiders told of events; the answer alone shows the secret",
            {201: ("Told of every event from now on", AddedWebhook), **BAD_BODY, **OF_ALL_BOARDS,
             409: ("too_many_webhooks", "problem")},
            body=NewWebhook,
            example={"url": "https://example.com/hooks", "events": ["occurrence.closed"]},
        ),
        call(
            "GET", webhooks, "list_webhooks", handlers.list, "All webhooks and how they fare",
            {200: ("The oldest first", WebhookList), **OF_ALL_BOARDS},
        ),
        call(
            "GET", one, "get_webhook", handlers.get, "A webhook and how it fares",
            {200: ("The webhook", Webhook), **OF_ALL_BOARDS, **_NONE}, parameters=(_ID,),
        ),
        call(
            "DELETE", one, "remove_webhook", handlers.remove,
            "Remove a webhook, with what it was not told yet",
            {204: ("Removed", None), **OF_ALL_BOARDS, **_NONE}, parameters=(_ID,),
        ),
        call(
            "POST", f"{one}/rotate", "rotate_webhook", handlers.rotate,
            "Give a webhook a new secret; for a day the one before signs too",
            {200: ("The secret, shown this once", WebhookSecret), **OF_ALL_BOARDS, **_NONE},
            parameters=(_ID,),
        ),
        call(
            "GET", f"{one}/deliveries", "list_deliveries", handlers.deliveries,
            "What became of a webhook's deliveries",
            {200: ("Newest first", DeliveryPage), 400: BAD_BODY[400], **OF_ALL_BOARDS, **_NONE},
            parameters=(_ID, *_PAGING),
        ),
        call(
            "POST", f"{one}/retry", "retry_deliveries", handlers.retry,
            "Send dead deliveries again, all or some",
            {200: ("Due now, and for another day", Retried), **BAD_BODY, **OF_ALL_BOARDS, **_NONE},
            body=RetriedDeliveries, body_optional=True, parameters=(_ID,),
        ),
    ]  # fmt: skip
