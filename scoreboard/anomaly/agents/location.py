"""The agent of where a user plays."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from scoreboard.anomaly.agent import NEVER, Agent, Feature, Scene
from scoreboard.anomaly.forest import Floats
from scoreboard.anomaly.memory.devices import is_unknown
from scoreboard.anomaly.memory.hours import hour_of_day, near
from scoreboard.anomaly.memory.places import SAME_PLACE_KM, distance_km, same_place
from scoreboard.anomaly.memory.records import KNOWN_ACTIONS, Place, Profile
from scoreboard.anomaly.rules import GateRules
from scoreboard.domain.judging import Reason

NAME: Final = "location"
PLAUSIBLE_KMH: Final = 800.0
"""Door to door; a first trip up to this speed is never a reason for refusal by itself."""
GPS_SLACK_KM: Final = 100.0
"""How far apart two reported locations of somebody who did not move may be."""
MOST_HOUR_BITS: Final = 4.0
"""An hour alone is weak evidence, however quiet it is."""

FEATURES: Final = (
    Feature(
        "speed",
        "km/h",
        "moved too fast since the last action",
        math.log1p(PLAUSIBLE_KMH),
        math.expm1,
    ),
    Feature("from_known", "km", "is far from every known place", NEVER, math.expm1),
    Feature("from_home", "km", "is far from the usual place", NEVER, math.expm1),
    Feature("new_country", "", "is in a country not seen before", NEVER),
    Feature("all_new", "bits", "is at a new place on a new device", 10.5),
)


def look(scene: Scene) -> list[float] | None:
    """Needs the action's place and an earlier place of the user."""
    case, profile = scene.case, scene.profile
    context, places = case.context, profile.places
    if context is None or context.latitude is None or context.longitude is None or not places:
        return None
    last, known, home = _distances(profile, context.latitude, context.longitude)
    if home == 0.0 and last == 0.0:
        return [0.0] * 5
    new_country = context.country is not None and context.country not in profile.countries
    new_device = context.device_id is not None and is_unknown(profile, case)
    settled = profile.actions >= KNOWN_ACTIONS
    news = 0.0
    if new_device and known and settled:
        news = _news_bits(profile, known, new_country) + _hour_bits(scene)
    hours = max(60_000, abs(case.at_ms - profile.placed_ms)) / 3_600_000
    return [
        math.log1p(max(0.0, last - GPS_SLACK_KM) / hours),
        math.log1p(known),
        math.log1p(home),
        1.0 if new_country and profile.countries else 0.0,
        news,
    ]


def _distances(profile: Profile, latitude: float, longitude: float) -> tuple[float, float, float]:
    """Returns the km to the last place, to the nearest known place and to the usual place. A
    distance is 0 when the position is at that place."""

    def to(place: Place) -> float:
        if same_place(place, latitude, longitude):
            return 0.0
        return distance_km(latitude, longitude, place.latitude, place.longitude)

    places = profile.places
    last = to(places[0])
    if len(places) == 1:
        return last, last, last
    home = max(places, key=_actions)
    from_home = last if home is places[0] else to(home)
    if last == 0.0 or from_home == 0.0:
        return last, 0.0, from_home
    return last, min(map(to, places)), from_home


def _actions(place: Place) -> int:
    return place.actions


def _news_bits(profile: Profile, away_km: float, new_country: bool) -> float:
    """Returns how surprising a new device so far from every known place is, in bits, as if the two
    were independent: the shares of the user's sessions that brought a new device, a new place and a
    new country, multiplied by a heavy-tailed probability of the distance."""
    sessions = profile.sessions + 2
    share = (profile.devices_seen + 1) / sessions * (profile.places_seen + 1) / sessions
    if new_country:
        share *= (len(profile.countries) + 1) / sessions
    return max(0.0, math.log2(away_km / SAME_PLACE_KM / share))


def _hour_bits(scene: Scene) -> float:
    """Returns how seldom the board is played on at an hour of the week, if it is one at which the
    user never plays: a thief seldom keeps the hours of the account, a traveller mostly does."""
    at_ms = scene.case.at_ms
    if scene.board is None or near(scene.profile, hour_of_day(at_ms)):
        return 0.0
    return min(MOST_HOUR_BITS, scene.board.bits_at(at_ms))


def rule(scene: Scene, row: list[float], rules: GateRules) -> Reason | None:
    """Refuses a journey faster than an airliner's."""
    speed, most = math.expm1(row[0]), rules.max_speed_kmh
    if speed <= most:
        return None
    return Reason(NAME, "speed", speed, 0.0, most, "km/h", "moved faster than an airliner")


def novelties(columns: dict[str, Floats], rng: np.random.Generator) -> None:
    """Makes first trips."""
    n = len(columns["speed"])
    far = np.log1p(np.exp(rng.uniform(np.log(100), np.log(20_000), n)))
    columns["speed"][:] = np.log1p(rng.uniform(0, PLAUSIBLE_KMH, n))
    columns["from_known"][:] = columns["from_home"][:] = far
    columns["new_country"][:] = rng.integers(0, 2, n)
    columns["all_new"][:] = 0.0


AGENT: Final = Agent(NAME, FEATURES, look, rule=rule, novelties=novelties)
