"""Pauses between attempts grow, end to end, and differ from process to process."""

from __future__ import annotations

import random

import pytest

from scoreboard.backoff import Backoff


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_each_pause_is_at_most_twice_the_one_before_and_at_least_half_its_own(
    share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: low + share * (high - low))
    backoff = Backoff(first=1.0, longest=5.0)
    assert [backoff.next() for _ in range(5)] == [(1 + share) / 2 * n for n in (1, 2, 4, 5, 5)]
