"""From accounts to figures."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from scripts.load import cpu, histograms
from scripts.load.open_loop import SECOND
from scripts.load.service import Server
from scripts.load.target import Target
from scripts.load_test import figures
from scripts.load_test.account import SenderReport
from scripts.load_test.calls import Calls, Deliveries
from scripts.load_test.monitor import Sample, monitored
from scripts.load_test.plan import Plan, refusal
from scripts.load_test.series import series
from scripts.load_test.watcher import WatcherReport


def _probes(*rows: tuple[int, int, int]) -> SenderReport:
    """Of each its board, when it was due, and its score."""
    return SenderReport(
        calls=np.zeros((0, 7), np.int64), probes=np.array(rows, np.int64).reshape(-1, 3),
        points=np.zeros((1, 1), np.int64), acknowledged=0, outcomes=Counter(), violations=[],
        violation_count=0, unsettled=0, cpu_seconds=0.0,
    )  # fmt: skip


def _seen(*clients: tuple[int, list[int], list[int]]) -> WatcherReport:
    """Of each client its board, when the probe's score grew, and to what."""
    boards, at, scores = zip(*clients, strict=True)
    return WatcherReport(list(boards), list(map(np.array, at)), list(map(np.array, scores)), 0.0)


def _calls(**arrays: list[int]) -> Calls:
    size = max(map(len, arrays.values()))
    names = ("due", "lag", "service", "latency", "accepted", "known", "refused")
    return Calls(*(np.array(arrays.get(name, [0] * size), np.int64) for name in names))


def test_percentiles_are_those_of_the_values_to_three_digits() -> None:
    found = histograms.latency(np.arange(1, 100_001, dtype=np.int64) * 1_000_000)

    assert found.count == 100_000
    assert found.p50 == pytest.approx(50_000, rel=0.001)
    assert found.p99 == pytest.approx(99_000, rel=0.001)
    assert found.p999 == pytest.approx(99_900, rel=0.001)
    assert found.max == pytest.approx(100_000, rel=0.001)


def test_a_curve_ends_where_too_few_values_speak() -> None:
    found = histograms.latency(np.full(1000, 5_000_000, np.int64))

    assert found.curve[-1][0] == 99.9
    assert found.curve[-1][1] == pytest.approx(5, rel=0.001)


def test_a_probe_has_arrived_with_the_first_top_10_that_covers_it() -> None:
    # The second probe was merged into the update that shows the third.
    sender = _probes((0, 100, 1001), (0, 200, 1002), (0, 300, 1003))
    watcher = _seen((0, [50, 150, 420], [1000, 1001, 1003]), (0, [50, 160], [1000, 1001]))
    found = Deliveries.of([sender], [watcher], since=0)

    assert found.latency.tolist() == [50, 220, 120, 60]
    assert found.missed == 2


def test_probes_are_looked_for_on_their_own_board_and_after_the_warm_up_only() -> None:
    sender = _probes((0, 100, 1001), (1, 90, 501), (1, 200, 502))
    watcher = _seen((1, [10, 230], [500, 502]))
    found = Deliveries.of([sender], [watcher], since=100)

    assert found.latency.tolist() == [30]
    assert found.missed == 0


def test_throughput_counts_answers_that_came_in_the_measured_time(
    make_plan: Callable[..., Plan],
) -> None:
    plan = make_plan(warmup=1.0, duration=2.0)
    calls = _calls(
        due=[0, SECOND, 2 * SECOND, 3 * SECOND - 10], latency=[5, 5, 5, 20], accepted=[1, 4, 2, 8]
    )

    assert figures.rate(plan, calls, calls.accepted) == 3.0


def test_cpu_is_that_of_the_actions_between_two_samples(make_plan: Callable[..., Plan]) -> None:
    plan = make_plan(warmup=1.0, duration=2.0)
    samples = [
        Sample(at, {"api": used}, 0.5, 0)
        for at, used in ((0, 0.0), (SECOND, 1.0), (2 * SECOND, 1.5), (4 * SECOND, 9.0))
    ]
    calls = _calls(due=[0, SECOND, SECOND + 5, 3 * SECOND], accepted=[1, 1, 3, 7])

    assert figures.cpu_per_thousand(plan, calls, samples, 0) == {"api": 0.5 * 1e6 / 4}


