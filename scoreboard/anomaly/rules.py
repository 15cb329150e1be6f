"""The exact rules that hold beside the forests, with a model or without."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GateRules:
    """``max_ahead_ms`` is how far an action's own time may be ahead of the time of receipt,
    ``max_age_ms`` how far behind it; None allows a replay of history. ``max_speed_kmh`` is faster
    than any airliner, counted from door to door.
    """

    max_ahead_ms: int = 120_000
    max_age_ms: int | None = 86_400_000
    max_speed_kmh: float = 1_000.0
