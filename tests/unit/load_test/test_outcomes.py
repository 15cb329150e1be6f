"""What an answer means for an action."""

from __future__ import annotations

import pytest

from scripts.load.replies import Reply, replies
from scripts.load_test.outcomes import Verdict, judge
from scripts.load_test.traffic import Action


def _action(*, duplicate: bool = False) -> Action:
    action = Action(1, 5, b"{}")
    action.score = 40
    return action.again() if duplicate else action


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (Reply(200, score=40), Verdict.COUNTED),
        (Reply(202, score=40), Verdict.COUNTED),
        (Reply(409, "action_conflict"), Verdict.WRONG),
        (Reply(409, "duplicate_action", 40), Verdict.WRONG),
        (Reply(403, "anomaly_rejected"), Verdict.REFUSED),
        (Reply(429, "rate_limited"), Verdict.REFUSED),
        (Reply(503, "unavailable"), Verdict.REFUSED),
        (Reply(503, "outcome_unknown"), Verdict.UNKNOWN),
        (Reply(500, "internal"), Verdict.UNKNOWN),
    ],
)
def test_a_new_action(reply: Reply, verdict: Verdict) -> None:
    assert judge(reply, _action(), retried=False) is verdict


def test_a_retry_that_was_a_duplicate_counts_once() -> None:
    assert judge(Reply(409, "duplicate_action", 7), _action(), retried=True) is Verdict.COUNTED


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (Reply(409, "duplicate_action", 40), Verdict.KNOWN),
        (Reply(409, "duplicate_action", 41), Verdict.WRONG),
        (Reply(200, score=45), Verdict.WRONG),
        (Reply(503, "unavailable"), Verdict.REFUSED),
    ],
)
def test_a_deliberate_duplicate(reply: Reply, verdict: Verdict) -> None:
    assert judge(reply, _action(duplicate=True), retried=False) is verdict


def test_a_refusal_of_a_whole_batch_goes_for_each_of_its_actions() -> None:
    found = replies(503, b'{"code":"unavailable"}', 3, batch=True)

    assert found == [Reply(503, "unavailable")] * 3


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"results":[{"status":200}]}'])
def test_an_answer_that_does_not_fit_leaves_the_outcome_unknown(body: bytes) -> None:
    found = replies(200, body, 2, batch=True)

    assert [judge(reply, _action(), retried=False) for reply in found] == [Verdict.UNKNOWN] * 2
