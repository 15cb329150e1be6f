"""What each agent looks at, as numbers.

Every feature is 0 when there is nothing to remark and grows with strangeness: a forest isolates
what is rare on either side, and nobody may be refused for being too ordinary. ``shown`` turns a
value back into the unit that a reviewer reads.

The functions read the profile from before the action, but with its attempt noted (so tempo
includes it). They return None where the agent lacks its inputs: it abstains.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from scoreboard.anomaly.cases import Case
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
    short_hash,
)
from scoreboard.domain.actions import ActionContext

LEAST_SHARE: Final = 1e-6
HOUR_PRIOR: Final = 20.0
POINTS_PRIOR: Final = 20.0
SESSIONS_PRIOR: Final = 5.0
"""How many actions or sessions of the board's a user's own history has to outweigh."""
LONG_GAP_S: Final = 600.0
LONG_ABSENCE_DAYS: Final = 30.0
GPS_SLACK_KM: Final = 100.0
"""What two locations of somebody who did not move may differ by."""


class BoardStatistics(msgspec.Struct, frozen=True):
    """What training saw of the board. ``week_bits`` (168) and ``hour_share`` (24) are by hour UTC
    from Monday 00:00; ``points_tail`` is, by bucket, the share of actions that made as many points
    or more; session totals are square roots."""

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
    """``alone`` is the value up to which it is never a reason by itself, however rare in training:
    the edge of the plausible. ``shown`` turns a value into ``unit``."""

    name: str
    unit: str
    about: str
    alone: float = 0.0
    shown: Callable[[float], float] = lambda value: value


def haste(seconds: float) -> float:
    """0 from ten minutes on, growing as the time gets shorter."""
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
            "speed", "km/h", "moved too fast since the last action", math.log1p(800), math.expm1
        ),
        Feature("from_known", "km", "is far from every known place", NEVER, math.expm1),
        Feature("from_home", "km", "is far from the usual place", NEVER, math.expm1),
        Feature("new_country", "", "is in a country not seen before", NEVER),
    ),
    "device": (
        Feature("accounts", "accounts", "shares the device", 0.0, lambda v: 2.0**v),
        Feature(
            "switch", "s", "uses a device just used by another", 0.0, lambda v: 86_400 / 2.0**v
        ),
        Feature("new_devices", "devices", "brings many new devices", math.log1p(2), math.expm1),
        Feature("agent_change", "", "has another user agent on a known device", NEVER),
        Feature("new_device_away", "bits", "is on a new device at a new place"),
    ),
    "behavior": (
        Feature("gap", "s", "acts too soon after the last", 0.0, _back_from_haste),
        Feature("last_five", "s", "made the last five actions too fast", 0.0, _back_from_haste),
        Feature("steady", "gaps", "acts at equal gaps"),
        Feature("actions_60", "actions", "acts too often in a minute"),
        Feature("actions_300", "actions", "acts too often in five minutes"),
        Feature("points_300", "points", "makes too many points in five minutes"),
        Feature("points", "bits", "makes more points than is usual for the user", 6.0),
        Feature("high_run", "bits", "keeps making more points than is usual for the user"),
        Feature("session_points", "deviations", "makes more points a session than usual", 5.0),
    ),
}
AGENTS: Final = tuple(FEATURES)


def time_features(profile: Profile, case: Case, board: BoardStatistics) -> list[float]:
    at = case.at_ms
    hour, hours = at // 3_600_000 % 24, profile.hours
    near = hours[hour - 1] + 2 * hours[hour] + hours[hour - 23]
    share = (near / 4 + HOUR_PRIOR * board.hour_share[hour]) / (sum(hours) + HOUR_PRIOR)
    away_s = (at - profile.seen_ms) / 1000 if profile.seen_ms else 0.0
    same_session = profile.seen_ms and away_s < SESSION_BREAK_S
    return [
        max(0.0, -math.log2(24 * share)),
        board.week_bits[(at // 3_600_000 + 72) % 168],
        math.log1p(min(LONG_ABSENCE_DAYS, max(0.0, away_s / 86_400))),
        max(0, at - profile.session_start_ms) / 3_600_000 if same_session else 0.0,
    ]


def location_features(profile: Profile, case: Case) -> list[float] | None:
    context = case.context
    if context is None or not profile.places:
        return None
    latitude, longitude = context.latitude, context.longitude
    if latitude is None or longitude is None:
        return None
    new_country = context.country is not None and context.country not in profile.countries
    last, known, home = distances(profile, latitude, longitude)
    hours = max(60_000, case.at_ms - profile.placed_ms) / 3_600_000
    return [
        math.log1p(max(0.0, last - GPS_SLACK_KM) / hours),
        math.log1p(known),
        math.log1p(home),
        1.0 if new_country and profile.countries else 0.0,
    ]


def distances(profile: Profile, latitude: float, longitude: float) -> tuple[float, float, float]:
    """Km to the last place, to the nearest known one and to the usual one; 0 where it is that."""

    def to(place: Place) -> float:
        far = distance_km(latitude, longitude, place.latitude, place.longitude)
        return far if far > SAME_PLACE_KM else 0.0

    places = profile.places
    last = to(places[0])
    home = max(places, key=_actions)
    from_home = last if home is places[0] else to(home)
    if last == 0.0 or from_home == 0.0:
        return last, 0.0, from_home
    return last, min(map(to, places)), from_home


def device_features(profile: Profile, case: Case, record: DeviceRecord) -> list[float] | None:
    context = case.context
    if context is None or context.device_id is None:
        return None
    at_s = case.at_ms // 1000
    since = at_s - DEVICE_MEMORY_S
    device, user = short_hash(context.device_id), short_hash(case.user_id)
    others = [last_s for other, last_s in record.accounts if other != user and last_s > since]
    known = next((d for d in profile.devices if d.device == device), None)
    changed = known is not None and known.agent != short_hash(context.user_agent or "")
    new = known is None and not any(
        device == stranger and at_s - refused_s > STRANGER_S
        for stranger, refused_s in profile.strangers
    )
    recent = 0
    if new and profile.devices:
        recent = 1 + sum(d.first_s > since for d in profile.devices[:-1])  # the last is the first
    return [
        math.log2(1 + len(others)),
        max(0.0, math.log2(86_400 / max(1, abs(at_s - max(others))))) if others else 0.0,
        math.log1p(recent),
        1.0 if changed else 0.0,
        _news_bits(profile, context) if new else 0.0,
    ]


def behavior_features(profile: Profile, case: Case, board: BoardStatistics) -> list[float]:
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


def _news_bits(profile: Profile, context: ActionContext) -> float:
    """How surprising an unknown device at an unknown place is, were the two independent: the
    user's share of sessions that brought one, the same of countries, and the distance (a heavy
    tail). 0 where the place is known."""
    if context.latitude is None or context.longitude is None:
        return 0.0
    sessions = profile.sessions
    away = distances(profile, context.latitude, context.longitude)[1] if profile.places else 0.0
    if away == 0.0:
        return 0.0
    new_device = (profile.devices_seen + 1) / (sessions + 2)
    new_place = (profile.places_seen + 1) / (sessions + 2)
    new_country = 1.0
    if context.country is not None and context.country not in profile.countries:
        new_country = (len(profile.countries) + 1) / (sessions + 2)
    return max(0.0, math.log2(away / SAME_PLACE_KM / new_device / new_place / new_country))


def _actions(place: Place) -> int:
    return place.actions
