"""The judge of walks through a board that moves."""

from __future__ import annotations

import pytest

from scripts.bench.paging import flaws


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        ("abc", (0, 0, 0)),
        ("axbyxcx", (0, 0, 0)),
        ("ac", (1, 0, 0)),
        ("", (3, 0, 0)),
        ("abcb", (0, 1, 0)),
        ("bac", (0, 0, 2)),
        ("cca", (1, 1, 2)),
    ],
)
def test_only_those_who_stay_are_judged(seen: str, found: tuple[int, int, int]) -> None:
    assert tuple(flaws([*"abc"], [*seen]).values()) == found
