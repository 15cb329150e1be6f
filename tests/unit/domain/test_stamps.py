"""What a zset score tells: a total and when it was reached, as finely as a double can."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoreboard.domain.boards import MAX_TOTAL
from scoreboard.domain.moments import EARLIEST_MS, LATEST_MS
from scoreboard.domain.stamps import EPOCH_MS, LAST_MS, is_stamp, reached_between, stamp

totals = st.one_of(st.integers(-5000, 5000), st.integers(-MAX_TOTAL, MAX_TOTAL))


@settings(max_examples=300, derandomize=True, deadline=None)
@given(totals, st.integers(EPOCH_MS - 5, LAST_MS + 5))
def test_the_milliseconds_of_a_stamp_are_all_those_that_give_it(total: int, reached: int) -> None:
    zset_score = stamp(total, reached)
    assert is_stamp(zset_score)
    first, last = reached_between(zset_score)
    assert first <= reached <= last
    assert {stamp(total, first), stamp(total, last)} == {zset_score}
    assert first == EARLIEST_MS or stamp(total, first - 1) > zset_score
    assert last == LATEST_MS or stamp(total, last + 1) < zset_score


def test_a_small_total_tells_each_millisecond_and_a_large_one_does_not() -> None:
    reached = 1_800_000_000_000
    assert reached_between(stamp(1000, reached)) == (reached, reached)
    first, last = reached_between(stamp(10**6, reached))
    assert last - first == 512


@pytest.mark.parametrize(
    "number",
    [
        *(math.nan, math.inf, -math.inf, 1e300, MAX_TOTAL + 1.0, -MAX_TOTAL - 0.5),
        *(5.75, -0.25, 2.0**-43, 5e-324),
    ],
)
def test_what_no_total_and_time_give_is_no_stamp(number: float) -> None:
    assert not is_stamp(number)
