"""The log tells where a failure was, and not what a caller had sent."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from scoreboard.telemetry import logs


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
