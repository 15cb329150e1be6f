"""Webhooks: who outside is told of what, and what became of it. Field types are the validation and
the API's description."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal, NamedTuple, get_args

import msgspec
from msgspec import Meta

from scoreboard.domain.boards import BOARD_PATTERN
from scoreboard.domain.flaws import FieldFlaw

EventType = Literal["occurrence.closed", "review.opened", "player.erased", "top.changed"]
DeliveryState = Literal["waiting", "delivered", "dead"]

EVENT_TYPES: tuple[str, ...] = get_args(EventType)
DELIVERY_STATES: tuple[str, ...] = get_args(DeliveryState)

MAX_WEBHOOKS = 50  # of an installation
MAX_WATCHED = 50  # boards that one webhook names
MAX_URL = 2_000
DAY = 86_400

FIRST_PAUSE = 5.0  # seconds, at most, until the second attempt
LONGEST_PAUSE = 3_600.0

_BoardName = Annotated[str, Meta(pattern=rf"^{BOARD_PATTERN}$(?!\n)")]
_Line = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$(?!\n)")]


class NewWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A webhook as it is asked for. ``boards`` are those whose events it gets (null: all);
    ``interval`` is the least number of seconds between two ``top.changed`` of a table, which a
    webhook gets of boards that it names. With ``realIds`` players who are anonymous to readers
    stand in its messages by their ids; otherwise by the pseudonyms that readers see."""

    url: Annotated[str, Meta(min_length=1, max_length=MAX_URL)]
    events: Annotated[list[EventType], Meta(min_length=1, max_length=len(EVENT_TYPES))]
    boards: Annotated[list[_BoardName], Meta(min_length=1, max_length=MAX_WATCHED)] | None = None
    interval: Annotated[int, Meta(ge=1, le=DAY)] = 60
    description: _Line = ""
    real_ids: bool = msgspec.field(name="realIds", default=False)

    def __post_init__(self) -> None:
        for field in ("events", "boards"):
            if _repeats(getattr(self, field) or ()):
                raise FieldFlaw("Each once", field=field)
        if "top.changed" in self.events and self.boards is None:
            raise FieldFlaw("top.changed needs the names of its boards", field="boards")


def _repeats(texts: Iterable[str]) -> bool:
    listed = list(texts)
    return len(set(listed)) < len(listed)


class Webhook(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A webhook and how it fares. ``failingSince`` is null while its receiver takes what comes,
    otherwise ``failure`` says what the latest attempt met; ``formerSecretUntil`` is until when the
    secret before the latest rotation signs too."""

    id: int
    url: str
    events: list[EventType]
    boards: list[str] | None
    interval: int
    description: str
    real_ids: bool
    created: datetime
    failing_since: datetime | None
    failure: str | None
    former_secret_until: datetime | None
    waiting: int
    dead: int


class WebhookSecret(msgspec.Struct, frozen=True):
    """A webhook's secret, which is shown this once."""

    id: int
    secret: str


class Delivery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One event for one webhook. ``message`` is the id that the receiver sees, the same at each
    attempt; ``due`` is when the next attempt comes, null when none does; ``failure`` is what the
    latest attempt met; ``ended`` is when it was delivered, or given up."""

    message: str
    event: EventType
    board: str | None
    state: DeliveryState
    created: datetime
    attempts: int
    due: datetime | None
    failure: str | None
    ended: datetime | None


class DueDelivery(msgspec.Struct, frozen=True):
    """A delivery that this process has taken on. ``attempts`` counts this one; ``former`` is the
    secret that signs as well; ``taken`` is when it was taken on, by Postgres's clock, and the time
    that is signed."""

    id: int
    webhook: int
    url: str
    secret: str
    former: str | None
    real_ids: bool
    message: str
    event: str
    created: datetime
    data: bytes
    attempts: int
    taken: datetime

    @property
    def body(self) -> bytes:
        """The JSON text that is sent and signed."""
        return msgspec.json.encode(
            {"type": self.event, "timestamp": self.created, "data": msgspec.Raw(self.data)}
        )


class Failed(NamedTuple):
    """What a failed attempt led to: the delivery is given up, or its webhook begins to fail."""

    dead: bool
    first: bool


class WatchedTop(NamedTuple):
    """A table of which a webhook wants the top, and what tells that its board has changed."""

    webhook: int
    table: str
    seen: str


def longest_pause(attempts: int) -> float:
    """The most seconds until the next attempt when so many have failed. How many of them pass is
    left to chance, from none on, so that those who failed together do not come back together."""
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempts - 1, 20)))
