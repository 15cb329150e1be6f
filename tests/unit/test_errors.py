"""The tree of errors promises no more than each answer may."""

from __future__ import annotations

import threading

import pytest

from scoreboard.api.problems import problem
from scoreboard.errors import OutcomeUnknown, RetryLater, Unavailable, is_shortage


@pytest.mark.parametrize(
    ("error", "code"),
    [(Unavailable("Away."), "unavailable"), (OutcomeUnknown("Lost."), "outcome_unknown")],
)
def test_both_answers_with_503_say_when_to_repeat_the_call(error: RetryLater, code: str) -> None:
    answer = problem(error)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert f'"code":"{code}"' in (answer.text or "")


def test_an_unknown_outcome_is_not_taken_for_nothing_written() -> None:
    assert not isinstance(OutcomeUnknown("Lost."), Unavailable)


def test_a_thread_that_can_not_be_started_is_a_shortage_and_other_faults_are_none() -> None:
    before = threading.stack_size(1 << 46)  # more than there is
    try:
        with pytest.raises(RuntimeError) as raised:
            threading.Thread(target=print).start()
    finally:
        threading.stack_size(before)
    assert is_shortage(raised.value)
    assert not is_shortage(RuntimeError("cannot reuse already awaited coroutine"))
