"""At which moments cron expressions start something, by the clocks of zones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scoreboard.domain.cron import CronStarts, cron_flaw, shortest_gap
from scoreboard.domain.moments import milliseconds_of, milliseconds_of_moment, moment_of

MINUTE = 60_000
HOUR = 60 * MINUTE


def texts_after(cron: str, zone: str, moment: str, count: int) -> list[str]:
    """The next starts, as RFC 3339 tells them in UTC without seconds."""
    starts, at = CronStarts(cron, zone), milliseconds_of(moment)
    texts = []
    for _ in range(count):
        at = starts.after(at)
        assert at % MINUTE == 0
        texts.append(f"{moment_of(at):%Y-%m-%dT%H:%M}Z")
    return texts


@pytest.mark.parametrize(
    ("cron", "zone", "moment", "starts"),
    [
        pytest.param(
            "0 0 * * 1", "UTC", "2026-11-26T12:00Z",
            ["2026-11-30T00:00Z", "2026-12-07T00:00Z"], id="Mondays",
        ),
        pytest.param(
            "0 0 * * *", "Europe/Berlin", "2026-03-28T12:00Z",
            ["2026-03-28T23:00Z", "2026-03-29T22:00Z", "2026-03-30T22:00Z"], id="a day of 23 hours",
        ),
        pytest.param(
            "0 0 * * *", "Europe/Berlin", "2026-10-24T12:00Z",
            ["2026-10-24T22:00Z", "2026-10-25T23:00Z", "2026-10-26T23:00Z"], id="a day of 25 hours",
        ),
        pytest.param(
            "30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z",
            ["2026-03-29T01:00Z", "2026-03-30T00:30Z"], id="a time in the skipped hour",
        ),
        pytest.param(
            "*/20 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00Z",
            ["2026-03-29T01:00Z", "2026-03-29T01:20Z", "2026-03-29T01:40Z", "2026-03-30T00:00Z"],
            id="times in and after the skipped hour that come to one moment",
        ),
        pytest.param(
            "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z",
            ["2026-10-25T00:30Z", "2026-10-26T01:30Z"], id="a time in the doubled hour",
        ),
        pytest.param(
            "0 * * * *", "Europe/Berlin", "2026-10-24T22:30Z",
            ["2026-10-24T23:00Z", "2026-10-25T00:00Z", "2026-10-25T02:00Z", "2026-10-25T03:00Z"],
            id="each hour of the clock, of which the doubled one is one",
        ),
        pytest.param(
            "30 1,2 * * *", "America/New_York", "2026-03-08T00:00Z",
            ["2026-03-08T06:30Z", "2026-03-08T07:00Z", "2026-03-09T05:30Z"], id="New York, March",
        ),
        pytest.param(
            "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00Z",
            ["2026-10-03T15:30Z", "2026-10-04T15:15Z"], id="half an hour is skipped",
        ),
        pytest.param(
            "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00Z",
            ["2026-04-04T14:45Z", "2026-04-05T15:15Z"], id="half an hour is doubled",
        ),
        pytest.param(
            "0 0 * * *", "Asia/Kolkata", "2026-01-01T00:00Z",
            ["2026-01-01T18:30Z", "2026-01-02T18:30Z"], id="a zone of half hours",
        ),
        pytest.param(
            "0 0 * * *", "Asia/Kathmandu", "2026-01-01T00:00Z",
            ["2026-01-01T18:15Z"], id="a zone of quarters",
        ),
        pytest.param(
            "0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00Z",
            ["2018-11-04T03:00Z", "2018-11-05T02:00Z"], id="midnight is skipped",
        ),
        pytest.param(
            "0 0 * * *", "America/Havana", "2024-11-02T12:00Z",
            ["2024-11-03T04:00Z", "2024-11-04T05:00Z"], id="midnight is doubled",
        ),
        pytest.param(
            "0 12 * * *", "Pacific/Apia", "2011-12-29T12:00Z",
            ["2011-12-29T22:00Z", "2011-12-30T10:00Z", "2011-12-30T22:00Z"],
            id="a whole day is skipped: its noon is the next midnight",
        ),
        pytest.param(
            "0 0 29 2 *", "UTC", "2024-03-01T00:00Z",
            ["2028-02-29T00:00Z", "2032-02-29T00:00Z"], id="leap days",
        ),
        pytest.param(
            "0 0 29 2 *", "UTC", "2096-03-01T00:00Z", ["2104-02-29T00:00Z"], id="2100 has none",
        ),
        pytest.param(
            "0 0 31 * *", "UTC", "2026-01-31T00:00Z",
            ["2026-03-31T00:00Z", "2026-05-31T00:00Z"], id="short months have no 31st",
        ),
        pytest.param(
            "0 0 L * *", "UTC", "2028-01-31T00:00Z",
            ["2028-02-29T00:00Z", "2028-03-31T00:00Z"], id="last days of months",
        ),
        pytest.param(
            "0 18 * * sat#1", "UTC", "2026-11-26T00:00Z",
            ["2026-12-05T18:00Z", "2027-01-02T18:00Z"], id="first Saturdays",
        ),
        pytest.param(
            "0 18 * * 5L", "UTC", "2026-11-26T00:00Z",
            ["2026-11-27T18:00Z", "2026-12-25T18:00Z"], id="last Fridays",
        ),
        pytest.param(
            "0 0 1 jan,Jul *", "UTC", "2026-01-01T00:00Z",
            ["2026-07-01T00:00Z", "2027-01-01T00:00Z"], id="names of months",
        ),
        pytest.param(
            "0 0 13 * 5", "UTC", "2026-02-01T00:00Z",
            ["2026-02-06T00:00Z", "2026-02-13T00:00Z", "2026-02-20T00:00Z", "2026-02-27T00:00Z",
             "2026-03-06T00:00Z"], id="day of the month or of the week, when both are named",
        ),
        pytest.param(
            "0 0 13 * */5", "UTC", "2026-02-01T00:00Z",
            ["2026-02-13T00:00Z", "2026-03-13T00:00Z"], id="and, when one has a star",
        ),
        pytest.param(
            "0 0 * * 7", "UTC", "2026-11-26T00:00Z", ["2026-11-29T00:00Z"], id="Sunday is 0 and 7",
        ),
    ],
)  # fmt: skip
def test_starts_are_those_of_the_calendar(
    cron: str, zone: str, moment: str, starts: list[str]
) -> None:
    assert texts_after(cron, zone, moment, len(starts)) == starts


def test_a_start_is_its_own_last_start_and_the_first_after_the_moment_before() -> None:
    starts = CronStarts("0 0 * * *", "Europe/Berlin")
    midnight = milliseconds_of("2026-10-24T22:00:00Z")

    assert starts.at_or_before(midnight) == midnight
    assert starts.at_or_before(midnight - 1) == midnight - 24 * HOUR
    assert starts.after(midnight - 1) == midnight
    assert starts.after(midnight) == midnight + 25 * HOUR


def test_in_the_second_pass_of_the_doubled_hour_what_started_in_the_first_has_started() -> None:
    starts = CronStarts("50 2 * * *", "Europe/Berlin")
    first_pass = milliseconds_of("2026-10-25T00:50:00Z")
    second_pass = milliseconds_of("2026-10-25T01:10:00Z")  # 02:10 again

    assert starts.at_or_before(second_pass) == first_pass
    assert starts.after(second_pass) == first_pass + 25 * HOUR


# Zone, and a day in UTC in which or beside which its clock is changed.
CHANGES = [
    ("Europe/Berlin", "2026-03-29"), ("Europe/Berlin", "2026-10-25"),
    ("America/New_York", "2027-03-14"), ("America/New_York", "2027-11-07"),
    ("Australia/Lord_Howe", "2026-10-03"), ("Australia/Lord_Howe", "2026-04-04"),
    ("America/Havana", "2024-03-10"), ("America/Havana", "2024-11-03"),
    ("Africa/Casablanca", "2025-02-23"), ("Africa/Casablanca", "2025-04-06"),
    ("Pacific/Apia", "2011-12-30"), ("Asia/Kolkata", "2026-06-01"), ("UTC", "2028-02-29"),
]  # fmt: skip


@given(
    change=st.sampled_from(CHANGES),
    minutes=st.sets(st.integers(0, 59), min_size=1, max_size=6),
    hours=st.sets(st.integers(0, 23), min_size=1),
    weekdays=st.sets(st.integers(0, 6), min_size=4),
)
@example(CHANGES[0], {0, 30}, {2, 3}, {*range(7)})
@example(CHANGES[1], {0, 59}, {1, 2, 3}, {*range(7)})
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_start_is_where_the_clock_first_shows_its_time_or_a_later_one(
    change: tuple[str, str], minutes: set[int], hours: set[int], weekdays: set[int]
) -> None:
    """The rule taken at its word, minute by minute, over two days around the change."""
    name, day = change
    zone = ZoneInfo(name)
    noon = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    moments = [noon + timedelta(minutes=minute) for minute in range(-1500, 1500)]
    shown = [moment.astimezone(zone).replace(tzinfo=None) for moment in moments]

    expected, latest = [], shown[0]
    for moment, wall in zip(moments, shown, strict=True):
        passed = int((wall - latest) / timedelta(minutes=1))
        walls = (latest + timedelta(minutes=minute) for minute in range(1, passed + 1))
        if any(
            one.minute in minutes and one.hour in hours and one.isoweekday() % 7 in weekdays
            for one in walls
        ):
            expected.append(milliseconds_of_moment(moment))
        latest = max(latest, wall)

    starts = CronStarts(f"{_list(minutes)} {_list(hours)} * * {_list(weekdays)}", name)
    end = milliseconds_of_moment(moments[-1])
    found, at = [], milliseconds_of_moment(moments[0])
    while (at := starts.after(at)) <= end:
        found.append(at)
    assert found == expected

    at = end
    for start in reversed(expected):
        assert starts.at_or_before(at) == start
        at = start - 1


def _list(numbers: set[int]) -> str:
    return ",".join(map(str, sorted(numbers)))


@pytest.mark.parametrize(
    ("cron", "flaw"),
    [
        ("", "needs five fields"),
        ("* * * *", "needs five fields"),
        ("0 * * * * *", "needs five fields"),
        ("@daily", "needs five fields"),
        ("60 * * * *", "bad minute"),
        ("-1 * * * *", "bad minute"),
        ("1.5 * * * *", "bad minute"),
        ("*/0 * * * *", "bad minute"),
        ("5-1 * * * *", "bad minute"),
        ("1, * * * *", "bad minute"),
        ("0 24 * * *", "bad hour"),
        ("0 ٣ * * *", "bad hour"),
        ("0 0 0 * *", "bad day-of-month"),
        ("0 0 30 2 *", "bad day-of-month"),
        ("0 0 31 4,6,9,11 *", "bad day-of-month"),
        ("0 0 1 13 *", "bad month"),
        ("0 0 1 june *", "bad month"),
        ("0 0 * * 8", "bad day-of-week"),
        ("0 0 * * mon#6", "bad day-of-week"),
        ("0 0 * * L", "bad day-of-week"),
        ("* * */20 * 1L", "never occurs"),
    ],
)
def test_an_expression_that_is_wrong_or_never_occurs_is_refused(cron: str, flaw: str) -> None:
    assert flaw in cron_flaw(cron)


@given(
    st.lists(
        st.text(alphabet="0123456789*/-,#LWljanmosu", min_size=1, max_size=8),
        min_size=5,
        max_size=5,
    )
)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_text_of_five_fields_is_taken_or_told_what_is_wrong(fields: list[str]) -> None:
    cron = " ".join(fields)

    if cron_flaw(cron) == "":
        start = CronStarts(cron, "UTC").after(milliseconds_of("2026-11-26T00:00:00Z"))
        assert CronStarts(cron, "UTC").at_or_before(start) == start


@given(day=st.integers(1, 31), month=st.integers(1, 12), year=st.integers(1970, 2150))
@example(29, 2, 2073)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_date_that_has_to_be_a_sunday_comes_again_whenever_one_asks(
    day: int, month: int, year: int
) -> None:
    """The rarest expressions there are: 29 February is a Sunday in 2072 and then in 2112."""
    cron = f"0 0 {day} {month} */7"
    now = milliseconds_of_moment(datetime(year, 6, 1, tzinfo=UTC))

    if cron_flaw(cron) == "":
        starts = CronStarts(cron, "UTC")
        for start in (starts.at_or_before(now), starts.after(now)):
            assert moment_of(start).isoweekday() == 7
            assert (moment_of(start).month, moment_of(start).day) == (month, day)


@pytest.mark.parametrize(
    ("cron", "gap"),
    [
        ("* * * * *", timedelta(minutes=1)),
        ("0 0 * * 1", timedelta(days=7)),
        ("0 0 * * 1,2", timedelta(days=1)),
        ("0 0 1 * *", timedelta(days=28)),
        ("0 0 29 2 *", timedelta(days=1461)),
        ("0,50 0 * * *", timedelta(minutes=50)),
        ("0 0,23 * * *", timedelta(hours=1)),
        ("0 0 * 2 MON#5", timedelta(days=3660)),  # once in 28 years: longer than is looked at
    ],
)
def test_the_shortest_gap_is_found_among_the_first_starts(cron: str, gap: timedelta) -> None:
    assert shortest_gap(cron) == gap
