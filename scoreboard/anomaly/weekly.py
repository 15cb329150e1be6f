"""What a user's week that has ended tells: more points than are usual for the user, by steps that
are too small for any one action to be refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from scoreboard.anomaly.memory.learning import fold
from scoreboard.anomaly.memory.records import Profile, decode_profile
from scoreboard.anomaly.memory.weeks import ended_week
from scoreboard.anomaly.model import Model
from scoreboard.domain.judging import Case, Reason
from scoreboard.domain.weeks import monday_of

WEEK: Final = "week"
"""Stands for an agent in the reason of a weekly case."""
WEEK_ABOUT: Final = "made more points in the week from {}, by small steps, than is usual"
SESSION_ABOUT: Final = (
    "made more points in a session of the week from {}, by small steps, than is usual"
)


def week_reasons(model: Model, profile: Profile, at_ms: int) -> list[Reason]:
    """Why the week in which the user last played shall become a case; none for an ordinary one, and
    unless ``at_ms`` is in a later week."""
    week = ended_week(profile, at_ms)
    if week is None:
        return []
    monday = monday_of(profile.seen_ms)
    found = (
        ("points", week.whole, model.week_limit, WEEK_ABOUT),
        ("session", week.strangest, model.session_limit, SESSION_ABOUT),
    )
    return [
        Reason(WEEK, feature, evidence, 0.0, limit, "deviations", about.format(monday), monday)
        for feature, evidence, limit, about in found
        if evidence is not None and limit is not None and evidence > limit
    ]


class WeekJudge:
    """Judges weeks of users who have not played since, by their memories."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def recall(self, cases: Sequence[Case]) -> bytes:
        """The memory of a user whose latest accepted actions these are, in order."""
        return fold(None, *cases)

    def reasons(self, payload: bytes, at_ms: int) -> list[Reason]:
        """Why the user's latest week shall become a case; none for an ordinary one, and unless
        ``at_ms`` is in a later week. ``payload`` is the user's memory."""
        return week_reasons(self._model, decode_profile(payload), at_ms)
