"""What `up` runs goes on, whatever `up` fails to do beside it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scoreboard.local import supervisor
from scoreboard.local.caretaker import Caretaker
from scoreboard.local.interruption import Interruption
from scoreboard.local.supervisor import Plan, Scoreboard
from scoreboard.settings import load

KEY = "k=0123456789abcdef0123456789abcdef"


class Until(Interruption):
    """A stop that is wanted once ``reached`` says so."""

    def __init__(self, reached: Callable[[], bool]) -> None:
        super().__init__()
        self.reached = reached

    @property
    def wanted(self) -> bool:
        return self.reached()


@pytest.fixture
def caretaker() -> Iterator[Caretaker]:
    lock, other = os.pipe()
    with Caretaker(lock) as caretaker:
        yield caretaker
    os.close(lock)
    os.close(other)


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Plan, list[str]]:
    """A plan, and what is said."""
    monkeypatch.setenv("SCOREBOARD_JWT_KEYS", KEY)
    said: list[str] = []
    settings = load({"SCOREBOARD_JWT_KEYS": KEY})
    return Plan("127.0.0.1", 0, tmp_path, 1, settings, said.append), said


def test_a_token_that_cannot_be_written_is_told_once_and_written_as_soon_as_that_works(
    plan: tuple[Plan, list[str]],
    caretaker: Caretaker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervisor, "TOKEN_RENEWAL", 0.0)
    monkeypatch.setattr(supervisor, "RENEWED_LATE", 0.0)
    run, in_the_way = tmp_path / "run.json", tmp_path / "run.json.new"
    in_the_way.mkdir()
    looks = 0

    def reached() -> bool:
        nonlocal looks
        looks += 1
        if looks == 5:
            in_the_way.rmdir()
        return run.exists()

    with Until(reached) as stop:
        running = Scoreboard(plan[0], stop, caretaker)
        running._choose_keys()
        running.wait()
    begins, ends = plan[1]
    assert begins.startswith("Renewing the token in run.json fails: ")
    assert begins.endswith(". It is tried again.")
    assert ends == "Renewing the token in run.json works again."


def test_a_thread_that_cannot_be_had_is_told_once_and_had_as_soon_as_that_works(
    plan: tuple[Plan, list[str]], caretaker: Caretaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    looks = 0
    with monkeypatch.context() as shortage:
        shortage.setattr(threading.Thread, "start", refuse)

        def reached() -> bool:
            nonlocal looks
            looks += 1
            if looks == 5:
                shortage.undo()
            return len(plan[1]) == 2

        with Until(reached) as stop:
            Scoreboard(plan[0], stop, caretaker).wait()
    assert plan[1] == [
        "Looking for troubles fails: can't start new thread. It is tried again.",
        "Looking for troubles works again.",
    ]


def test_a_caretaker_that_is_killed_is_replaced_before_anything_has_to_be_asked_of_it(
    plan: tuple[Plan, list[str]], caretaker: Caretaker
) -> None:
    former = caretaker.pid
    os.kill(former, signal.SIGKILL)
    with Until(lambda: caretaker.pid != former) as stop:
        Scoreboard(plan[0], stop, caretaker).wait()
    assert plan[1] == []
