"""A shortage fills no log, and everything else is told as ever."""

from __future__ import annotations

import asyncio
import errno
import logging
import os

import pytest
from structlog.testing import capture_logs

from scoreboard.assembly import shortages
from scoreboard.assembly.shortages import log_shortages_sparingly
from scoreboard.telemetry.sparing_log import SparingLog


async def test_what_the_loop_lacks_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shortages, "log", SparingLog(__name__))
    log_shortages_sparingly()
    loop = asyncio.get_running_loop()
    lacks = [MemoryError(), OSError(errno.EMFILE, os.strerror(errno.EMFILE))]
    with capture_logs() as logs:
        for error in 50 * lacks:
            loop.call_exception_handler({"message": "Fatal error", "exception": error})

    assert [(line["event"], "exc_info" in line) for line in logs] == [("connection_lacks", False)]
    assert not caplog.records


@pytest.mark.parametrize(
    "context",
    [
        {"message": "Fatal error", "exception": OSError(errno.EIO, "Input/output error")},
        {"message": "Task was destroyed but it is pending!"},
    ],
)
async def test_what_is_no_shortage_is_told_as_ever(
    context: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    log_shortages_sparingly()
    with caplog.at_level(logging.ERROR, logger="asyncio"):
        asyncio.get_running_loop().call_exception_handler(context)

    assert [record.message.splitlines()[0] for record in caplog.records] == [context["message"]]
