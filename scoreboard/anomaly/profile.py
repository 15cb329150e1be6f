"""What the agents remember of a user and of a device: small, bounded, and independent of a model.

Stored as msgpack arrays behind a format number. A payload of another format reads as no memory
at all; profiles are rebuilt from the ledger by folding its actions again.
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
"""Closer is the same place: a day's errands, and what geolocation can tell apart."""
KM_A_DEGREE: Final = 111.2
MAX_PLACES: Final = 6
MAX_COUNTRIES: Final = 6
MAX_DEVICES: Final = 6
MAX_ACCOUNTS: Final = 16
DEVICE_MEMORY_S: Final = 30 * 86_400.0
HOURS_MEMORY: Final = 512
"""Actions after which the histogram of hours is halved, so that habits may change."""
POINTS_MEMORY: Final = 400
SESSIONS_MEMORY: Final = 40
STEADY_TOLERANCE: Final = 0.01
"""Gaps within one percent of each other count as equal."""
STEADY_LONGEST_MS: Final = 3_600_000
RECENT_GAPS: Final = 4
STRANGER_S: Final = 86_400
"""How long a device that was refused stays suspicious for being new: as long as the review queue
has to decide. After that it is an ordinary new device, or nobody could ever move house."""
MAX_STRANGERS: Final = 4
KNOWN_ACTIONS: Final = 20
"""With fewer actions a user's usual points are not known yet."""
DRIFT_BITS: Final = 2.0
"""What an action's points may surprise by, on average, before a run of high points builds up: a
user's own points average at most 1.44 bits."""
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
    # Tempo: of every attempt, refused ones too, so that an episode goes on being seen as one.
    attempt_ms: int = 0
    gaps_ms: list[int] = []
    steady: int = 0
    actions_60: float = 0.0
    actions_300: float = 0.0
    strangers: list[tuple[int, int]] = []
    # The rest: of accepted actions only, so that nobody teaches the agents by being refused.
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
    """Which accounts a device was seen with: (short hash of the user, epoch seconds), newest
    first."""

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
    """Whether the point in degrees is at the place, give or take ``SAME_PLACE_KM``."""
    degrees = abs(latitude - place.latitude) + abs(longitude - place.longitude)
    if degrees * KM_A_DEGREE < SAME_PLACE_KM:  # never less than the distance, and cheap
        return True
    return distance_km(latitude, longitude, place.latitude, place.longitude) <= SAME_PLACE_KM


def points_bucket(points: int) -> int:
    """Up to 16 points each number has its bucket, then there are four to an octave."""
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
    """Move the tempo on by an attempt, whatever becomes of it.

    Actions may arrive late: the gap to one from before the last is as real as to one after.
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
    """Remember since when an unknown device has been refused, and a known one's user agent."""
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
    """Learn from an accepted action whose attempt has been noted."""
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
    """Note that the device was seen with the case's user, accepted or not."""
    user = short_hash(case.user_id)
    others = [account for account in record.accounts if account[0] != user]
    record.accounts = [(user, case.at_ms // 1000), *others][:MAX_ACCOUNTS]


def decayed_points(profile: Profile, at_ms: int) -> float:
    """Points of the last five minutes, older ones fading out."""
    return profile.points_300 * math.exp(-abs(at_ms - profile.seen_ms) / 300_000)


def at_least(profile: Profile, bucket: int) -> tuple[int, int]:
    """How many of the user's remembered actions made that many points or more, and of how many."""
    reached = of = 0
    for made, n in profile.points.items():
        of += n
        if made >= bucket:
            reached += n
    return reached, of


def high_run(profile: Profile, points: int) -> float:
    """The session's cumulative sum of surprise at high points (a one-sided CUSUM, in bits) with
    ``points`` added; 0 while the user's usual points are not known yet."""
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
    """Count the action at its place and move the place to the front; forget the rarest."""
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
