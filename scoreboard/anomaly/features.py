"""What each agent looks at, as numbers.

Every feature is 0 when nothing is unusual and grows the stranger the action is. A forest isolates
values that are rare on either side, and nobody may be refused for being too ordinary.
``Feature.shown`` turns a value back into the unit that a reviewer reads.

The functions read the profile as it was before the action, except that the attempt itself is
already noted, so the tempo includes it. They return None when the agent's inputs are missing; the
agent then abstains.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from scoreboard.anomaly.profile import (
    DEVICE_MEMORY_S,
    RECENT_GAPS,
    SAME_PLACE_KM,
    SESSION_BREAK_S,
    STRANGER_S,
    DeviceRecord,
    Place,
    Profile,
    at_least,
    decayed_points,
    distance_km,
    high_run,
    points_bucket,
    same_place,
    short_hash,
)
from scoreboard.domain.judging import Case

LEAST_SHARE: Final = 1e-6
HOUR_PRIOR: Final = 20.0
POINTS_PRIOR: Final = 20.0
SESSIONS_PRIOR: Final = 5.0
"""The weight of the board's statistics, as a number of actions or sessions, against a user's own
history."""
DAY_S: Final = 86_400
LONG_GAP_S: Final = 600.0
LONG_ABSENCE_DAYS: Final = 30.0
PLAUSIBLE_KMH: Final = 800.0
"""Door to door; a first trip up to this speed is never a reason for refusal by itself."""
GPS_SLACK_KM: Final = 100.0
"""How far apart two reported locations of somebody who did not move may be."""


class BoardStatistics(msgspec.Struct, frozen=True):
    """The board's statistics in the training data. ``week_bits`` (168 values) and ``hour_share``
    (24 values) are per hour in UTC, the former from Monday 00:00. ``points_tail`` is, for each
    bucket of points, the share of actions with as many points or more. Session totals are stored as
    square roots."""

    week_bits: list[float]
    hour_share: list[float]
    points_low: int
    points_high: int
    points_tail: dict[int, float]
    session_mean: float
    session_variance: float


NEVER: Final = math.inf


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature of an agent. Up to ``alone``, the edge of the plausible, its value is never a
    reason for refusal by itself, however rare it was in training. ``shown`` converts a value to
    ``unit``. ``weight`` is the feature's part of the refusals, where most features have 1; evidence
    that grows slowly needs a larger part."""

    name: str
    unit: str
    about: str
    alone: float = 0.0
    shown: Callable[[float], float] = lambda value: value
    weight: float = 1.0


def haste(seconds: float) -> float:
    """Returns 0 for ten minutes or more, and the more the shorter the time is."""
    return max(0.0, math.log(LONG_GAP_S / max(0.01, seconds)))


def _back_from_haste(value: float) -> float:
    return LONG_GAP_S / math.exp(value)


FEATURES: Final[dict[str, tuple[Feature, ...]]] = {
    "time": (
        Feature("hour_of_user", "bits", "plays at an hour unusual for the user", 11.0),
        Feature("hour_of_board", "bits", "plays at an hour unusual for the board", NEVER),
        Feature("absence", "days", "comes back after an absence", NEVER, math.expm1),
        Feature("session", "hours", "plays without a break", 8.0),
    ),
    "location": (
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
        Feature("all_new", "bits", "is at a new place on a new device"),
    ),
    "device": (
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
    ),
    "behavior": (
        Feature("gap", "s", "acts too soon after the last", 0.0, _back_from_haste),
        Feature("last_five", "s", "made the last five actions too fast", 0.0, _back_from_haste),
        Feature("steady", "gaps", "acts at equal gaps"),
        Feature("actions_60", "actions", "acts too often in a minute"),
        Feature("actions_300", "actions", "acts too often in five minutes"),
        Feature("points_300", "points", "makes too many points in five minutes"),
        Feature("points", "bits", "makes more points than is usual for the user", 6.0),
        Feature(
            "high_run", "bits", "keeps making more points than is usual for the user", weight=4.0
        ),
        Feature("session_points", "deviations", "makes more points a session than usual", 5.0),
    ),
}
AGENTS: Final = tuple(FEATURES)


