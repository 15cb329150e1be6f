"""The places and countries in which a user plays."""

from __future__ import annotations

import math
from typing import Final

from scoreboard.anomaly.memory.records import Place, Profile

SAME_PLACE_KM: Final = 100.0
"""Positions closer than this are one place: the range of a day's errands, and about as exact as
geolocation is."""
KM_A_DEGREE: Final = 111.2
MAX_PLACES: Final = 6
MAX_COUNTRIES: Final = 6


def distance_km(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Returns the great-circle distance in km between two points in degrees."""
    phi_a, phi_b = math.radians(lat_a), math.radians(lat_b)
    half = math.sin((phi_b - phi_a) / 2) ** 2
    half += math.cos(phi_a) * math.cos(phi_b) * math.sin(math.radians(lon_b - lon_a) / 2) ** 2
    return 12_742.0 * math.asin(min(1.0, math.sqrt(half)))


def same_place(place: Place, latitude: float, longitude: float) -> bool:
    """Returns whether the point, in degrees, is within ``SAME_PLACE_KM`` of the place."""
    degrees = abs(latitude - place.latitude) + abs(longitude - place.longitude)
    if degrees * KM_A_DEGREE < SAME_PLACE_KM:  # cheap, and never below the distance
        return True
    return distance_km(latitude, longitude, place.latitude, place.longitude) <= SAME_PLACE_KM


def learn_place(profile: Profile, latitude: float, longitude: float, *, late: bool = False) -> None:
    """Counts the action at its place and moves the place to the front, unless the action came
    ``late``: the first place is where the user was last. Drops the rarest place when there are too
    many."""
    places = profile.places
    for i, place in enumerate(places):
        if same_place(place, latitude, longitude):
            place.actions += 1
            if i and not late:
                profile.places = [place, *places[:i], *places[i + 1 :]]
            return
    front = 1 if late else 0
    places = [*places[:front], Place(round(latitude, 3), round(longitude, 3), 1), *places[front:]]
    profile.places_seen += 1
    if len(places) > MAX_PLACES:
        places.remove(min(places[front + 1 :], key=lambda place: place.actions))
    profile.places = places


def learn_country(profile: Profile, country: str) -> None:
    """Remembers a country; drops the one known for the longest when there are too many."""
    if country not in profile.countries:
        profile.countries = [*profile.countries, country][-MAX_COUNTRIES:]
