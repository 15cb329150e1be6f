"""Children that end are started again, for as long as that makes sense."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scoreboard.errors import ConfigurationError
from scoreboard.local.child_processes import Child
from scoreboard.local.restarts import LONGEST_PAUSE, MOST_IN_A_ROW, RUNNING_AGAIN, STEADY, Restarts
from tests.support.waiting import PATIENCE


class Stage:
    """A child that runs the next of ``scripts`` at each start, and a clock that a test moves."""

    def __init__(self, folder: Path, script: str) -> None:
        self.now = 1000.0
        self.said: list[str] = []
        self.script = folder / "script"
        self.script.write_text(script)
        self.child = Child("serve", [sys.executable, str(self.script)], log=folder / "serve.log")
        self.child.start()
        self.restarts = Restarts([self.child], self.said.append, lambda: self.now)

    def after(self, seconds: float) -> None:
        """Looks so many seconds later."""
        self.now += seconds
        self.restarts.look()

    def ended(self) -> None:
        """Waits until the child has ended."""
        with pytest.raises(ConfigurationError, match="did not start"):
            self.child.wait_until(lambda: False, timeout=PATIENCE)


@pytest.fixture
def stage(tmp_path: Path) -> Callable[[str], Stage]:
    return lambda script: Stage(tmp_path, script)


@contextmanager
def no_descriptors_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_child_that_ends_is_started_again_and_both_are_said(
    stage: Callable[[str], Stage],
) -> None:
    play = stage("print('out of luck'); raise SystemExit(3)")
    play.ended()
    play.script.write_text("import signal; signal.pause()")
    play.after(0)
    assert not play.child.running
    [sentence] = play.said
    assert sentence.startswith("serve ended: out of luck (log: ")
    assert "It starts again in " in sentence

    play.after(1)
    assert play.child.running
    play.after(RUNNING_AGAIN)
    play.after(10)
    assert play.said[1:] == ["serve runs again."]
    play.child.kill()


def test_it_is_given_up_after_some_ends_in_a_row(stage: Callable[[str], Stage]) -> None:
    play = stage("print('out of luck'); raise SystemExit(3)")
    for _ in range(MOST_IN_A_ROW):
        play.ended()
        play.after(0)
        play.after(LONGEST_PAUSE)
    play.ended()
    with pytest.raises(ConfigurationError, match=r"serve ended 9 times in a row.*out of luck"):
        play.after(0)
    assert len(play.said) == MOST_IN_A_ROW


def test_ends_far_from_each_other_are_not_in_a_row(stage: Callable[[str], Stage]) -> None:
    play = stage("raise SystemExit(3)")
    for _ in range(MOST_IN_A_ROW + 2):
        play.ended()
        play.after(STEADY)
        play.after(LONGEST_PAUSE)
    assert len(play.said) == MOST_IN_A_ROW + 2
    play.ended()


def test_a_configuration_error_is_no_reason_to_start_again(stage: Callable[[str], Stage]) -> None:
    play = stage(f"print('scoreboard: no key'); raise SystemExit({os.EX_CONFIG})")
    play.ended()
    with pytest.raises(ConfigurationError, match="serve can't go on: no key"):
        play.after(0)


def test_a_start_for_which_something_is_short_is_tried_until_it_works_and_told_once(
    stage: Callable[[str], Stage],
) -> None:
    play = stage("raise SystemExit(3)")
    play.ended()
    play.after(0)
    play.script.write_text("import signal; signal.pause()")
    with no_descriptors_left():
        for _ in range(2 * MOST_IN_A_ROW):
            play.after(LONGEST_PAUSE)
    assert not play.child.running
    [ended, short] = play.said
    assert "serve can't be started: [Errno 24]" in short
    play.after(LONGEST_PAUSE)
    assert play.child.running
    play.after(RUNNING_AGAIN)
    assert play.said == [ended, short, "serve runs again."]
    play.child.kill()


def test_a_child_whose_log_cannot_be_read_is_started_again_too(
    stage: Callable[[str], Stage],
) -> None:
    play = stage("raise SystemExit(3)")
    play.ended()
    with no_descriptors_left():
        play.after(0)
    assert "serve ended: its log can't be read (Too many open files)" in play.said[0]
    play.after(LONGEST_PAUSE)
    play.ended()


def test_a_program_that_is_gone_is_given_up_like_one_that_ends(
    tmp_path: Path, stage: Callable[[str], Stage]
) -> None:
    play = stage("raise SystemExit(3)")
    play.ended()
    play.after(0)
    play.child._folder = tmp_path / "gone"
    for _ in range(MOST_IN_A_ROW - 1):
        play.after(LONGEST_PAUSE)
    with pytest.raises(ConfigurationError, match=r"serve could not be started 9 times in a row"):
        play.after(LONGEST_PAUSE)
