"""How often a caller may do something."""

from __future__ import annotations

import msgspec
import pytest

from scoreboard.api.pace import Pace
from scoreboard.domain.boards import Rate


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_caller_goes_so_often_at_once_and_then_at_the_lasting_rate() -> None:
    clock = Clock()
    pace = Pace(Rate(10, 5), clock=clock)
    assert [pace.wait("ann") for _ in range(10)] == [0] * 10
    assert pace.wait("ann") == pytest.approx(0.5)
    assert pace.wait("bob") == 0, "of others nothing is taken"
    clock.now += 0.5
    assert pace.wait("ann") == 0
    assert pace.wait("ann") == pytest.approx(0.5), "a refusal takes no turn"
    taken = 0
    for _ in range(1000):
        clock.now += 0.1
        taken += pace.wait("ann") == 0
    assert taken == pytest.approx(200, abs=1), "100 s at 2 a second"
    clock.now += 5
    assert [pace.wait("ann") for _ in range(10)] == [0] * 10
    assert pace.wait("ann") > 0


def test_without_a_rate_there_is_no_limit() -> None:
    pace = Pace(None, clock=Clock())
    assert [pace.wait("ann") for _ in range(5000)] == [0] * 5000


def test_callers_that_are_kept_in_mind_are_bounded_and_busy_ones_are_among_them() -> None:
    pace = Pace(Rate(2, 60), clock=Clock(), remembered=100)
    for n in range(1000):
        pace.wait(f"user-{n}")
        pace.wait("ann")
        assert n < 2 or pace.wait("ann") > 0
    assert len(pace._young) + len(pace._old) <= 100


@pytest.mark.parametrize(
    "text", ["", "none ", "5", "5/", "/5", "0/5", "1001/5", "5/0", "5/nan", "x/5"]
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        Rate.from_text(text)


def test_a_rate_is_read_as_it_is_written() -> None:
    assert Rate.from_text("20/1.5") == Rate(20, 1.5)
    assert Rate.from_text("none") is None
