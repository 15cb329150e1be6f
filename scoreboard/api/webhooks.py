"""Webhooks as an administrator sets them up. A token for some boards only can't: a webhook is the
installation's."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from scoreboard.api.admin import DEFAULT_LIMIT, MAX_ID, MAX_LIMIT
from scoreboard.api.auth import Authenticator
from scoreboard.api.bodies import MODERATION, Bodies, decode
from scoreboard.api.parameters import choice, number
from scoreboard.api.ports import WebhookRecord
from scoreboard.api.principals import Principal
from scoreboard.api.written import for_caller
from scoreboard.domain.webhook_signatures import new_secret
from scoreboard.domain.webhook_targets import WebhookTargets
from scoreboard.domain.webhooks import (
    DELIVERY_STATES,
    Delivery,
    NewWebhook,
    Webhook,
    WebhookSecret,
)
from scoreboard.errors import Forbidden, InvalidRequest, NotFound

MAX_RETRIED = 200

_Message = Annotated[str, Meta(pattern=r"^msg_[0-9a-f]{32}$(?!\n)")]


class AddedWebhook(msgspec.Struct, frozen=True):
    """A new webhook with its secret, which is shown this once."""

    webhook: Webhook
    secret: str


class WebhookList(msgspec.Struct, frozen=True):
    """All webhooks, the oldest first."""

    webhooks: list[Webhook]


class DeliveryPage(msgspec.Struct, frozen=True):
    """Deliveries, newest first; ``next`` is the cursor of the page after, null on the last one."""

    deliveries: list[Delivery]
    next: str | None


class RetriedDeliveries(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which dead deliveries are sent again; null: all of the webhook."""

    deliveries: Annotated[list[_Message], Meta(min_length=1, max_length=MAX_RETRIED)] | None = None


class Retried(msgspec.Struct, frozen=True):
    """How many deliveries were dead and are sent again."""

    retried: int


_new = msgspec.json.Decoder(NewWebhook)
_which = msgspec.json.Decoder(RetriedDeliveries)


class WebhookHandlers:
    """The calls about webhooks."""

    def __init__(
        self,
        webhooks: WebhookRecord,
        targets: WebhookTargets,
        authenticator: Authenticator,
        bodies: Bodies,
    ) -> None:
        self._webhooks = webhooks
        self._targets = targets
        self._authenticator = authenticator
        self._bodies = bodies

    async def add(self, request: web.Request) -> web.Response:
        """Sets up a webhook."""
        principal = await self._administrator(request)
        new = decode(_new, await self._bodies.read(request, most=MODERATION))
        try:
            self._targets.check_url(new.url)
        except ValueError as error:
            raise InvalidRequest(str(error), path="url") from error
        secret = new_secret()
        webhook = await self._webhooks.add(new, secret, by=principal.subject)
        return for_caller(AddedWebhook(webhook, secret), status=201)

    async def list(self, request: web.Request) -> web.Response:
        """All webhooks and how they fare."""
        await self._administrator(request)
        return for_caller(WebhookList(await self._webhooks.all()))

    async def get(self, request: web.Request) -> web.Response:
        """One webhook."""
        await self._administrator(request)
        return for_caller(await self._webhooks.get(_number(request)))

    async def remove(self, request: web.Request) -> web.Response:
        """Removes a webhook with all that it was not told yet."""
        principal = await self._administrator(request)
        await self._webhooks.remove(_number(request), by=principal.subject)
        return web.Response(status=204)

    async def rotate(self, request: web.Request) -> web.Response:
        """Gives a webhook a new secret."""
        principal = await self._administrator(request)
        webhook, secret = _number(request), new_secret()
        await self._webhooks.rotate(webhook, secret, by=principal.subject)
        return for_caller(WebhookSecret(webhook, secret))

    async def deliveries(self, request: web.Request) -> web.Response:
        """What became of a webhook's deliveries."""
        await self._administrator(request)
        query = request.query
        state = choice(query.get("state"), DELIVERY_STATES, "state")
        limit = number(query.get("limit", str(DEFAULT_LIMIT)), "limit", least=1, most=MAX_LIMIT)
        cursor = query.get("cursor")
        before = None if cursor is None else number(cursor, "cursor", least=1, most=MAX_ID)
        found = await self._webhooks.deliveries(
            _number(request), state, before=before, limit=limit + 1
        )
        following = str(found[limit - 1][0]) if len(found) > limit else None
        return for_caller(DeliveryPage([delivery for _, delivery in found[:limit]], following))

    async def retry(self, request: web.Request) -> web.Response:
        """Sends dead deliveries again."""
        principal = await self._administrator(request)
        which = RetriedDeliveries()
        if request.can_read_body:
            which = decode(_which, await self._bodies.read(request, most=MODERATION))
        retried = await self._webhooks.retry(
            _number(request), which.deliveries, by=principal.subject
        )
        return for_caller(Retried(retried))

    async def _administrator(self, request: web.Request) -> Principal:
        principal = await self._authenticator.administrator(request)
        if principal.boards is not None:
            raise Forbidden("A token for some boards only can't set up webhooks.")
        return principal


def _number(request: web.Request) -> int:
    try:
        return number(request.match_info["id"], "id", least=1, most=MAX_ID)
    except InvalidRequest:
        raise NotFound("There is no such webhook.") from None
