"""The open loop's timetable."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scripts.load.open_loop import SECOND, arrivals
from scripts.load_test.plan import Plan
from scripts.load_test.schedule import ORDINARY, timetable


def test_all_senders_together_make_exactly_the_rate_asked_for(
    make_plan: Callable[..., Plan],
) -> None:
    plan = make_plan(rate=1000.0, duration=7.0, warmup=3.0, senders=3)

    assert sum(len(timetable(plan, sender)[0]) for sender in range(3)) == 10_000


def test_calls_of_a_batch_are_as_many_fewer(make_plan: Callable[..., Plan]) -> None:
    plan = make_plan(rate=1000.0, duration=10.0, batch=100)
    _, boards = timetable(plan, 0)

    assert (boards == ORDINARY).sum() * 100 + (boards != ORDINARY).sum() == 10_000


def test_the_gaps_of_a_poisson_process_vary_as_much_as_their_mean() -> None:
    gaps = np.diff(arrivals(100_000, 100.0, np.random.default_rng(1))) / SECOND

    assert abs(gaps.mean() - 0.001) < 0.00002
    assert abs(gaps.std() - gaps.mean()) < 0.00002


def test_even_arrivals_keep_one_distance() -> None:
    gaps = np.diff(arrivals(1000, 10.0, None))

    assert gaps.max() - gaps.min() <= 2  # ns
    assert gaps[0] == SECOND // 100


def test_the_same_seed_gives_the_same_timetable(make_plan: Callable[..., Plan]) -> None:
    first, again, other = (timetable(make_plan(seed=seed), 0)[0] for seed in (1, 1, 2))

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_probes_take_the_boards_in_turn_at_a_steady_rate(make_plan: Callable[..., Plan]) -> None:
    plan = make_plan(rate=1000.0, duration=6.0, boards=3, senders=2)
    probes = sorted(
        (int(at), int(board))
        for sender in range(2)
        for at, board in zip(*timetable(plan, sender), strict=True)
        if board != ORDINARY
    )

    assert [board for _, board in probes] == [0, 1, 2] * 20
    gaps = np.diff([at for at, _ in probes])
    assert np.abs(gaps - SECOND // 10).max() <= 1  # ns
