"""What the command of the benchmarks promises."""

from __future__ import annotations

import importlib

import pytest

from scripts.bench.__main__ import BENCHMARKS
from scripts.bench.figures import Bound


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_is_a_module_with_a_command(name: str) -> None:
    assert callable(importlib.import_module(f"scripts.bench.{name}").main)


def test_a_bound_is_reached_from_its_own_side() -> None:
    assert [Bound(2).reached(value) for value in (1, 2, 3)] == [True, True, False]
    assert [Bound(2, at_least=True).reached(value) for value in (1, 2, 3)] == [False, True, True]
    assert (str(Bound(1000)), str(Bound(2.2, at_least=True))) == ("at most 1,000", "at least 2.2")
