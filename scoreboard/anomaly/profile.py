"""What the agents remember of a user and of a device: small, bounded, and independent of a model.

Stored as msgpack arrays after a format number. A payload of another format is read as a blank
memory; profiles are rebuilt by folding the ledger's actions again.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache
from typing import Final

import msgspec

from scoreboard.domain.judging import Case

PROFILE_FORMAT: Final = 1
DEVICE_FORMAT: Final = 1

SESSION_BREAK_S: Final = 3 * 3600.0
"""A session ends with three hours without an action: shorter breaks are meals, not nights."""
SAME_PLACE_KM: Final = 100.0
"""Positions closer than this are one place: the range of a day's errands, and about as exact as
geolocation is."""
KM_A_DEGREE: Final = 111.2
MAX_PLACES: Final = 6
MAX_COUNTRIES: Final = 6
MAX_DEVICES: Final = 6
MAX_ACCOUNTS: Final = 16
DEVICE_MEMORY_S: Final = 30 * 86_400.0
HOURS_MEMORY: Final = 512
"""The histogram of hours is halved after this many actions, so that it follows changing habits."""
POINTS_MEMORY: Final = 400
SESSIONS_MEMORY: Final = 40
STEADY_TOLERANCE: Final = 0.01
"""Gaps within one percent of each other count as equal."""
STEADY_LONGEST_MS: Final = 3_600_000
RECENT_GAPS: Final = 4
STRANGER_S: Final = 86_400
"""How long a refused device stays suspicious for being new: the time that reviewers have to decide.
After that it counts as an ordinary new device; otherwise nobody could ever move house."""
MAX_STRANGERS: Final = 4
KNOWN_ACTIONS: Final = 20
"""A user's usual points count as unknown until there are this many actions."""
DRIFT_BITS: Final = 2.0
"""The average surprise per action, in bits, above which a run of high points builds up. A user's
own points average at most 1.44 bits."""
MAX_BUCKETS: Final = 24


class Place(msgspec.Struct, array_like=True, gc=False):
    """A place where the user played: degrees, and the number of actions there."""

    latitude: float
    longitude: float
    actions: int


class UserDevice(msgspec.Struct, array_like=True, gc=False):
    """A device of the user: short hashes of its id and user agent, epoch seconds."""

    device: int
    agent: int
    first_s: int
    last_s: int


class Profile(msgspec.Struct, array_like=True):
    """One user on one board. ``*_ms`` are epoch milliseconds of the agents' clock."""

    format: int = PROFILE_FORMAT
    actions: int = 0
    # Tempo, updated by every attempt, refused ones too, so that a burst is recognized to its end.
    attempt_ms: int = 0
    gaps_ms: list[int] = []
    steady: int = 0
    actions_60: float = 0.0
    actions_300: float = 0.0
    strangers: list[tuple[int, int]] = []
    # The rest, updated by accepted actions only: nobody may teach the agents by being refused.
    seen_ms: int = 0
    session_start_ms: int = 0
    session_points: int = 0
    sessions: int = 0
    session_mean: float = 0.0
    session_variance: float = 0.0
    points_300: float = 0.0
    points: dict[int, int] = {}
    high_run: float = 0.0
    hours: list[int] = msgspec.field(default_factory=lambda: [0] * 24)
    placed_ms: int = 0
    places: list[Place] = []
    countries: list[str] = []
    places_seen: int = 0
    devices: list[UserDevice] = []
    devices_seen: int = 0


class DeviceRecord(msgspec.Struct, array_like=True):
    """The accounts that a device was seen with, newest first: (short hash of the user, epoch
    seconds)."""

    format: int = DEVICE_FORMAT
    accounts: list[tuple[int, int]] = []


_encoder = msgspec.msgpack.Encoder()
_profiles = msgspec.msgpack.Decoder(Profile)
_devices = msgspec.msgpack.Decoder(DeviceRecord)
encode = _encoder.encode


