"""Updates a user's profile with an action, once it is known whether that was accepted."""

from __future__ import annotations

from scoreboard.anomaly.memory.devices import learn_device, note_refused_device
from scoreboard.anomaly.memory.hours import learn_hour, note_refused_hour
from scoreboard.anomaly.memory.places import learn_country, learn_place
from scoreboard.anomaly.memory.points import high_run, learn_points
from scoreboard.anomaly.memory.records import Profile, decode_profile, encode
from scoreboard.anomaly.memory.sessions import close_session
from scoreboard.anomaly.memory.standing import Standing, standing
from scoreboard.anomaly.memory.tempo import note_attempt
from scoreboard.anomaly.memory.weeks import (
    forget_week,
    note_points_of_week,
    note_session_of_week,
)
from scoreboard.domain.judging import Case


def fold(payload: bytes | None, *cases: Case) -> bytes:
    """The stored profile after accepted actions: folding a user's ledger rebuilds a lost one."""
    profile = decode_profile(payload)
    for case in cases:
        note_attempt(profile, case.at_ms)
        note_acceptance(profile, case, standing(profile, case))
    return encode(profile)


def note_acceptance(profile: Profile, case: Case, stands: Standing) -> None:
    """Updates the profile with an accepted action whose attempt has been noted."""
    at, points = case.at_ms, case.points
    if stands.new_session:
        if not stands.another_week:
            note_session_of_week(profile)
        close_session(profile)
        profile.session_start_ms = at
    if stands.another_week:
        forget_week(profile)
    note_points_of_week(profile, stands.bucket, stands.of)
    profile.session_points += points
    profile.points_300 = stands.recent_points + points
    profile.high_run = high_run(profile, stands.reached, stands.of)
    profile.actions += 1
    learn_points(profile, stands.bucket)
    learn_hour(profile, at)
    if at > profile.seen_ms:
        profile.seen_ms = at
    context = case.context
    if context is None:
        return
    if context.latitude is not None and context.longitude is not None:
        late = at < profile.placed_ms
        learn_place(profile, context.latitude, context.longitude, late=late)
        if not late:
            profile.placed_ms = at
    if context.country is not None:
        learn_country(profile, context.country)
    if context.device_id is not None:
        learn_device(profile, context.device_id, context.user_agent or "", at // 1000)


def note_refusal(profile: Profile, case: Case) -> None:
    """Updates the profile with the device and the hour of a refused action."""
    note_refused_hour(profile, case.at_ms)
    context = case.context
    if context is not None and context.device_id is not None:
        device, user_agent = context.device_id, context.user_agent or ""
        note_refused_device(profile, device, user_agent, case.at_ms // 1000)
