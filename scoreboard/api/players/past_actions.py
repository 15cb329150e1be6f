"""A player's actions as they are told, and the parameters by which some of them are asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from scoreboard.api.operations import Parameter
from scoreboard.api.paging import LIMIT
from scoreboard.domain.ledger import EventId
from scoreboard.domain.moments import LATEST_MS, moment_of
from scoreboard.domain.past import ActionStatus, PastAction
from scoreboard.errors import InvalidRequest

_EVENT = re.compile("([0-9]{1,16})-([0-9]{1,16})")
_START = re.compile("[1-9][0-9]{0,15}")

ACTIONS_LIMIT = replace(LIMIT, description="the most actions, hours or days that a page has")
AFTER_ACTION = Parameter(
    "after",
    "query",
    {"type": "string", "pattern": "^[0-9]{1,16}(-[0-9]{1,16})?$"},
    "`next` of the page before",
)


class LedgerAction(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An action of a player. ``event`` is the event by which it counts, or was refused, and ``at``
    when that was; ``occurredAt`` when it happened, as a game server said, else when it was
    received. ``score`` is the total right after it (null: it was refused). ``reverted`` is present
    when it was taken back: the event of that, and when. ``agents`` are those of the gate that
    refused it, for those who may know."""

    action_id: str
    event: str
    at: datetime
    points: int
    status: ActionStatus
    score: int | None
    occurred_at: datetime | UnsetType = UNSET
    reverted: str | UnsetType = UNSET
    reverted_at: datetime | UnsetType = UNSET
    agents: list[str] | UnsetType = UNSET


def told_action(action: PastAction) -> LedgerAction:
    """What is told of an action."""
    reverted = action.reverted
    more: dict[str, Any] = {}
    if action.occurred_ms is not None:
        more["occurred_at"] = moment_of(action.occurred_ms)
    if reverted is not None:
        more |= {"reverted": str(reverted), "reverted_at": moment_of(reverted.ms)}
    if action.agents:
        more["agents"] = list(action.agents)
    return LedgerAction(
        action_id=action.action_id,
        event=str(action.event),
        at=moment_of(action.event.ms),
        points=action.points,
        status=action.status,
        score=action.score,
        **more,
    )


def event_after(query: Mapping[str, str]) -> EventId | None:
    """The event that a page goes on behind. Raises InvalidRequest."""
    found = _after(query, _EVENT)
    return None if found is None else EventId(int(found[1]), int(found[2]))


def start_after(query: Mapping[str, str]) -> int | None:
    """The Unix ms before which a page of hours or days ends. Raises InvalidRequest."""
    found = _after(query, _START)
    return None if found is None else min(int(found[0]), LATEST_MS)


def _after(query: Mapping[str, str], pattern: re.Pattern[str]) -> re.Match[str] | None:
    text = query.get(AFTER_ACTION.name)
    found = None if text is None else pattern.fullmatch(text)
    if text is not None and found is None:
        raise InvalidRequest("after is no `next` of a page.", path="after")
    return found
