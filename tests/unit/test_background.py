"""A part that should not end is run again."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from scoreboard import background
from tests.support.waiting import wait_until


async def test_a_part_that_fails_or_ends_is_logged_and_run_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "RESTART", 0)
    runs = 0

    async def part() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise ZeroDivisionError
        if runs == 3:
            await asyncio.Event().wait()

    with capture_logs() as logs:
        task = asyncio.create_task(background.keep_running("digger", part))
        await wait_until(lambda: runs == 3, description="it runs for the third time")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert [(entry["event"], entry["part"]) for entry in logs] == [
        ("part_failed", "digger"),
        ("part_ended", "digger"),
    ]
