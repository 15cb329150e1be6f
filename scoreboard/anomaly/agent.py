"""What an agent of the gate is: its features, how it sees them, and its exact rules.

Every feature is 0 when nothing is unusual and grows the stranger the action is. A forest isolates
values that are rare on either side, and nobody may be refused for being too ordinary.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from scoreboard.anomaly.board import BoardStatistics
from scoreboard.anomaly.forest import Floats
from scoreboard.anomaly.memory.records import DeviceRecord, Profile
from scoreboard.anomaly.memory.standing import Standing
from scoreboard.anomaly.rules import GateRules
from scoreboard.domain.judging import Case, Reason

NEVER: Final = math.inf
"""For ``Feature.alone``: the forest alone decides."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature of an agent. ``about`` tells a reviewer what a high value says about the user.

    Up to ``alone``, the edge of the plausible, its value is never a reason for refusal by itself,
    however rare it was in training. ``shown`` converts a value to ``unit``, for reviewers.
    ``weight`` is the feature's part of the refusals, where most features have 1; evidence that
    grows slowly needs a larger part.
    """

    name: str
    unit: str
    about: str
    alone: float = 0.0
    shown: Callable[[float], float] = lambda value: value
    weight: float = 1.0


class Scene(msgspec.Struct, gc=False):
    """All that an agent may look at: an action and the memories as they were before it, except that
    the attempt itself is already noted, so the tempo includes it.

    ``device`` is None when the action names no device, ``board`` while the board has no model.
    """

    case: Case
    profile: Profile
    stands: Standing
    device: DeviceRecord | None
    board: BoardStatistics | None


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent as its file declares it, before any training.

    ``look`` returns the values of ``features``, in their order, or None when the inputs that they
    need are missing; the agent then abstains.

    ``doubt`` is an exact rule on the action alone, asked before any memory is changed: an action
    that it refuses is not reliable enough to be judged further or remembered. ``rule`` is an exact
    rule on the scene and the values from ``look``; it also holds without a model, if ``look``
    needs none. Both return None when they have no objection.

    ``novelties`` changes copies of training rows, given as one column per feature, into plausible
    novelties, of which a season may have too few for a forest to learn that they are ordinary.
    """

    name: str
    features: tuple[Feature, ...]
    look: Callable[[Scene], list[float] | None]
    doubt: Callable[[Case, GateRules], Reason | None] | None = None
    rule: Callable[[Scene, list[float], GateRules], Reason | None] | None = None
    novelties: Callable[[dict[str, Floats], np.random.Generator], None] | None = None
