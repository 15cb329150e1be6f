"""The senders' loop against a stub: what is counted, when, and how often."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import numpy as np

from scripts.load.target import Target
from scripts.load_test import figures
from scripts.load_test.account import SenderReport
from scripts.load_test.calls import Calls
from scripts.load_test.plan import Plan
from scripts.load_test.sender import Sender
from tests.support.waiting import wait_until
from tests.unit.load_test.stub import Stub


async def _sent(plan: Plan, target: Target) -> SenderReport:
    """Run one sender from now on."""
    sender = Sender(plan, target, 0)
    await sender.connect()
    await sender.begin(time.monotonic_ns())
    return await sender.report()


def _acknowledged(plan: Plan, report: SenderReport) -> dict[str, dict[str, int]]:
    """Points by board and user, without those that probes have from before the start."""
    found = figures.acknowledged(plan, [report])
    for totals in found.values():
        totals["probe"] -= sum(plan.lift)
    return found


async def test_every_acknowledged_point_is_accounted_for_and_no_duplicate_counts(
    stub: Stub, target: Target, make_plan: Callable[..., Plan]
) -> None:
    plan = make_plan(boards=2)
    report = await _sent(plan, target)

    assert _acknowledged(plan, report) == stub.totals
    assert report.acknowledged == len(stub.receipts) == report.outcomes["200"]
    assert report.outcomes["409 duplicate_action"] > 5
    assert report.violations == []
    assert len(Calls.of([report]).due) == 100


async def test_batches_are_accounted_for_action_by_action(
    stub: Stub, target: Target, make_plan: Callable[..., Plan]
) -> None:
    plan = make_plan(batch=5, rate=1000.0)
    report = await _sent(plan, target)

    assert _acknowledged(plan, report) == stub.totals
    assert Calls.of([report]).actions.sum() == 500
    assert report.outcomes["409 duplicate_action"] > 20


async def test_a_stall_shows_in_every_call_that_was_due_meanwhile(
    stub: Stub, target: Target, make_plan: Callable[..., Plan]
) -> None:
    plan = make_plan(rate=400.0, duration=1.5, even=True)
    sending = asyncio.create_task(_sent(plan, target))
    await wait_until(lambda: stub.posts > 100, description="some calls")
    stub.flowing.clear()
    stalled_at = time.monotonic()
    await wait_until(lambda: time.monotonic() > stalled_at + 0.5, description="half a second")
    stub.flowing.set()
    calls = Calls.of([await sending])

    slow = 250_000_000  # ns: half of the stall
    # A closed loop would notice the stall once for each of its four connections.
    assert (calls.service > slow).sum() == plan.connections
    # The open loop counts all that were due in the first half of it: 100 at 400 a second.
    assert (calls.latency > slow).sum() >= 90
    assert np.percentile(calls.latency, 99.9) > 450_000_000
    assert np.percentile(calls.latency, 50) < slow


async def test_an_action_without_an_answer_is_sent_again_until_its_outcome_is_known(
    stub: Stub, target: Target, make_plan: Callable[..., Plan]
) -> None:
    stub.lose_next_answers = 3
    plan = make_plan(duplicates=0.0)
    report = await _sent(plan, target)

    assert report.outcomes == {"200": 97, "409 duplicate_action": 3, "no answer": 3}
    assert _acknowledged(plan, report) == stub.totals
    assert (report.unsettled, report.violations) == (0, [])


async def test_a_stalled_call_is_given_up_after_the_timeout_and_asked_for_again(
    stub: Stub, target: Target, make_plan: Callable[..., Plan]
) -> None:
    stub.flowing.clear()
    plan = make_plan(rate=20.0, duration=0.3, timeout=0.2, duplicates=0.0)
    sending = asyncio.create_task(_sent(plan, target))
    await wait_until(lambda: stub.posts > 6, description="calls sent again")
    stub.flowing.set()
    report = await sending

    assert report.outcomes["no answer"] > 0
    assert _acknowledged(plan, report) == stub.totals


async def test_what_an_overloaded_server_never_got_is_given_up_and_told(
    stub: Stub, target: Target, make_plan: Callable[..., Plan]
) -> None:
    stub.flowing.clear()
    plan = make_plan(rate=100.0, duration=0.3, duplicates=0.0, patience=2.0)
    sending = asyncio.create_task(_sent(plan, target))
    started_at = time.monotonic()
    await wait_until(lambda: time.monotonic() > started_at + 1.5, description="half the patience")
    stub.flowing.set()
    report = await sending

    assert report.outcomes == {"200": 4, "not sent": 26}
    assert report.unsettled == 0
    calls = Calls.of([report])
    assert (calls.latency[calls.service < 0] > 900_000_000).all()
    assert _acknowledged(plan, report) == stub.totals


async def test_a_server_that_counts_duplicates_is_caught(
    stub: Stub, target: Target, make_plan: Callable[..., Plan]
) -> None:
    class Forgetful(dict):  # type: ignore[type-arg]
        def __contains__(self, key: object) -> bool:
            return False

    stub.receipts = Forgetful()
    report = await _sent(make_plan(), target)

    assert report.violation_count > 5
    assert "was answered 200" in report.violations[0]