def decode_profile(payload: bytes | None) -> Profile:
    """The profile in ``payload``; a blank one for None, another format or damaged bytes."""
    if payload is not None:
        try:
            profile = _profiles.decode(payload)
        except msgspec.DecodeError:
            return Profile()
        if profile.format == PROFILE_FORMAT:
            return profile
    return Profile()


def decode_device(payload: bytes | None) -> DeviceRecord:
    """The record in ``payload``; a blank one for None, another format or damaged bytes."""
    if payload is not None:
        try:
            record = _devices.decode(payload)
        except msgspec.DecodeError:
            return DeviceRecord()
        if record.format == DEVICE_FORMAT:
            return record
    return DeviceRecord()


@lru_cache(maxsize=16_384)
def short_hash(text: str) -> int:
    """48 bits that stand for an identifier: enough to tell a user's devices apart."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big")


def distance_km(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Great-circle distance between two points in degrees."""
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


def points_bucket(points: int) -> int:
    """Returns the bucket of a number of points: one per number up to 16, then four per octave."""
    size = abs(points)
    bucket = size if size <= 16 else 16 + int(4 * math.log2(size / 16))
    return bucket if points >= 0 else -bucket


def fold(payload: bytes | None, *cases: Case) -> bytes:
    """The stored profile after accepted actions: folding a user's ledger rebuilds a lost one."""
    profile = decode_profile(payload)
    for case in cases:
        note_attempt(profile, case)
        note_acceptance(profile, case)
    return encode(profile)


def fold_device(payload: bytes | None, case: Case) -> bytes:
    """The stored record of the case's device after it was seen with the case's user."""
    record = decode_device(payload)
    note_account(record, case)
    return encode(record)


def note_attempt(profile: Profile, case: Case) -> None:
    """Updates the tempo with an attempt, whether it is accepted or refused later.

    Actions may arrive late, so the gap to the last attempt counts in either direction of time.
    """
    if profile.attempt_ms:
        gap, gaps = abs(case.at_ms - profile.attempt_ms), profile.gaps_ms
        same = gaps and abs(gap - gaps[-1]) <= STEADY_TOLERANCE * gap and gap <= STEADY_LONGEST_MS
        profile.steady = profile.steady + 1 if same else 0
        profile.gaps_ms = [*gaps[1 - RECENT_GAPS :], gap]
        profile.actions_60 *= math.exp(-gap / 60_000)
        profile.actions_300 *= math.exp(-gap / 300_000)
    profile.attempt_ms = max(profile.attempt_ms, case.at_ms)
    profile.actions_60 += 1.0
    profile.actions_300 += 1.0


