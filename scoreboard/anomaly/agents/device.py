"""The agent of what a user plays on, and who else does."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from scoreboard.anomaly.agent import NEVER, Agent, Feature, Scene
from scoreboard.anomaly.forest import Floats
from scoreboard.anomaly.memory.devices import (
    DEVICE_MEMORY_S,
    is_unknown,
    km_from_others,
    other_accounts,
    quick_switches,
    short_hash,
)
from scoreboard.anomaly.memory.records import KNOWN_ACTIONS
from scoreboard.anomaly.rules import GateRules
from scoreboard.domain.judging import Reason

NAME: Final = "device"
HOUSEHOLD: Final = 3
"""So many accounts may take turns on a device."""
FAR_KM: Final = 500.0
"""Who plays on one device is near it: a household has one home."""

FEATURES: Final = (
    Feature(
        "accounts",
        "accounts",
        "shares the device with many",
        math.log2(HOUSEHOLD),
        lambda v: 2.0**v,
    ),
    Feature("switch", "switches", "uses a device that changes hands within seconds", 4.0),
    Feature("new_devices", "devices", "brings many new devices", math.log1p(4), math.expm1),
    Feature("agent_change", "", "has another user agent on a known device", NEVER),
)


def look(scene: Scene) -> list[float] | None:
    """Needs the action's device."""
    case, profile, record = scene.case, scene.profile, scene.device
    context = case.context
    if context is None or context.device_id is None or record is None:
        return None
    since = case.at_ms // 1000 - DEVICE_MEMORY_S
    device = short_hash(context.device_id)
    known = next((d for d in profile.devices if d.device == device), None)
    recent = 0
    if known is None and profile.devices and is_unknown(profile, case):
        recent = 1 + sum(d.first_s > since for d in profile.devices[:-1])  # the last is the first
    changed = known is not None and known.agent != short_hash(context.user_agent or "")
    return [
        math.log2(1 + other_accounts(record, case)),
        quick_switches(record, case),
        math.log1p(recent),
        1.0 if changed else 0.0,
    ]


def rule(scene: Scene, row: list[float], rules: GateRules) -> Reason | None:
    """Refuses a known user on an unknown device on which others played far away just before, if it
    is nobody's own: the accounts of a farm keep their places but share the device."""
    case, profile, record = scene.case, scene.profile, scene.device
    others = row[0]
    if scene.board is None or record is None or not others:
        return None
    if profile.actions < KNOWN_ACTIONS or not is_unknown(profile, case):
        return None
    away_km = km_from_others(record, case)
    if away_km <= FAR_KM:
        return None
    about = "uses a new device that other accounts use far away"
    return Reason(NAME, "elsewhere", away_km, 0.0, FAR_KM, "km", about)


def novelties(columns: dict[str, Floats], rng: np.random.Generator) -> None:
    """Makes first new phones and updates, and devices that a household takes turns on."""
    n = len(columns["new_devices"])
    phone = rng.random(n) < 0.5
    columns["new_devices"][phone] = np.log1p(1)
    columns["agent_change"][~phone] = 1.0
    shared = rng.random(n) < 0.5
    columns["accounts"][shared] = np.log2(1 + rng.uniform(0, HOUSEHOLD - 1, shared.sum()))
    columns["switch"][shared] = rng.uniform(0, 2, shared.sum())


AGENT: Final = Agent(NAME, FEATURES, look, rule=rule, novelties=novelties)
