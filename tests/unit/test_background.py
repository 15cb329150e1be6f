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


async def test_a_task_that_misses_its_cancellation_is_cancelled_again() -> None:
    begun = asyncio.Event()
    missed = 0

    async def deaf_once() -> None:
        nonlocal missed
        begun.set()
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if missed:
                    raise
                missed += 1

    task = asyncio.create_task(deaf_once())
    await begun.wait()
    await background.end(task)
    assert (task.cancelled(), missed) == (True, 1)


async def test_the_error_of_a_task_that_is_ended_goes_nowhere() -> None:
    async def fail() -> None:
        raise ValueError("of nobody's concern")

    failed = asyncio.create_task(fail())
    waiting = asyncio.create_task(asyncio.Event().wait())
    await asyncio.wait((failed,))
    await background.end(failed, waiting)
    assert waiting.cancelled()
