"""The calls about webhooks, for the table that routes and describes them."""

from __future__ import annotations

from typing import Any

from scoreboard.api.admin import DEFAULT_LIMIT, MAX_LIMIT
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
    Parameter(
        "cursor",
        "query",
        {"type": "string", "pattern": "^[1-9][0-9]{0,17}$"},
        "next of the page before",
    ),
    Parameter(
        "limit",
        "query",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    ),
)
_REFUSALS: dict[int, tuple[str, Any]] = {
    401: ("unauthorized: no usable token", "problem"),
    403: ("forbidden: the scope admin is missing, or the token is for some boards only", "problem"),
    503: ("unavailable: try again after Retry-After", "problem"),
}
_BAD_BODY: dict[int, tuple[str, Any]] = {
    400: ("invalid_request, named by path", "problem"),
    413: ("payload_too_large", "problem"),
    415: ("unsupported_media_type: send application/json, plain, gzip or deflate", "problem"),
}
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
            {201: ("Told of every event from now on", AddedWebhook), **_BAD_BODY, **_REFUSALS,
             409: ("too_many_webhooks", "problem")},
            body=NewWebhook,
            example={"url": "https://example.com/hooks", "events": ["occurrence.closed"]},
        ),
        call(
            "GET", webhooks, "list_webhooks", handlers.list, "All webhooks and how they fare",
            {200: ("The oldest first", WebhookList), **_REFUSALS},
        ),
        call(
            "GET", one, "get_webhook", handlers.get, "A webhook and how it fares",
            {200: ("The webhook", Webhook), **_REFUSALS, **_NONE}, parameters=(_ID,),
        ),
        call(
            "DELETE", one, "remove_webhook", handlers.remove,
            "Remove a webhook, with what it was not told yet",
            {204: ("Removed", None), **_REFUSALS, **_NONE}, parameters=(_ID,),
        ),
        call(
            "POST", f"{one}/rotate", "rotate_webhook", handlers.rotate,
            "Give a webhook a new secret; for a day the one before signs too",
            {200: ("The secret, shown this once", WebhookSecret), **_REFUSALS, **_NONE},
            parameters=(_ID,),
        ),
        call(
            "GET", f"{one}/deliveries", "list_deliveries", handlers.deliveries,
            "What became of a webhook's deliveries",
            {200: ("Newest first", DeliveryPage), 400: _BAD_BODY[400], **_REFUSALS, **_NONE},
            parameters=(_ID, *_PAGING),
        ),
        call(
            "POST", f"{one}/retry", "retry_deliveries", handlers.retry,
            "Send dead deliveries again, all or some",
            {200: ("Due now, and for another day", Retried), **_BAD_BODY, **_REFUSALS, **_NONE},
            body=RetriedDeliveries, body_optional=True, parameters=(_ID,),
        ),
    ]  # fmt: skip