def test_cpu_is_known_even_if_no_sample_falls_into_the_measured_time(
    make_plan: Callable[..., Plan],
) -> None:
    plan = make_plan(warmup=1.0, duration=1.0)
    samples = [Sample(0, {"api": 1.0}, 0.5, 0), Sample(5 * SECOND, {"api": 3.0}, 0.5, 0)]
    calls = _calls(due=[5, SECOND, SECOND + 5], accepted=[1, 3, 4])

    assert figures.cpu_per_thousand(plan, calls, samples, 0) == {"api": 2.0 * 1e6 / 8}


async def test_the_shortest_load_has_a_sample_before_it_and_one_after_it() -> None:
    nobody = Target("http://127.0.0.1:1", "token")
    async with monitored(Server(nobody, pid=os.getpid())) as samples:
        during = time.monotonic_ns()

    first, *_, last = samples
    assert first.at < during < last.at
    assert set(first.cpu) == set(last.cpu) == set(cpu.PARTS)


def test_a_late_generator_and_a_rate_not_kept_are_said(make_plan: Callable[..., Plan]) -> None:
    plan = make_plan(rate=4.0, duration=1.0)
    on_time = _calls(due=[0, 1, 2, 3], accepted=[1] * 4)
    late = _calls(due=[0, 1, 2, 3], accepted=[1, 1, 1, 0], lag=[20_000_000] * 4)

    def warnings(calls: Calls) -> list[str]:
        return figures.generator(plan, calls, [_probes()], [], [], 0).warnings

    assert warnings(on_time) == []
    assert "20.0 ms late" in warnings(late)[0]
    assert "not sustained" in warnings(late)[1]


def test_other_programs_at_work_are_said(
    make_plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "_CORES", 2)
    plan = make_plan(rate=2.0, duration=2.0)
    calls = _calls(due=[0, 1, 2, 3], accepted=[1] * 4)
    samples = [Sample(0, {"api": 0.0}, 0.9, 0), Sample(SECOND, {"api": 0.4}, 0.9, 0)]
    found = figures.generator(plan, calls, [_probes()], [], samples, 0)

    assert found.others_cpu == pytest.approx(2 * 0.9 - 0.4)
    assert found.warnings == [
        "Other programs used 1.4 of 2 cores: the figures are not those of an idle machine."
    ]


def test_the_series_puts_latencies_where_calls_were_due_and_answers_where_they_came(
    make_plan: Callable[..., Plan],
) -> None:
    plan = make_plan(duration=3.0)
    calls = _calls(due=[0, SECOND], latency=[1_000_000, int(1.5 * SECOND)], accepted=[1, 1])
    nothing = Deliveries(np.zeros(0, np.int64), np.zeros(0, np.int64), 0)
    found = series(plan, calls, nothing, [], 0)

    assert found.accepted == [1.0, 0.0, 1.0]
    assert found.post_max == [1.0, 1500.0, None]


@pytest.mark.parametrize(
    "url", ["http://example.com:8080", "http://10.0.0.1", "https://127.0.0.1", "localhost:80"]
)
def test_only_a_server_on_this_machine_is_put_under_load(
    make_plan: Callable[..., Plan], url: str
) -> None:
    assert refusal(make_plan(), url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://localhost:8080/", "http://[::1]:1"]
)
def test_loopback_addresses_are_accepted(make_plan: Callable[..., Plan], url: str) -> None:
    assert refusal(make_plan(), url) is None


def test_the_probe_is_lifted_above_what_anyone_can_reach(make_plan: Callable[..., Plan]) -> None:
    plan = make_plan(rate=100_000.0, duration=3600.0)

    assert sum(plan.lift) > plan.rate * plan.seconds * 100
    assert max(plan.lift) < 2**31
