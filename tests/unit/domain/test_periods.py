"""Which rules of periods are taken, and what is said of those that are not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from scoreboard.domain.flaws import FieldFlaw
from scoreboard.domain.periods import Period, Periods, check_names

WEEK = {"name": "week", "cron": "0 0 * * 1", "zone": "Europe/Berlin"}
BLITZ = {"name": "blitz", "every": "PT30S", "start": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    "rule",
    [
        WEEK,
        BLITZ,
        {"name": "day", "cron": "0 0 * * *"},
        WEEK | {"duration": "P2D", "grace": 3600, "keep": 10},
        WEEK | {"zone": "Australia/Lord_Howe"},
        WEEK | {"cron": "0 18 * * SAT#1"},
        BLITZ | {"every": "P1W", "start": "2026-01-01T00:00:00.500000+05:30"},
        BLITZ | {"every": "PT1S"},
        BLITZ | {"every": "P3660D", "duration": "P3660D"},
        BLITZ | {"duration": "PT30S", "grace": 29},
        {"name": "2-minutes_x", "cron": "*/2 * * * *", "grace": 119, "duration": "PT2M"},
    ],
)
def test_a_rule_is_kept_as_it_was_written_without_what_goes_without_saying(
    rule: dict[str, Any],
) -> None:
    period = msgspec.convert(rule, Period)

    assert msgspec.to_builtins(period) == rule
    assert msgspec.json.decode(msgspec.json.encode(period), type=Period) == period


def test_the_zone_is_utc_when_none_is_named() -> None:
    named = msgspec.convert({"name": "day", "cron": "0 0 * * *", "zone": "UTC"}, Period)

    assert named == msgspec.convert({"name": "day", "cron": "0 0 * * *"}, Period)
    assert msgspec.json.encode(named) == b'{"name":"day","cron":"0 0 * * *"}'


@pytest.mark.parametrize(
    ("rule", "field", "sentence"),
    [
        ({"name": "x"}, "", "needs `cron`, or `every` with `start`"),
        ({"name": "x", "zone": "UTC"}, "", "needs `cron`, or `every` with `start`"),
        ({"name": "x", "start": "2026-01-01T00:00:00Z"}, "", "needs `cron`, or `every`"),
        (WEEK | {"every": "P1D"}, "every", "with `cron` has no `every`"),
        (WEEK | {"start": "2026-01-01T00:00:00Z"}, "start", "with `cron` has no `start`"),
        (WEEK | {"cron": "0 25 * * 1"}, "cron", "'0 25 * * 1' is not a cron expression: bad hour"),
        (WEEK | {"cron": "0 0 30 2 *"}, "cron", "bad day-of-month"),
        (WEEK | {"cron": "0 0 0 * * *"}, "cron", "needs five fields"),
        (WEEK | {"cron": "* * */20 * 1L"}, "cron", "never occurs"),
        (WEEK | {"zone": "Europe/Atlantis"}, "zone", "'Europe/Atlantis' is not a time zone"),
        (WEEK | {"zone": "europe/berlin"}, "zone", "not a time zone"),
        (WEEK | {"zone": "right/Europe/Berlin"}, "zone", "not a time zone"),
        (WEEK | {"zone": "localtime"}, "zone", "not a time zone"),
        (WEEK | {"zone": "../../etc/passwd"}, "zone", "not a time zone"),
        (WEEK | {"zone": "Europe"}, "zone", "not a time zone"),
        (WEEK | {"zone": ""}, "zone", "not a time zone"),
        (BLITZ | {"zone": "Europe/Berlin"}, "zone", "follows no clock"),
        ({"name": "x", "every": "PT30S"}, "start", "counted from a `start`"),
        (BLITZ | {"start": "1969-12-31T23:59:59Z"}, "start", "outside the years 1970 to 2089"),
        (BLITZ | {"start": "2090-01-01T00:00:00Z"}, "start", "outside the years 1970 to 2089"),
        (BLITZ | {"every": "P1M"}, "every", "'P1M' has years or months"),
        (BLITZ | {"every": "monthly"}, "every", "not a duration of whole weeks"),
        (BLITZ | {"every": "PT0S"}, "every", "not between 1 second and 3660 days"),
        (BLITZ | {"every": "P3661D"}, "every", "not between 1 second and 3660 days"),
        (BLITZ | {"duration": "PT31S"}, "duration", "longer than the time between two starts"),
        (BLITZ | {"duration": "P1Y"}, "duration", "'P1Y' has years or months"),
        (BLITZ | {"duration": "P0D"}, "duration", "not between 1 second"),
        (WEEK | {"duration": "P8D"}, "duration", "between two starts, at the shortest 7 days"),
        (WEEK | {"cron": "0 0 * * 1,2", "duration": "P2D"}, "duration", "the shortest 1 day"),
        (BLITZ | {"grace": 30}, "grace", "shorter than the time between two starts"),
        ({"name": "x", "cron": "* * * * *", "grace": 60}, "grace", "at the shortest 0:01:00"),
    ],
)
def test_a_rule_that_says_no_period_is_refused_with_the_field_at_fault(
    rule: dict[str, Any], field: str, sentence: str
) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert([BLITZ, rule], Periods)

    flaw = caught.value.__cause__
    assert isinstance(flaw, FieldFlaw)
    assert flaw.field == field
    assert sentence in str(flaw)
    assert str(caught.value) == f"{flaw} - at `$[1]`"


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""}, {"name": "Week"}, {"name": "-week"}, {"name": "a:b"}, {"name": "week\n"},
        {"name": "w" * 33}, {"cron": "0 " * 61}, {"zone": "Z" * 65}, {"grace": -1},
        {"grace": 86_401}, {"grace": 0.5}, {"keep": 0}, {"keep": 1_000_001}, {"colour": "red"},
        {"start": "2026-01-01T00:00:00"}, {"start": "2026-02-30T00:00:00Z"}, {"start": 0},
    ],
    ids=str,
)  # fmt: skip
def test_fields_have_bounds_of_their_own(change: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError, match=next(iter(change))):
        msgspec.json.decode(msgspec.json.encode(WEEK | change), type=Period)


def test_a_board_has_at_most_eight_periods() -> None:
    rules = [WEEK | {"name": f"week-{number}"} for number in range(9)]

    assert len(msgspec.convert(rules[:8], Periods)) == 8
    with pytest.raises(msgspec.ValidationError, match="length <= 8"):
        msgspec.convert(rules, Periods)


def test_two_periods_of_a_board_can_not_have_one_name() -> None:
    check_names(msgspec.convert([WEEK, BLITZ], Periods))

    with pytest.raises(FieldFlaw, match="Two periods have the name 'week'") as caught:
        check_names(msgspec.convert([WEEK, BLITZ, WEEK], Periods))
    assert caught.value.field == "periods[2].name"
