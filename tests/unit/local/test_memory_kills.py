"""A child that was killed is told apart from one that the system ended for want of memory."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scoreboard.errors import ConfigurationError
from scoreboard.local import memory_kills
from scoreboard.local.child_processes import Child
from scoreboard.local.memory_kills import LATELY, MemoryKills
from tests.support.waiting import PATIENCE


class Kernel:
    """Its list of counters."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.kills(3)

    def kills(self, count: int) -> None:
        self._file.write_text(f"nr_free_pages 7\noom_kill {count}\nzswpin 9\n")

    def is_silent(self) -> None:
        self._file.unlink()


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    monkeypatch.setattr(memory_kills, "VMSTAT", tmp_path / "vmstat")
    return Kernel(tmp_path / "vmstat")


def test_a_kill_is_told_for_a_while_and_those_before_the_first_look_are_not(
    kernel: Kernel,
) -> None:
    now = 100.0
    seen = MemoryKills(clock=lambda: now)
    assert not seen.lately()
    kernel.kills(4)
    assert seen.lately()
    now += LATELY - 1
    assert seen.lately()
    now += 1
    assert not seen.lately()


def test_a_list_that_cannot_be_read_tells_of_no_kill(kernel: Kernel) -> None:
    seen = MemoryKills()
    kernel.is_silent()
    assert not seen.lately()
    kernel.kills(3)
    assert not seen.lately()
    kernel.is_silent()
    assert not MemoryKills().lately()


@pytest.mark.parametrize(
    ("code", "kills", "words"),
    [
        ("os.kill(os.getpid(), 9)", 4, "killed by SIGKILL when the system ended a process for"),
        ("os.kill(os.getpid(), 9)", 3, "killed by SIGKILL (log: "),
        ("sys.exit('no luck')", 4, "no luck (log: "),
    ],
    ids=["for want of memory", "by somebody", "ended by itself"],
)
def test_the_last_words_of_a_child_say_it(
    kernel: Kernel, tmp_path: Path, code: str, kills: int, words: str
) -> None:
    command = [sys.executable, "-c", f"import os, sys; {code}"]
    child = Child("serve", command, log=tmp_path / "serve.log")
    child.start()
    kernel.kills(kills)
    with pytest.raises(ConfigurationError) as raised:
        child.wait_until(lambda: False, timeout=PATIENCE)
    assert words in raised.value.detail
