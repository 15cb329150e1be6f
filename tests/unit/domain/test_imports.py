"""What actions are made of a row that is imported, and which rows none are made of."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoreboard.domain.actions import MAX_POINTS
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.imports import Plan, SourceRow

INF = float("inf")


def points(score: Any, decimals: int = 0, user: str = "ann", **rules: Any) -> list[int]:
    plan = Plan(BoardSettings(**rules), "season", decimals)
    return [one for _, one in plan.actions(SourceRow(1, user, score))]


@pytest.mark.parametrize(
    ("score", "decimals", "total"),
    [
        (7, 0, 7),
        (7.0, 0, 7),
        (-0.0, 0, 0),
        (83.204, 3, 83204),
        (83.2, 3, 83200),
        (0.1, 1, 1),
        (1e-6, 6, 1),
        (-12.5, 1, -125),
        (Decimal("1e3"), 0, 1000),
        (Decimal("83.2040"), 3, 83204),
        (Decimal("0.000"), 0, 0),
        (7, 2, 700),
    ],
)
def test_a_score_is_taken_exactly(score: Any, decimals: int, total: int) -> None:
    assert points(score, decimals) == [total]


@pytest.mark.parametrize(
    ("score", "decimals", "reason"),
    [
        (83.204, 2, "3 decimals; at most 2 are taken"),
        (0.1 + 0.2, 1, "17 decimals; at most 1 are taken"),
        (1.5, 0, "1 decimal; at most 0 are taken"),
        (Decimal("1." + "0" * 33 + "1"), 6, "34 decimals; at most 6 are taken"),
        (INF, 0, "no number"),
        (-INF, 0, "no number"),
        (float("nan"), 0, "no number"),
        (Decimal("NaN"), 0, "no number"),
        (2.0**51, 0, r"within -2\^50"),
        (1e300, 6, r"within -2\^50"),
        (Decimal("1e999999"), 6, r"within -2\^50"),
        (Decimal("-1e9999999999"), 0, r"within -2\^50"),
        (Decimal("1e-9999999999"), 0, "9999999999 decimals"),
        (2**50, 1, r"within -2\^50"),
    ],
)
def test_a_score_that_can_not_be_held_is_refused(score: Any, decimals: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        points(score, decimals)


@given(st.integers(-(10**12), 10**12), st.integers(0, 6))
def test_the_double_nearest_to_a_total_with_decimals_gives_that_total(
    total: int, decimals: int
) -> None:
    assert sum(points(float(Decimal(total).scaleb(-decimals)), decimals)) == total


@pytest.mark.parametrize("total", [2**31, -(2**31), 2**40, 3 * MAX_POINTS, 1000 * MAX_POINTS])
def test_a_total_beyond_one_action_is_made_of_several_where_they_add_up(total: int) -> None:
    parts = points(total)

    assert sum(parts) == total
    assert all(abs(part) <= MAX_POINTS for part in parts)
    plan = Plan(BoardSettings(), "season", 0)
    names = [name for name, _ in plan.actions(SourceRow(1, "ann", total))]
    assert names[:2] == ["import:season", "import:season#2"]
    assert len(set(names)) == len(parts)


@pytest.mark.parametrize(
    ("row", "rules", "reason"),
    [
        (("ann", 2**31), {"operator": "best"}, "at most 2,147,483,647 points"),
        (("ann", 2**50), {}, "more than 1,000 actions"),
        (("ann", 101), {"max_points": 100}, "takes -2,147,483,647 to 100 points at once"),
        (("", 1), {}, "no user id"),
        (("a\n", 1), {}, "no user id"),
        (("x" * 129, 1), {}, "no user id"),
        (("\udcff", 1), {}, "no user id"),
        (("a b ", 1), {"ids": "nfc-visible"}, "does not take this user id: it has spaces"),
        (("ä", 1), {"ids": "ascii"}, "does not take this user id"),
    ],
)
def test_what_the_board_does_not_take_is_refused(
    row: tuple[str, int], rules: dict[str, Any], reason: str
) -> None:
    user, score = row
    with pytest.raises(ValueError, match=reason):
        points(score, user=user, **rules)
