"""What the write path and the anomaly gate say to one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from scoreboard.domain.actions import ActionContext


class Case(msgspec.Struct, frozen=True, gc=False):
    """One action before the agents. ``at_ms`` is the agents' clock, ``received_ms`` the time of
    receipt, both Unix milliseconds."""

    user_id: str
    points: int
    at_ms: int
    received_ms: int
    context: ActionContext | None = None


class Reason(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Why an agent objected: the feature, its value, and the range usual for this user or board
    (None: open on that side). ``unit`` names what the numbers count."""

    agent: str
    feature: str
    value: float
    low: float | None = None
    high: float | None = None
    unit: str = ""


class Judgement(msgspec.Struct, frozen=True, gc=False):
    """The agents' verdict. ``profile`` and ``device`` are the memories to store when the action is
    accepted, ``profile_if_refused`` and ``device_if_refused`` when not; None stores nothing."""

    refused_by: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    profile: bytes | None = None
    device: bytes | None = None
    profile_if_refused: bytes | None = None
    device_if_refused: bytes | None = None


class Gate(Protocol):
    """Judges a batch in order: a user's later action sees the memory left by the earlier one. With
    ``accept_refused`` (mode ``flag``) a refused action counts and is remembered like any other."""

    def judge(
        self,
        cases: Sequence[Case],
        profiles: Mapping[str, bytes | None],
        devices: Mapping[str, bytes | None],
        *,
        accept_refused: bool,
        allow_history: bool,
    ) -> list[Judgement]: ...
