"""The devices of a user, and the accounts of a device."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, repeat
from typing import Final

from scoreboard.anomaly.memory.places import distance_km
from scoreboard.anomaly.memory.records import (
    KNOWN_ACTIONS,
    STRANGER_S,
    DeviceRecord,
    Profile,
    UserDevice,
)
from scoreboard.domain.judging import Case

MAX_DEVICES: Final = 6
MAX_ACCOUNTS: Final = 16
DEVICE_MEMORY_S: Final = 30 * 86_400.0
MAX_STRANGERS: Final = 4
PLAYED_HALF_LIFE_S: Final = 7 * 86_400
"""An attempt on a device counts half after a week: a device that was handed on is forgotten."""
MAIN_USER: Final = 4.0
"""Who plays this many times as much on a device as another is not judged by that other."""
QUICK_SWITCH_S: Final = 30.0
"""A change of account counts half when this long has passed since the other's attempt."""
SWITCHES_S: Final = 600.0
"""Quick changes fade out over ten minutes."""
HANDED_ON_S: Final = 3 * 86_400
"""A device that nobody played on for so long may have gone anywhere."""

MAX_PLACED: Final = 3
"""So many accounts of a device have a place: with more it is a farm, wherever they are."""


@lru_cache(maxsize=16_384)
def short_hash(text: str) -> int:
    """48 bits that stand for an identifier: enough to tell a user's devices apart."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big")


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


def learn_device(profile: Profile, device_id: str, user_agent: str, at_s: int) -> None:
    """Makes the device one of the user's; drops the one not seen for the longest when there are too
    many."""
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


def note_refused_device(profile: Profile, device_id: str, user_agent: str, at_s: int) -> None:
    """Remembers when an unknown device was first refused, and the user agent of a known device."""
    device = short_hash(device_id)
    for known in profile.devices:
        if known.device == device:
            known.agent = short_hash(user_agent)
            return
    if all(stranger != device for stranger, _ in profile.strangers):
        profile.strangers = [*profile.strangers[1 - MAX_STRANGERS :], (device, at_s)]


def is_alone(record: DeviceRecord, user: int) -> bool:
    """Returns whether nobody but the user, by its short hash, was seen on the device: so it is with
    most, and quickly told."""
    accounts = record.accounts
    return len(accounts) == 1 and accounts[0][0] == user


def other_accounts(record: DeviceRecord, case: Case) -> float:
    """Returns how many other accounts use the device as much as the case's user does, or more.

    One that is used less counts for less than one: whose phone it is stays free to play on it,
    whoever plays on it once.
    """
    user, at_s = short_hash(case.user_id), case.at_ms // 1000
    if is_alone(record, user):
        return 0.0
    own, others = 0.0, []
    for (account, last_s), played in _accounts(record):
        left = _faded(played, at_s - last_s)
        if account == user:
            own = left
        else:
            others.append(left)
    return sum(min(1.0, left, MAIN_USER * left / max(own, 1.0)) for left in others)


def km_from_others(record: DeviceRecord, case: Case) -> float:
    """Returns how far away the nearest of the other accounts was that lately played on the device.

    0 if no other did or the action has no place, and if another account played there often enough
    to be known: then it is that user's device, and who is far away a guest.
    """
    context, user, at_s = case.context, short_hash(case.user_id), case.at_ms // 1000
    if context is None or context.latitude is None or context.longitude is None:
        return 0.0
    away_km = []
    places = chain(record.places, repeat(None))
    for ((account, last_s), played), place in zip(_accounts(record), places, strict=False):
        if account == user:
            continue
        if _faded(played, at_s - last_s) >= KNOWN_ACTIONS:
            return 0.0
        if place and abs(at_s - last_s) < HANDED_ON_S:
            away_km.append(distance_km(context.latitude, context.longitude, *place))
    return min(away_km, default=0.0)


def quick_switches(record: DeviceRecord, case: Case) -> float:
    """Returns how often the device lately went from one account to another within seconds, this
    time included."""
    if not record.accounts:
        return 0.0
    account, last_s = record.accounts[0]
    gap_s = abs(case.at_ms // 1000 - last_s)
    fading = record.switches and record.switches * math.exp(-gap_s / SWITCHES_S)
    if account == short_hash(case.user_id):
        return fading
    return fading + math.pow(0.5, gap_s / QUICK_SWITCH_S)


def note_account(record: DeviceRecord, case: Case) -> None:
    """Notes that the device was seen with the case's user, whether the action is accepted or
    not."""
    user, at_s = short_hash(case.user_id), case.at_ms // 1000
    record.switches = quick_switches(record, case)
    context, place = case.context, None
    if context and context.latitude is not None and context.longitude is not None:
        place = round(context.latitude, 2), round(context.longitude, 2)
    if is_alone(record, user):
        (_, last_s), attempts = record.accounts[0], record.played[0] if record.played else 1.0
        record.accounts = [(user, at_s)]
        record.played = [round(1.0 + _faded(attempts, at_s - last_s), 3)]
        record.places = [place]
        return
    played, others, places = 1.0, [], [place]
    known = chain(record.places, repeat(None))
    for (account, attempts), other_place in zip(_accounts(record), known, strict=False):
        if account[0] == user:
            played += _faded(attempts, at_s - account[1])
        else:
            others.append((account, attempts))
            places.append(other_place)
    kept = [((user, at_s), round(played, 3)), *others][:MAX_ACCOUNTS]
    record.accounts = [account for account, _ in kept]
    record.played = [attempts for _, attempts in kept]
    record.places = places[:MAX_PLACED]


def _faded(attempts: float, ago_s: int) -> float:
    return attempts * math.pow(0.5, abs(ago_s) / PLAYED_HALF_LIFE_S)


def _accounts(record: DeviceRecord) -> Iterator[tuple[tuple[int, int], float]]:
    """The accounts with their attempts; those in a record from before attempts were counted have
    one."""
    return zip(record.accounts, chain(record.played, repeat(1.0)), strict=False)
