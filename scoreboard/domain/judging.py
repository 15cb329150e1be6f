"""What the write path asks the anomaly gate and what it is answered."""

from __future__ import annotations

from datetime import date

import msgspec

from scoreboard.domain.actions import ActionContext


class Case(msgspec.Struct, gc=False):
    """An action as the agents see it.

    ``at_ms`` is the action's own time, the one that the agents look at; ``received_ms`` is the
    server's time of receipt. Both are epoch milliseconds in UTC.
    """

    user_id: str
    points: int
    at_ms: int
    received_ms: int
    context: ActionContext | None = None


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why an agent refused: a feature's value, in its unit, against the usual range. ``week`` is
    the Monday of the week that it is about, where it is not about the action."""

    agent: str
    feature: str
    value: float
    low: float
    high: float
    unit: str
    text: str
    week: date | None = None


class Judgement(msgspec.Struct):
    """The gate's answer to one case.

    ``refused_by`` names the agents that refused; empty means that all approve or abstain.
    ``profile`` is the user's memory to store if the action counts, ``profile_if_refused`` the one
    to store if it is refused (None: nothing); the latter remembers the attempt, so that a burst is
    recognized to its end. ``device`` is the device's memory to store in either case, None when the
    action names no device. ``scores`` has each agent's suspicion: above 1 it refuses, None means
    that it abstains. ``noted`` is what a person shall look at although the action counts:
    evidence that grew too slowly to refuse any one action.
    """

    refused_by: tuple[str, ...]
    reasons: list[Reason]
    scores: dict[str, float | None]
    profile: bytes
    device: bytes | None = None
    profile_if_refused: bytes | None = None
    noted: list[Reason] = []
