"""Which occurrence of a period a moment falls into, and what its number is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoreboard.domain.moments import milliseconds_of, moment_of
from scoreboard.domain.occurrences import (
    Occurrence,
    containing_after,
    final_at,
    first,
    following,
)
from scoreboard.domain.periods import Period

SECOND = 1000
HOUR = 3600 * SECOND
DAY = 24 * HOUR

DAILY = Period("day", cron="0 0 * * *", zone="Europe/Berlin")
BLITZ = Period("blitz", every="PT30S", start=datetime(2026, 1, 1, tzinfo=UTC))
# Saturdays, 18:00 to 20:00 in New York.
CUP = Period("cup", cron="0 18 * * SAT", zone="America/New_York", duration="PT2H")


def at(text: str) -> int:
    return milliseconds_of(text)


def walk(period: Period, moment: int, count: int) -> list[Occurrence]:
    """The first occurrence at the moment, and those that follow when each is opened."""
    found = [first(period, moment)]
    while len(found) < count:
        found.append(following(period, found[-1]))
    return found


def test_the_first_occurrence_is_the_one_that_contains_the_moment() -> None:
    assert first(DAILY, at("2026-11-26T12:00Z")) == Occurrence(
        1, at("2026-11-25T23:00Z"), at("2026-11-26T23:00Z")
    )
    assert first(BLITZ, at("2026-01-02T00:00:45Z")) == Occurrence(
        1, at("2026-01-02T00:00:30Z"), at("2026-01-02T00:01:00Z")
    )


def test_an_occurrence_has_its_start_and_not_its_end() -> None:
    midnight = at("2026-11-26T23:00Z")

    assert first(DAILY, midnight).starts_at == midnight
    assert first(DAILY, midnight - 1).ends_at == midnight


def test_before_its_start_a_fixed_length_has_its_first_occurrence_to_come() -> None:
    start = at("2026-01-01T00:00Z")

    assert first(BLITZ, start - 400 * DAY) == Occurrence(1, start, start + 30 * SECOND)
    assert first(BLITZ, start - 1) == first(BLITZ, start)


def test_between_two_tournaments_the_next_one_is_told() -> None:
    thursday = at("2026-11-26T12:00Z")
    cup = first(CUP, thursday)

    assert cup == Occurrence(1, at("2026-11-28T23:00Z"), at("2026-11-29T01:00Z"))
    assert containing_after(CUP, cup, at("2026-11-29T00:59:59.999Z")) == cup
    assert containing_after(CUP, cup, at("2026-11-29T01:00Z")) == following(CUP, cup)
    assert following(CUP, cup) == Occurrence(2, at("2026-12-05T23:00Z"), at("2026-12-06T01:00Z"))


def test_days_have_23_and_25_hours_when_clocks_are_changed() -> None:
    def hours(moment: str) -> list[float]:
        days = walk(DAILY, at(moment), 4)
        assert [day.number for day in days] == [1, 2, 3, 4]
        return [(day.ends_at - day.starts_at) / HOUR for day in days]

    assert hours("2026-03-27T12:00Z") == [24, 24, 23, 24]
    assert hours("2026-10-23T12:00Z") == [24, 24, 25, 24]


def test_fixed_lengths_take_no_notice_of_clocks() -> None:
    period = Period("day", every="P1D", start=datetime(2026, 3, 1, 5, tzinfo=UTC))

    days = walk(period, at("2026-03-27T12:00Z"), 4)

    assert {day.ends_at - day.starts_at for day in days} == {DAY}
    assert {day.starts_at % DAY for day in days} == {5 * HOUR}


def test_occurrences_that_nobody_opened_are_not_counted() -> None:
    minute = Period("minute", cron="* * * * *")
    known = Occurrence(7, at("2016-11-26T12:00Z"), at("2016-11-26T12:01Z"))

    assert containing_after(minute, known, at("2026-11-26T12:00:30Z")) == Occurrence(
        8, at("2026-11-26T12:00Z"), at("2026-11-26T12:01Z")
    )


def test_a_moment_before_the_known_occurrence_ends_is_in_no_other() -> None:
    known = first(DAILY, at("2026-11-26T12:00Z"))

    for moment in (known.ends_at - 1, known.starts_at, known.starts_at - 1, 0):
        assert containing_after(DAILY, known, moment) == known


def test_an_opened_occurrence_keeps_its_bounds_when_the_rule_is_changed() -> None:
    """From days in Berlin to hours in Kolkata, which start at half past in UTC."""
    known = first(DAILY, at("2026-11-26T12:00Z"))
    hourly = Period("day", cron="0 * * * *", zone="Asia/Kolkata")

    assert containing_after(hourly, known, at("2026-11-26T20:00Z")) == known
    after = following(hourly, known)
    assert after == Occurrence(2, known.ends_at, known.ends_at + HOUR // 2)
    assert following(hourly, after) == Occurrence(3, after.ends_at, after.ends_at + HOUR)


def test_a_tournament_that_is_over_by_the_end_of_what_is_open_is_left_out() -> None:
    known = Occurrence(1, at("2026-11-23T00:00Z"), at("2026-11-29T01:00Z"))

    assert following(CUP, known).starts_at == at("2026-12-05T23:00Z")


def test_a_tournament_ends_when_a_clock_put_forward_starts_the_next() -> None:
    """Starts at 2:00 and 3:00; where 2:00 is skipped there is one start, and no overlap."""
    period = Period("cup", cron="30 1,2,3 * * *", zone="Europe/Berlin", duration="PT1H")

    cups = walk(period, at("2026-03-29T00:30Z"), 3)

    assert [cup.starts_at for cup in cups] == [
        at("2026-03-29T00:30Z"), at("2026-03-29T01:00Z"), at("2026-03-29T01:30Z"),
    ]  # fmt: skip
    assert [cup.ends_at - cup.starts_at for cup in cups] == [HOUR // 2, HOUR // 2, HOUR]


def test_latecomers_count_until_the_grace_is_over() -> None:
    known = first(DAILY, at("2026-11-26T12:00Z"))
    graceful = msgspec.structs.replace(DAILY, grace=600)

    assert final_at(DAILY, known) == known.ends_at
    assert final_at(graceful, known) == known.ends_at + 600 * SECOND


def test_latecomers_count_no_longer_once_the_following_occurrence_ends_too() -> None:
    """The half hour from 1:30 is followed by one from 3:00 to 3:30, for 2:30 is skipped."""
    period = Period("hour", cron="30 1,2,3 * * *", zone="Europe/Berlin", grace=3599)
    known = first(period, at("2026-03-29T00:30Z"))

    assert final_at(period, known) == known.ends_at + HOUR // 2
    assert final_at(period, known) == following(period, known).ends_at


ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "America/Havana",
    "Australia/Lord_Howe", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Apia", "Pacific/Chatham",
    "Africa/Casablanca", "Antarctica/Troll",
]  # fmt: skip
MOMENTS = st.integers(at("2005-01-01T00:00Z"), at("2035-01-01T00:00Z"))


def fields(least: int, most: int) -> st.SearchStrategy[str]:
    numbers = st.sets(st.integers(least, most), min_size=1, max_size=4)
    steps = st.integers(1, most).map(lambda step: f"*/{step}")
    lists = numbers.map(lambda some: ",".join(map(str, sorted(some))))
    return st.one_of(st.just("*"), steps, lists)


CRONS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "cron": st.tuples(
            fields(0, 59), fields(0, 23), fields(1, 28), fields(1, 12), fields(0, 6)
        ).map(" ".join),
        "zone": st.sampled_from(ZONES),
    }
)
LENGTHS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "every": st.integers(1, 40 * 86_400).map(lambda seconds: f"PT{seconds}S"),
        "start": MOMENTS.map(moment_of),
    }
)
PERIODS = (CRONS | LENGTHS).map(lambda rule: Period("any", **rule))


@given(period=PERIODS, moment=MOMENTS)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_occurrences_tile_time_and_are_numbered_one_by_one(period: Period, moment: int) -> None:
    found = walk(period, moment, 12)

    assert found[0].starts_at <= moment < found[0].ends_at or moment < period.start_ms
    assert [one.number for one in found] == list(range(1, 13))
    assert all(one.starts_at < one.ends_at for one in found)
    assert all(one.ends_at == after.starts_at for one, after in pairwise(found))


@given(period=PERIODS, moment=MOMENTS, share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_years_of_silence_lead_to_the_same_bounds_as_a_walk(
    period: Period, moment: int, share: float
) -> None:
    start, *walked = walk(period, moment, 12)

    for one in walked:
        inside = one.starts_at + int(share * (one.ends_at - one.starts_at))
        assert first(period, inside) == msgspec.structs.replace(one, number=1)
        assert containing_after(period, start, inside) == msgspec.structs.replace(one, number=2)


@given(period=PERIODS, moment=MOMENTS, seconds=st.integers(1, 86_400))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_with_a_duration_occurrences_start_as_without_and_never_overlap(
    period: Period, moment: int, seconds: int
) -> None:
    try:
        limited = msgspec.structs.replace(period, duration=f"PT{seconds}S")
    except ValueError:
        return  # longer than the period
    cups = walk(limited, moment, 6)

    for cup, after in pairwise(cups):
        assert cup.ends_at <= after.starts_at
        assert after.number == cup.number + 1
    for cup in cups:
        whole = first(period, cup.starts_at)
        assert cup.starts_at == whole.starts_at
        assert cup.ends_at == min(whole.ends_at, whole.starts_at + seconds * SECOND)


@pytest.mark.parametrize("name", ZONES)
def test_each_date_of_a_year_is_an_occurrence_of_a_daily_period_in_every_zone(name: str) -> None:
    days = walk(Period("day", cron="0 0 * * *", zone=name), at("2027-12-31T12:00Z"), 368)

    dates = [moment_of(day.starts_at).astimezone(ZoneInfo(name)).date() for day in days]
    assert {after - before for before, after in pairwise(dates)} == {timedelta(days=1)}
    assert date(2028, 2, 29) in dates
