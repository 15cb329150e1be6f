"""A model that would refuse too much of the last week is told from one that would not."""

from __future__ import annotations

import pytest

from scoreboard.anomaly.activation import LastWeek, last_week
from scoreboard.anomaly.model import Model
from scripts.synthetic_season import DAY, HOUR, season
from tests.support.extent import further


@further
def test_a_season_like_that_of_the_training_is_not_too_many(model: Model) -> None:
    week = last_week(model, season(seed=2))
    assert week.actions > 1_000
    assert not week.too_many


def test_a_last_week_unlike_all_before_is_too_many(model: Model) -> None:
    cases = season(seed=2)
    last = cases[-1].at_ms - 5 * DAY
    for case in cases:
        if case.at_ms > last:
            case.at_ms += 9 * HOUR  # in the small hours, when nobody ever plays
    cases.sort(key=lambda case: case.at_ms)
    assert last_week(model, cases).too_many


@pytest.mark.parametrize(
    ("actions", "refused", "too_many"), [(1_000, 9, False), (1_000, 12, True), (10, 1, False)]
)
def test_chance_is_no_reason(actions: int, refused: int, too_many: bool) -> None:
    assert LastWeek(actions, refused / actions, allowed=0.004).too_many is too_many
