"""A weekly case: what is too little to refuse any one action for adds up over a week."""

from __future__ import annotations

import random

from scoreboard.anomaly.gate import Gate
from scoreboard.anomaly.memory.records import Profile, decode_profile
from scoreboard.anomaly.memory.weeks import WEEK_MS, ended_week
from scoreboard.anomaly.model import Model
from scripts.synthetic_season import DAY, HOUR, MONDAY
from tests.unit.anomaly.players import ANY_AGE, Table


def play_weeks(table: Table, weeks: int, padding: int = 0) -> list[int]:
    """Five evenings a week of about eight actions, and so many twos more; returns how many reasons
    were noted at each action."""
    rng = random.Random(11)
    noted = []
    for _ in range(weeks):
        table.now += WEEK_MS - (table.now - MONDAY) % WEEK_MS
        for evening in range(5):
            table.now += DAY - (table.now - MONDAY) % DAY if evening else 0
            table.now += 20 * HOUR
            points = [rng.choice((1, 2, 2)) for _ in range(rng.randint(6, 10))] + [2] * padding
            for each in points:
                judgement = table.act(points=each, after=rng.uniform(90, 400))
                assert not judgement.refused_by, judgement.reasons
                noted.append(len(judgement.noted))
    return noted


def test_a_padded_week_is_one_case_at_the_first_action_of_the_next(table: Table) -> None:
    assert sum(play_weeks(table, 4)) == 0
    assert sum(play_weeks(table, 1, padding=7)) == 0, "no action of the week itself"
    noted = play_weeks(table, 2)
    assert noted[0] == 1
    assert sum(noted) == 1


def test_a_weekly_case_says_how_far_the_week_was_from_the_usual(table: Table) -> None:
    play_weeks(table, 4)
    play_weeks(table, 1, padding=7)
    table.now += WEEK_MS
    (reason,) = table.act().noted
    limit = table.gate.model.week_limit if table.gate.model else None
    assert (reason.agent, reason.feature, reason.high) == ("week", "points", limit)
    assert limit is not None
    assert reason.value > limit


def test_without_a_model_no_week_is_a_case(model: Model) -> None:
    table = Table(Gate(None, ANY_AGE))
    play_weeks(table, 4)
    assert sum(play_weeks(table, 2, padding=9)) == 0


def test_a_profile_from_before_weeks_were_noted_is_read_and_is_no_evidence(table: Table) -> None:
    play_weeks(table, 2)
    payload = table.profiles["ann"]
    assert payload is not None
    profile: Profile = decode_profile(payload)
    assert profile.week_spread > 0
    profile.week_bits = profile.week_spread = profile.week_totals = 0.0
    profile.week_sessions = 0
    assert ended_week(profile, table.now + 2 * WEEK_MS) is None
