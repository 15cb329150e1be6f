"""What `up` says reaches who reads it, if not at once."""

from __future__ import annotations

import os
import threading

import pytest

from scoreboard.commands.teller import Teller


def test_what_is_said_while_no_thread_is_to_be_had_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    output, its_end = os.pipe()
    with os.fdopen(output) as read, Teller(its_end, "utf-8") as teller:
        with monkeypatch.context() as shortage:
            shortage.setattr(threading.Thread, "start", refuse)
            teller.say("one")
            teller.say("two")
        teller.say("three")
        assert [read.readline() for _ in range(3)] == ["one\n", "two\n", "three\n"]
    os.close(its_end)
