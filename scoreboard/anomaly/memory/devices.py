"""The devices of a user, and the accounts of a device."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

from scoreboard.anomaly.memory.records import DeviceRecord, Profile, UserDevice
from scoreboard.domain.judging import Case

MAX_DEVICES: Final = 6
MAX_ACCOUNTS: Final = 16
DEVICE_MEMORY_S: Final = 30 * 86_400.0
STRANGER_S: Final = 86_400
"""How long a refused device stays suspicious for being new: the time that reviewers have to decide.
After that it counts as an ordinary new device; otherwise nobody could ever move house."""
MAX_STRANGERS: Final = 4


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


def note_account(record: DeviceRecord, case: Case) -> None:
    """Notes that the device was seen with the case's user, whether the action is accepted or
    not."""
    user = short_hash(case.user_id)
    others = [account for account in record.accounts if account[0] != user]
    record.accounts = [(user, case.at_ms // 1000), *others][:MAX_ACCOUNTS]
