"""What a process believes of boards' periods, and names in its calls."""

from __future__ import annotations

import pytest

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.occurrences import Occurrence
from scoreboard.domain.periods import Period
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.known_periods import KnownPeriod, latest
from scoreboard.write_path import period_beliefs
from scoreboard.write_path.period_beliefs import PeriodBeliefs

DAY_MS = 86_400_000
NOON = 1_800_000_000_000 // DAY_MS * DAY_MS + DAY_MS // 2
MIDNIGHT = NOON + DAY_MS // 2
DAY = Period("day", cron="0 0 * * *", grace=60)
SETTINGS = BoardSettings(periods=(DAY,))


@pytest.fixture
def beliefs() -> PeriodBeliefs:
    return PeriodBeliefs(Keyspace(8))


def named(beliefs: PeriodBeliefs, settings: BoardSettings = SETTINGS) -> str:
    return beliefs.arguments("arena", settings).args[1].decode()


def at(monkeypatch: pytest.MonkeyPatch, now: int) -> None:
    """Sets this machine's clock."""
    monkeypatch.setattr(period_beliefs, "_own_clock", lambda: now)


def test_without_knowledge_the_first_occurrence_is_named(
    beliefs: PeriodBeliefs, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, NOON)
    assert named(beliefs) == f"1 {MIDNIGHT - DAY_MS} {MIDNIGHT} {MIDNIGHT + 60_000}"


def test_what_it_was_told_holds_until_its_end_and_then_the_next_is_named(
    beliefs: PeriodBeliefs, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, NOON)
    truth = f"7 {NOON - 1000} {MIDNIGHT} {MIDNIGHT}"
    beliefs.learn("arena", [b"%d" % NOON, b"day", truth.encode()])
    assert named(beliefs) == truth
    at(monkeypatch, MIDNIGHT - 1)
    assert named(beliefs) == truth
    at(monkeypatch, MIDNIGHT)
    assert named(beliefs).startswith(f"8 {MIDNIGHT} {MIDNIGHT + DAY_MS} ")


def test_it_goes_by_redis_clock_once_it_has_been_told(
    beliefs: PeriodBeliefs, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, NOON)
    beliefs.learn("arena", [b"%d" % (NOON + DAY_MS), b"day", b""])
    assert named(beliefs).startswith(f"1 {MIDNIGHT} {MIDNIGHT + DAY_MS} ")


def test_the_keys_are_those_of_the_occurrence_and_of_the_one_before(
    beliefs: PeriodBeliefs, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, NOON)
    keys = [key.decode().split(":", 2)[2] for key in beliefs.arguments("arena", SETTINGS).keys]
    assert keys == [
        *("board:arena:day:1", "hidden:arena:day:1", "meta:arena:day:1", "top:arena:day"),
        *("board:arena:day:0", "hidden:arena:day:0", "meta:arena:day:0"),
    ]


def test_new_settings_are_heeded_at_once(
    beliefs: PeriodBeliefs, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, NOON)
    assert len(beliefs.arguments("arena", SETTINGS).keys) == 7
    limited = BoardSettings(periods=(DAY,), attempts=3)
    assert len(beliefs.arguments("arena", limited).keys) == 9


def test_after_years_of_silence_the_number_goes_on_by_one() -> None:
    long_ago = KnownPeriod(Occurrence(3, 0, DAY_MS), DAY_MS)
    assert latest(DAY, long_ago, NOON).latest == Occurrence(4, MIDNIGHT - DAY_MS, MIDNIGHT)
