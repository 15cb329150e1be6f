"""The memories as they are stored: of a user a profile, of a device the accounts seen on it.

Stored as msgpack arrays after a format number. A payload of another format is read as a blank
memory; profiles are rebuilt by folding the ledger's actions again.
"""

from __future__ import annotations

from typing import Final

import msgspec

PROFILE_FORMAT: Final = 1
DEVICE_FORMAT: Final = 1
HOURS: Final = 24
KNOWN_ACTIONS: Final = 20
"""A user's habits count as unknown until so many actions were accepted."""
STRANGER_S: Final = 86_400
"""How long what was refused for being new stays suspicious: the time that reviewers have to decide.
After that it counts as ordinary; otherwise nobody could ever move house or work another shift."""


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
    # Unknown devices that were refused: (short hash of the id, epoch seconds of the first time).
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
    hours: list[int] = msgspec.field(default_factory=lambda: [0] * HOURS)
    placed_ms: int = 0
    places: list[Place] = []
    countries: list[str] = []
    places_seen: int = 0
    devices: list[UserDevice] = []
    devices_seen: int = 0
    # Hours of the day, new to the user, that were refused: (hour, epoch seconds of the first time).
    strange_hours: list[tuple[int, int]] = []
    # The week's sums of deviations and of their variances, see ``memory/weeks.py``.
    week_bits: float = 0.0
    week_spread: float = 0.0
    week_totals: float = 0.0
    week_sessions: int = 0
    # The running session's sums of the same; the evidence of the week's strangest one that ended.
    session_bits: float = 0.0
    session_spread: float = 0.0
    week_strangest: float = 0.0


class DeviceRecord(msgspec.Struct, array_like=True):
    """The accounts that a device was seen with, newest first: (short hash of the user, epoch
    seconds of the last attempt). ``played`` are their attempts at that moment, and ``switches`` the
    quick changes of account at the newest attempt; both fade, see ``memory/devices.py``. ``places``
    are the degrees at which the newest accounts were, None where one had no place."""

    format: int = DEVICE_FORMAT
    accounts: list[tuple[int, int]] = []
    played: list[float] = []
    switches: float = 0.0
    places: list[tuple[float, float] | None] = []


_encoder = msgspec.msgpack.Encoder()
_profiles = msgspec.msgpack.Decoder(Profile)
_devices = msgspec.msgpack.Decoder(DeviceRecord)
encode = _encoder.encode


def decode_profile(payload: bytes | None) -> Profile:
    """The profile in ``payload``; a blank one for None, another format or damaged bytes."""
    if payload is not None:
        try:
            profile = _profiles.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return Profile()
        if profile.format == PROFILE_FORMAT and len(profile.hours) == HOURS:
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
