"""The share of players at or below a rank."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scoreboard.domain.standings import percentile


@given(st.integers(1, 10**9), st.data())
def test_a_percentile_is_rounded_as_python_rounds_to_two_places(
    players: int, data: st.DataObject
) -> None:
    rank = data.draw(st.integers(1, players))
    assert percentile(rank, players) == round(100.0 * (players - rank + 1) / players, 2)


def test_also_where_two_places_are_equally_near() -> None:
    for players in (32, 8_000, 20_000):  # 1 of 32 is 3.125 percent, 4,054 of 8,000 are 50.675
        for rank in range(1, players + 1):
            exact = 100.0 * (players - rank + 1) / players
            assert percentile(rank, players) == round(exact, 2)
