"""Numbers of things are told as people say them."""

from __future__ import annotations

import pytest

from scoreboard.domain.quantities import quantity


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 users"), (1, "1 user"), (2, "2 users"), (1200, "1,200 users")]
)
def test_one_is_one_and_all_else_are_several(number: int, words: str) -> None:
    assert quantity(number, "user", ",") == words
