"""Updates a user's profile with an action, once it is known whether that was accepted."""

from __future__ import annotations

from typing import Final

from scoreboard.anomaly.memory.devices import learn_device, note_refused_device
from scoreboard.anomaly.memory.places import learn_country, learn_place
from scoreboard.anomaly.memory.points import decayed_points, high_run, learn_points
from scoreboard.anomaly.memory.records import Profile, decode_profile, encode
from scoreboard.anomaly.memory.sessions import close_session, starts_session
from scoreboard.anomaly.memory.tempo import note_attempt
from scoreboard.domain.judging import Case

HOURS_MEMORY: Final = 512
"""The histogram of hours is halved after this many actions, so that it follows changing habits."""


def fold(payload: bytes | None, *cases: Case) -> bytes:
    """The stored profile after accepted actions: folding a user's ledger rebuilds a lost one."""
    profile = decode_profile(payload)
    for case in cases:
        note_attempt(profile, case.at_ms)
        note_acceptance(profile, case)
    return encode(profile)


def note_acceptance(profile: Profile, case: Case) -> None:
    """Updates the profile with an accepted action whose attempt has been noted."""
    at, points = case.at_ms, case.points
    if starts_session(profile, at):
        close_session(profile)
        profile.session_start_ms = at
    profile.session_points += points
    profile.points_300 = decayed_points(profile, at) + points
    profile.high_run = high_run(profile, points)
    profile.actions += 1
    learn_points(profile, points)
    profile.hours[at // 3_600_000 % 24] += 1
    if profile.actions % HOURS_MEMORY == 0:
        profile.hours = [n // 2 for n in profile.hours]
    profile.seen_ms = max(profile.seen_ms, at)
    context = case.context
    if context is None:
        return
    if context.latitude is not None and context.longitude is not None:
        learn_place(profile, context.latitude, context.longitude)
        profile.placed_ms = max(profile.placed_ms, at)
    if context.country is not None:
        learn_country(profile, context.country)
    if context.device_id is not None:
        learn_device(profile, context.device_id, context.user_agent or "", at // 1000)


def note_refusal(profile: Profile, case: Case) -> None:
    """Updates the profile with the device of a refused action."""
    context = case.context
    if context is not None and context.device_id is not None:
        device, user_agent = context.device_id, context.user_agent or ""
        note_refused_device(profile, device, user_agent, case.at_ms // 1000)
