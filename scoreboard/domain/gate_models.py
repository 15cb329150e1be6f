"""Trained models of the anomaly gate, as they are listed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class GateModel(msgspec.Struct, frozen=True, rename="camel"):
    """A model without its content. ``board`` is '' when it is for all boards without a model of
    their own; ``quality`` has measured figures by name; ``bytes`` is the model's size."""

    version: int
    board: str
    active: bool
    created: datetime
    trained_from: datetime | None
    trained_to: datetime | None
    false_alarm_rate: float
    quality: dict[str, Any]
    bytes: int


class Activated(msgspec.Struct, frozen=True):
    """A model that is in force on its board now, and the one that was before (null: none)."""

    version: int
    board: str
    replaced: int | None


class HeldBack(msgspec.Struct, frozen=True):
    """A model that is not in force on its board, and the one that judges there ``instead``, which
    is that for all boards without their own (null: none, so only the rules apply)."""

    version: int
    board: str
    instead: int | None
