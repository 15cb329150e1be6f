"""The hours of the day at which a user plays."""

from __future__ import annotations

from typing import Final

from scoreboard.anomaly.memory.records import STRANGER_S, Profile

HOURS_MEMORY: Final = 512
"""The histogram of hours is halved after this many actions, so that it follows changing habits."""
MAX_STRANGE_HOURS: Final = 6


def hour_of_day(at_ms: int) -> int:
    """Returns the hour of the day in UTC."""
    return at_ms // 3_600_000 % 24


def near(profile: Profile, hour: int) -> int:
    """Returns how many remembered actions came in this hour, times two, and in its neighbours."""
    hours = profile.hours
    return hours[hour - 1] + 2 * hours[hour] + hours[hour - 23]


def had_time_to_object(profile: Profile, at_ms: int) -> bool:
    """Returns whether the hour, or one beside it, was first refused ``STRANGER_S`` seconds ago or
    earlier: then it counts as a new habit of the user's."""
    hour, waited = hour_of_day(at_ms), at_ms // 1000 - STRANGER_S
    return any(
        (hour - strange + 1) % 24 <= 2 and refused_s <= waited
        for strange, refused_s in profile.strange_hours
    )


def learn_hour(profile: Profile, at_ms: int) -> None:
    """Updates the histogram with an accepted action that ``profile.actions`` already counts."""
    profile.hours[hour_of_day(at_ms)] += 1
    if profile.actions % HOURS_MEMORY == 0:
        profile.hours = [n // 2 for n in profile.hours]


def note_refused_hour(profile: Profile, at_ms: int) -> None:
    """Remembers when an hour at which the user never played was first refused."""
    hour, strange = hour_of_day(at_ms), profile.strange_hours
    if near(profile, hour) == 0 and all(hour != known for known, _ in strange):
        profile.strange_hours = [*strange[1 - MAX_STRANGE_HOURS :], (hour, at_ms // 1000)]