def note_refusal(profile: Profile, case: Case) -> None:
    """Remembers when an unknown device was first refused, and the user agent of a known device."""
    context = case.context
    if context is None or context.device_id is None:
        return
    device = short_hash(context.device_id)
    for known in profile.devices:
        if known.device == device:
            known.agent = short_hash(context.user_agent or "")
            return
    if all(stranger != device for stranger, _ in profile.strangers):
        noted = (device, case.at_ms // 1000)
        profile.strangers = [*profile.strangers[1 - MAX_STRANGERS :], noted]


def note_acceptance(profile: Profile, case: Case) -> None:
    """Updates the profile with an accepted action whose attempt has been noted."""
    at, points = case.at_ms, case.points
    break_ms = SESSION_BREAK_S * 1000
    if at - profile.seen_ms >= break_ms:
        _close_session(profile)
        profile.session_start_ms = at
    profile.session_points += points
    profile.points_300 = decayed_points(profile, at) + points
    profile.high_run = high_run(profile, points)
    profile.actions += 1
    _learn_points(profile, points)
    profile.hours[at // 3_600_000 % 24] += 1
    if profile.actions % HOURS_MEMORY == 0:
        profile.hours = [n // 2 for n in profile.hours]
    profile.seen_ms = max(profile.seen_ms, at)
    context = case.context
    if context is None:
        return
    if context.latitude is not None and context.longitude is not None:
        _learn_place(profile, context.latitude, context.longitude)
        profile.placed_ms = max(profile.placed_ms, at)
    if context.country is not None and context.country not in profile.countries:
        profile.countries = [*profile.countries, context.country][-MAX_COUNTRIES:]
    if context.device_id is not None:
        _learn_device(profile, context.device_id, context.user_agent or "", at // 1000)


def note_account(record: DeviceRecord, case: Case) -> None:
    """Notes that the device was seen with the case's user, whether the action is accepted or
    not."""
    user = short_hash(case.user_id)
    others = [account for account in record.accounts if account[0] != user]
    record.accounts = [(user, case.at_ms // 1000), *others][:MAX_ACCOUNTS]


def decayed_points(profile: Profile, at_ms: int) -> float:
    """Returns the points of the last five minutes, where older ones count less."""
    return profile.points_300 * math.exp(-abs(at_ms - profile.seen_ms) / 300_000)


def at_least(profile: Profile, bucket: int) -> tuple[int, int]:
    """Returns how many of the user's remembered actions made that many points or more, and the
    number of all remembered actions."""
    reached = of = 0
    for made, n in profile.points.items():
        of += n
        if made >= bucket:
            reached += n
    return reached, of


def high_run(profile: Profile, points: int) -> float:
    """Returns the session's cumulative surprise at high points (a one-sided CUSUM, in bits),
    including ``points``; 0 while the user's usual points are not known."""
    reached, of = at_least(profile, points_bucket(points))
    if of < KNOWN_ACTIONS:
        return 0.0
    return max(0.0, profile.high_run - math.log2((reached + 1) / (of + 2)) - DRIFT_BITS)


def _close_session(profile: Profile) -> None:
    if profile.session_start_ms:
        total = math.sqrt(max(0, profile.session_points))
        profile.sessions += 1
        weight = 1 / min(profile.sessions, SESSIONS_MEMORY)
        difference = total - profile.session_mean
        profile.session_mean += weight * difference
        profile.session_variance = (1 - weight) * (
            profile.session_variance + weight * difference * difference
        )
    profile.session_points = 0
    profile.high_run = 0.0


def _learn_points(profile: Profile, points: int) -> None:
    counts, bucket = profile.points, points_bucket(points)
    counts[bucket] = counts.get(bucket, 0) + 1
    if profile.actions % POINTS_MEMORY == 0:
        counts = {bucket: n // 2 for bucket, n in counts.items() if n > 1}
    if len(counts) > MAX_BUCKETS:
        rarest = min(counts, key=counts.__getitem__)
        counts = {bucket: n for bucket, n in counts.items() if bucket != rarest}
    profile.points = counts


def _learn_place(profile: Profile, latitude: float, longitude: float) -> None:
    """Counts the action at its place and moves the place to the front; drops the rarest place when
    there are too many."""
    places = profile.places
    for i, place in enumerate(places):
        if same_place(place, latitude, longitude):
            place.actions += 1
            if i:
                profile.places = [place, *places[:i], *places[i + 1 :]]
            return
    places = [Place(round(latitude, 3), round(longitude, 3), 1), *places]
    profile.places_seen += 1
    if len(places) > MAX_PLACES:
        places.remove(min(places[1:], key=lambda place: place.actions))
    profile.places = places


def _learn_device(profile: Profile, device_id: str, user_agent: str, at_s: int) -> None:
    device, agent = short_hash(device_id), short_hash(user_agent)
    for known in profile.devices:
        if known.device == device:
            known.agent, known.last_s = agent, max(known.last_s, at_s)
            return
    devices = [UserDevice(device, agent, at_s, at_s), *profile.devices]
    profile.devices_seen += 1
    if len(devices) > MAX_DEVICES:
        devices.remove(min(devices[1:], key=lambda device: device.last_s))
    profile.devices = devices
