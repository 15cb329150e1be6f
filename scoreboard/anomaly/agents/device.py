"""The agent of what a user plays on, and who else does."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from scoreboard.anomaly.agent import NEVER, Agent, Feature, Scene
from scoreboard.anomaly.forest import Floats
from scoreboard.anomaly.memory.devices import DEVICE_MEMORY_S, is_unknown, short_hash

DAY_S: Final = 86_400

FEATURES: Final = (
    Feature("accounts", "accounts", "shares the device", 0.0, lambda v: 2.0**v),
    Feature(
        "switch",
        "s",
        "uses a device that another account has just used",
        math.log2(DAY_S / 120),
        lambda v: DAY_S / 2.0**v,
    ),
    Feature("new_devices", "devices", "brings many new devices", math.log1p(4), math.expm1),
    Feature("agent_change", "", "has another user agent on a known device", NEVER),
)


def look(scene: Scene) -> list[float] | None:
    """Needs the action's device."""
    case, profile, record = scene.case, scene.profile, scene.device
    context = case.context
    if context is None or context.device_id is None or record is None:
        return None
    at_s = case.at_ms // 1000
    since = at_s - DEVICE_MEMORY_S
    user, device = short_hash(case.user_id), short_hash(context.device_id)
    others = [last_s for other, last_s in record.accounts if other != user and last_s > since]
    known = next((d for d in profile.devices if d.device == device), None)
    recent = 0
    if known is None and profile.devices and is_unknown(profile, case):
        recent = 1 + sum(d.first_s > since for d in profile.devices[:-1])  # the last is the first
    changed = known is not None and known.agent != short_hash(context.user_agent or "")
    return [
        math.log2(1 + len(others)),
        max(0.0, math.log2(DAY_S / max(1, abs(at_s - max(others))))) if others else 0.0,
        math.log1p(recent),
        1.0 if changed else 0.0,
    ]


def novelties(columns: dict[str, Floats], rng: np.random.Generator) -> None:
    """Makes first new phones and updates."""
    phone = rng.random(len(columns["new_devices"])) < 0.5
    columns["new_devices"][phone] = np.log1p(1)
    columns["agent_change"][~phone] = 1.0


AGENT: Final = Agent("device", FEATURES, look, novelties=novelties)