def time_features(profile: Profile, case: Case, board: BoardStatistics) -> list[float]:
    """The values of ``FEATURES["time"]``."""
    at = case.at_ms
    hour, hours = at // 3_600_000 % 24, profile.hours
    near = hours[hour - 1] + 2 * hours[hour] + hours[hour - 23]
    n = sum(hours)
    share = (near / 4 + HOUR_PRIOR * board.hour_share[hour]) / (n + HOUR_PRIOR)
    habit = n / (n + HOUR_PRIOR)
    away_s = (at - profile.seen_ms) / 1000 if profile.seen_ms else 0.0
    same_session = profile.seen_ms and away_s < SESSION_BREAK_S
    return [
        max(0.0, -math.log2(24 * share)) * habit,
        board.week_bits[(at // 3_600_000 + 72) % 168],
        math.log1p(min(LONG_ABSENCE_DAYS, max(0.0, away_s / DAY_S))),
        max(0, at - profile.session_start_ms) / 3_600_000 if same_session else 0.0,
    ]


def location_features(profile: Profile, case: Case) -> list[float] | None:
    """The values of ``FEATURES["location"]``; None without a position or a known place."""
    context, places = case.context, profile.places
    if context is None or context.latitude is None or context.longitude is None or not places:
        return None
    last, known, home = distances(profile, context.latitude, context.longitude)
    if home == 0.0 and last == 0.0:
        return [0.0] * 5
    new_country = context.country is not None and context.country not in profile.countries
    new_device = context.device_id is not None and is_unknown(profile, case)
    hours = max(60_000, case.at_ms - profile.placed_ms) / 3_600_000
    return [
        math.log1p(max(0.0, last - GPS_SLACK_KM) / hours),
        math.log1p(known),
        math.log1p(home),
        1.0 if new_country and profile.countries else 0.0,
        _news_bits(profile, known, new_country) if new_device and known else 0.0,
    ]


def distances(profile: Profile, latitude: float, longitude: float) -> tuple[float, float, float]:
    """Returns the km to the last place, to the nearest known place and to the usual place. A
    distance is 0 when the position is at that place."""

    def to(place: Place) -> float:
        if same_place(place, latitude, longitude):
            return 0.0
        return distance_km(latitude, longitude, place.latitude, place.longitude)

    places = profile.places
    last = to(places[0])
    home = max(places, key=_actions)
    from_home = last if home is places[0] else to(home)
    if last == 0.0 or from_home == 0.0:
        return last, 0.0, from_home
    return last, min(map(to, places)), from_home


def device_features(profile: Profile, case: Case, record: DeviceRecord) -> list[float] | None:
    """The values of ``FEATURES["device"]``; None without a device id."""
    context = case.context
    if context is None or context.device_id is None:
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


def behavior_features(profile: Profile, case: Case, board: BoardStatistics) -> list[float]:
    """The values of ``FEATURES["behavior"]``."""
    points = case.points
    gaps = profile.gaps_ms
    bucket = points_bucket(points)
    reached, of = at_least(profile, bucket)
    expected = POINTS_PRIOR * board.points_tail.get(bucket, LEAST_SHARE)
    share = (reached + expected) / (of + POINTS_PRIOR)
    new_session = case.at_ms - profile.seen_ms >= SESSION_BREAK_S * 1000
    s = profile.sessions
    usual = s * profile.session_mean + SESSIONS_PRIOR * board.session_mean
    spread = s * profile.session_variance + SESSIONS_PRIOR * board.session_variance
    total = math.sqrt(max(0, points + (0 if new_session else profile.session_points)))
    of_session = (total - usual / (s + SESSIONS_PRIOR)) / math.sqrt(
        spread / (s + SESSIONS_PRIOR) + 1e-6
    )
    return [
        haste(gaps[-1] / 1000) if gaps else 0.0,
        haste(sum(gaps) / 1000) if len(gaps) == RECENT_GAPS else 0.0,
        float(profile.steady),
        profile.actions_60,
        profile.actions_300,
        max(0.0, decayed_points(profile, case.at_ms) + points),
        -math.log2(share),
        0.0 if new_session else high_run(profile, points),
        max(0.0, of_session),
    ]


def is_unknown(profile: Profile, case: Case) -> bool:
    """Returns whether the device is new to the user. A device whose first refusal lies
    ``STRANGER_S`` seconds back or more no longer counts as new."""
    device = short_hash(case.context.device_id or "") if case.context else 0
    if any(known.device == device for known in profile.devices):
        return False
    waited = case.at_ms // 1000 - STRANGER_S
    return all(
        stranger != device or refused_s > waited for stranger, refused_s in profile.strangers
    )


def _news_bits(profile: Profile, away_km: float, new_country: bool) -> float:
    """Returns how surprising a new device so far from every known place is, in bits, as if the two
    were independent: the shares of the user's sessions that brought a new device, a new place and a
    new country, multiplied by a heavy-tailed probability of the distance."""
    sessions = profile.sessions + 2
    share = (profile.devices_seen + 1) / sessions * (profile.places_seen + 1) / sessions
    if new_country:
        share *= (len(profile.countries) + 1) / sessions
    return max(0.0, math.log2(away_km / SAME_PLACE_KM / share))


def _actions(place: Place) -> int:
    return place.actions
