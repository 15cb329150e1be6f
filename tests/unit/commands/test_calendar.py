"""``scoreboard calendar``: what a period would be like."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from scoreboard.commands.program import app
from scoreboard.errors import ConfigurationError


def lines(*options: str) -> list[str]:
    ended = CliRunner().invoke(app, ["calendar", *options])
    if ended.exception is not None:
        raise ended.exception
    return ended.output.splitlines()


def test_it_shows_a_week_by_the_clock_of_its_zone_and_in_utc_across_a_change_of_clocks() -> None:
    zone = ("--cron", "0 0 * * 1", "--zone", "Europe/Berlin")
    assert lines(*zone, "--from", "2026-03-20T12:00:00Z", "--count", "2") == [
        "Mon 2026-03-16 00:00:00+01:00 to Mon 2026-03-23 00:00:00+01:00   "
        "Sun 2026-03-15 23:00:00Z to Sun 2026-03-22 23:00:00Z",
        "Mon 2026-03-23 00:00:00+01:00 to Mon 2026-03-30 00:00:00+02:00   "
        "Sun 2026-03-22 23:00:00Z to Sun 2026-03-29 22:00:00Z",
    ]


def test_it_shows_even_pieces_and_how_long_each_is_open() -> None:
    pieces = ("--every", "PT30S", "--start", "2026-01-01T00:00:00Z", "--duration", "PT10S")
    assert lines(*pieces, "--from", "2026-01-01T02:00:20+01:00", "--count", "2") == [
        "Thu 2026-01-01 01:00:30Z to Thu 2026-01-01 01:00:40Z",
        "Thu 2026-01-01 01:01:00Z to Thu 2026-01-01 01:01:10Z",
    ]


def test_it_shows_five_from_now_on() -> None:
    assert len(lines("--cron", "0 0 1 * *")) == 5


@pytest.mark.parametrize(
    "rule",
    [
        ("--cron", "0 0 29 2 */7"),
        ("--cron", "0 0 1 1 *", "--zone", "America/New_York"),
        ("--every", "P3660D", "--start", "2026-01-01T00:00:00Z"),
    ],
)
def test_it_ends_where_the_clocks_of_boards_do(rule: tuple[str, ...]) -> None:
    *shown, last = lines(*rule, "--from", "2026-06-01T00:00:00Z", "--count", "1000")
    assert last == "Later ones lie beyond the year 2089."
    assert 0 < len(shown) < 70
    starts = [line.split()[1] for line in shown]
    assert starts == sorted(set(starts))
    assert starts[-1] < "2090"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "needs `cron`, or `every`"),
        (["--cron", "0 0 30 2 *"], "not a cron expression"),
        (["--cron", "0 0 * *"], "five fields"),
        (["--cron", "0 0 * * *", "--zone", "Mars/Olympus"], "not a time zone's name"),
        (["--every", "PT30S"], "counted from a `start`"),
        (["--every", "P1M", "--start", "2026-01-01T00:00:00Z"], "'P1M'"),
        (["--every", "PT30S", "--start", "yesterday"], "--start is a moment"),
        (["--cron", "0 0 * * *", "--duration", "P2D"], "longer than the time"),
        (["--cron", "0 0 * * *", "--from", "soon"], "such as 2026-12-05T18:00:00Z, not 'soon'"),
        (["--cron", "0 0 * * *", "--from", "2026-01-01T00:00:00"], "offset"),
        (["--cron", "0 0 * * *", "--from", "1969-01-01T00:00:00Z"], "1970"),
    ],
)
def test_what_can_be_no_period_is_an_error_of_one_line(options: list[str], words: str) -> None:
    with pytest.raises(ConfigurationError) as failed:
        lines(*options)
    assert words in failed.value.detail
    assert "\n" not in failed.value.detail
