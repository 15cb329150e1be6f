"""The senders' loop against a stub: what is counted, when, and how often."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from scripts.load.target import Target
from scripts.load_test import figures
from scripts.load_test.account import SenderReport
from scripts.load_test.calls import Calls
from scripts.load_test.outcomes import NOT_SENT
from scripts.load_test.plan import Plan
from scripts.load_test.sender import Sender
from tests.support.waiting import wait_until
from tests.unit.load_test.stub import Stub


class Sending:
    """One sender, whose timetable begins now: at ``start``, a time.monotonic_ns()."""

    def __init__(self, plan: Plan, target: Target) -> None:
        self._sender = Sender(plan, target, 0)
        self.start = 0

    @property
    def not_sent(self) -> int:
        """How many actions it has given up before they were sent."""
        return self._sender._account.outcomes[NOT_SENT]

    async def report(self) -> SenderReport:
        """Run it to its end."""
        await self._sender.connect()
        self.start = time.monotonic_ns()
        await self._sender.begin(self.start)
        return await self._sender.report()


async def _sent(plan: Plan, target: Target) -> SenderReport:
    return await Sending(plan, target).report()


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
    sending = Sending(plan, target)
    stub.flowing.clear()
    report = asyncio.create_task(sending.report())
    await wait_until(
        lambda: (
            stub.posts >= plan.connections and time.monotonic_ns() - sending.start > 500_000_000
        ),
        description="half a second is over, and every connection waits for an answer",
    )
    resumed = time.monotonic_ns() - sending.start
    stub.flowing.set()
    calls = Calls.of([await report])

    meanwhile = calls.due < resumed
    assert meanwhile.sum() >= 199  # half a second at 400 a second
    # The open loop counts the wait of each of them, from the moment at which it was due.
    assert (calls.due + calls.latency)[meanwhile].min() >= resumed
    # A closed loop would notice the stall once for each of its connections.
    sent = calls.due + calls.latency - calls.service
    assert ((sent < resumed) & (sent + calls.service >= resumed)).sum() == plan.connections


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
    plan = make_plan(rate=100.0, duration=0.3, duplicates=0.0, patience=3.0)
    sending = Sending(plan, target)
    running = asyncio.create_task(sending.report())
    await wait_until(lambda: sending.not_sent, description="half of the patience is over")
    stub.flowing.set()
    report = await running

    assert report.outcomes == {"200": 4, "not sent": 26}
    assert report.unsettled == 0
    calls = Calls.of([report])
    assert (calls.latency[calls.service < 0] > 1_400_000_000).all()
    assert _acknowledged(plan, report) == stub.totals


async def test_a_server_that_counts_duplicates_is_caught(
    stub: Stub, target: Target, make_plan: Callable[..., Plan]
) -> None:
    class Forgetful(dict[tuple[str, str, str], int]):
        def __contains__(self, key: object) -> bool:
            return False

    stub.receipts = Forgetful()
    report = await _sent(make_plan(), target)

    assert report.violation_count > 5
    assert "was answered 200" in report.violations[0]
