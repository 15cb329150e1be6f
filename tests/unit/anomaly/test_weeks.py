"""A weekly case: what is too little to refuse any one action for adds up over a week."""

from __future__ import annotations

import random
from collections.abc import Collection
from datetime import date

import msgspec

from scoreboard.anomaly.gate import Gate
from scoreboard.anomaly.memory.records import Profile, decode_profile
from scoreboard.anomaly.memory.weeks import ended_week
from scoreboard.anomaly.model import Model
from scoreboard.anomaly.weekly import WeekJudge
from scoreboard.domain.judging import Case, Reason
from scoreboard.domain.weeks import WEEK, WEEK_MS, monday_of, start_of, week_of
from scripts.synthetic_season import DAY, HOUR, MONDAY
from tests.unit.anomaly.players import ANY_AGE, Table


def play_weeks(
    table: Table, weeks: int, padding: int = 0, evenings: Collection[int] = range(5)
) -> list[int]:
    """Five evenings a week of four to twelve actions, on ``evenings`` with so many twos more;
    returns how many reasons were noted at each action."""
    rng = random.Random(11)
    noted = []
    for _ in range(weeks):
        table.now += WEEK_MS - (table.now - MONDAY) % WEEK_MS
        for evening in range(5):
            table.now += DAY - (table.now - MONDAY) % DAY if evening else 0
            table.now += 20 * HOUR
            points = [rng.choice((1, 2, 2)) for _ in range(rng.randint(4, 12))]
            points += [2] * padding if evening in evenings else []
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


def test_one_padded_evening_is_a_case_though_the_week_hides_it(model: Model) -> None:
    # A limit as a season of months has it; the few weeks of the tests' model have a looser one.
    table = Table(Gate(msgspec.structs.replace(model, session_limit=3.0), ANY_AGE))
    assert sum(play_weeks(table, 6)) == 0
    assert sum(play_weeks(table, 1, padding=7, evenings=[2])) == 0
    noted = play_weeks(table, 2)
    assert noted[0] == 1
    assert sum(noted) == 1, "the week after begins anew"
    play_weeks(table, 1, padding=7, evenings=[2])
    table.now += WEEK_MS
    (reason,) = table.act().noted
    assert (reason.agent, reason.feature, reason.high) == ("week", "session", 3.0)
    assert reason.value > 3.0


def test_a_model_from_before_sessions_had_a_limit_judges_the_whole_week(model: Model) -> None:
    old = Table(Gate(msgspec.structs.replace(model, session_limit=None), ANY_AGE))
    play_weeks(old, 4)
    play_weeks(old, 1, padding=7)
    old.now += WEEK_MS
    (reason,) = old.act().noted
    assert (reason.feature, reason.high) == ("points", model.week_limit)
    assert reason.value > reason.high


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


def test_the_end_of_a_week_tells_what_the_next_action_would(model: Model, table: Table) -> None:
    play_weeks(table, 4)
    played = table.now
    play_weeks(table, 1, padding=7)
    payload = table.profiles["ann"]
    assert payload is not None
    judge = WeekJudge(model)
    assert judge.reasons(payload, table.now) == [], "the week is not over"
    assert judge.reasons(payload, table.now + WEEK_MS) == (after := judge_next(table))
    assert [(reason.agent, reason.week) for reason in after] == [("week", monday_of(table.now))]
    assert monday_of(table.now) == monday_of(played) + WEEK


def judge_next(table: Table) -> list[Reason]:
    """What is noted of an action a week later, which is not remembered."""
    case = Case("ann", 2, table.now + WEEK_MS, table.now + WEEK_MS)
    (judgement,) = table.gate.judge([case], table.profiles, table.devices)
    return judgement.noted


def test_a_week_begins_on_monday_at_midnight_in_utc() -> None:
    assert monday_of(MONDAY) == monday_of(MONDAY + WEEK_MS - 1) == date(2026, 1, 5)
    assert monday_of(MONDAY - 1) == date(2025, 12, 29)
    assert start_of(date(2026, 1, 5)) == MONDAY
    assert week_of(MONDAY) == week_of(MONDAY - 1) + 1 == week_of(MONDAY + WEEK_MS - 1)
