"""What the write path asks the anomaly gate and what it is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

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


class Reason(msgspec.Struct, frozen=True):
    """Why an agent refused: a feature's value, in its unit, against the usual range."""

    agent: str
    feature: str
    value: float
    low: float
    high: float
    unit: str
    text: str


class Judgement(msgspec.Struct):
    """The gate's answer to one case.

    ``refused_by`` names the agents that refused; empty means that all approve or abstain.
    ``profile`` is the user's memory to store if the action counts, ``profile_if_refused`` the one
    to store if it is refused (None: nothing); the latter remembers the attempt, so that a burst is
    recognized to its end. ``device`` is the device's memory to store in either case, None when the
    action names no device. ``scores`` has each agent's suspicion: above 1 it refuses, None means
    that it abstains.
    """

    refused_by: tuple[str, ...]
    reasons: list[Reason]
    scores: dict[str, float | None]
    profile: bytes
    device: bytes | None = None
    profile_if_refused: bytes | None = None


class Gate(Protocol):
    """Judges a batch of one board, in order."""

    def judge(
        self,
        cases: Sequence[Case],
        profiles: Mapping[str, bytes | None],
        devices: Mapping[str, bytes | None],
        *,
        accept_refused: bool = False,
    ) -> list[Judgement]:
        """``profiles`` by user id and ``devices`` by device id are the memories from before the
        batch. A later action sees what an earlier one left, unless that was refused; with
        ``accept_refused`` (mode ``flag``) a refused action counts and is remembered like any
        other."""

    def recall(self, cases: Sequence[Case]) -> bytes:
        """The memory of a user whose latest accepted actions these are, in order."""


class Gates(Protocol):
    """The gates of a process."""

    async def gate(self, board: str, *, allow_history: bool) -> Gate:
        """The board's gate; with ``allow_history`` one that accepts actions of any age. Raises
        Unavailable while it is not known which model is in force."""
