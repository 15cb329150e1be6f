"""The log tells where a failure was, and not what a caller had sent; and nothing fails for it."""

from __future__ import annotations

import errno
import io
import logging
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from scoreboard.telemetry import logs, metrics
from tests.support.waiting import PATIENCE as WAITING


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.configure(**before)
    root.handlers[:], root.level = handlers, level


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize("logger", ["structlog", "logging"])
def test_a_traceback_shows_no_local_variables(
    monkeypatch: pytest.MonkeyPatch, form: str, logger: str
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    logs.configure(form, "info")
    log = structlog.get_logger() if logger == "structlog" else logging.getLogger("a library")

    def fail(token: str) -> None:
        try:
            raise ZeroDivisionError("the reason")
        except ZeroDivisionError:
            log.exception("failed")

    fail("s3cr3t")

    assert "ZeroDivisionError: the reason" in written.getvalue()
    assert "s3cr3t" not in written.getvalue()


class FullDisk(io.StringIO):
    """A file on a disk that is full until it is given ``room``."""

    room = False

    def write(self, text: str) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(text)


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_log_that_can_not_be_written_harms_nothing_and_goes_on_when_it_can(
    monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    written = FullDisk()
    monkeypatch.setattr(sys, "stderr", written)
    logs.configure(form, "info")
    before = metrics.log_lines_lost._value.get()
    structlog.get_logger().info("lost")
    logging.getLogger("a library").warning("lost")
    assert metrics.log_lines_lost._value.get() == before + 2

    written.room = True
    structlog.get_logger().info("kept")
    assert "kept" in written.getvalue()
    assert "lost" not in written.getvalue()


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="needs /dev/full to write to")
def test_a_line_that_only_its_flush_refuses_harms_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(full, line_buffering=False))
        logs.configure("json", "info")
        structlog.get_logger().info("lost")


def test_a_log_whose_reader_has_stopped_holds_up_nothing_and_lacks_whole_lines() -> None:
    read, written = os.pipe()
    lines = [f"{number} {'x' * 9_000}" for number in range(30)]  # more than a pipe holds
    with os.fdopen(read) as reader, os.fdopen(written, "w") as stream:
        log = logs._Unfailing(stream)
        before = metrics.log_lines_lost._value.get()

        def write() -> None:
            for line in lines:
                log.write(f"{line}\n")

        writing = threading.Thread(target=write, daemon=True)
        writing.start()
        writing.join(WAITING)
        held_up = writing.is_alive()
        if held_up:
            reader.close()  # which lets it go
        assert not held_up
        lost = int(metrics.log_lines_lost._value.get() - before)
        assert 0 < lost < len(lines)
        kept = [reader.readline().rstrip() for _ in lines[lost:]]
        assert kept == lines[:-lost]

        log.write("later\n")
        stream.close()
        assert reader.read().splitlines()[-1] == "later", "not on the line that was cut off"
