"""A part that should not end is run again."""

from __future__ import annotations

import asyncio
import gc
import time

import pytest
from structlog.testing import capture_logs

from scoreboard import background
from scoreboard.errors import Unavailable
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


async def test_a_task_that_misses_its_cancellation_is_cancelled_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "CANCEL_AGAIN", 0)
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


async def test_a_task_is_not_cancelled_again_because_the_process_stood_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "CANCEL_AGAIN", 0.5)
    begun, closed = asyncio.Event(), False

    async def closes_what_it_has() -> None:
        nonlocal closed
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            time.sleep(0.6)  # noqa: ASYNC251 (the whole process stops, for longer than that)
            for _ in range(5):
                await asyncio.sleep(0)
            closed = True

    task = asyncio.create_task(closes_what_it_has())
    await begun.wait()
    await background.end(task)
    assert closed


async def test_the_error_of_a_task_that_is_ended_goes_nowhere() -> None:
    async def fail() -> None:
        raise ValueError("of nobody's concern")

    failed = asyncio.create_task(fail())
    waiting = asyncio.create_task(asyncio.Event().wait())
    await asyncio.wait((failed,))
    await background.end(failed, waiting)
    assert waiting.cancelled()


async def test_who_is_cancelled_while_ending_a_task_goes_on_until_it_has_ended() -> None:
    unseen: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: unseen.append(told))
    begun, may_fail = asyncio.Event(), asyncio.Event()

    async def fail_late() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            await may_fail.wait()
            raise ValueError("of nobody's concern")

    failing = asyncio.create_task(fail_late())
    await begun.wait()
    ending = asyncio.create_task(background.end(failing))
    await asyncio.sleep(0)
    ending.cancel()
    await asyncio.sleep(0)
    ended_before = ending.done()
    may_fail.set()
    await asyncio.wait((ending,))
    assert (ended_before, failing.done(), ending.cancelled()) == (False, True, True)
    del failing, ending
    gc.collect()
    assert unseen == []


async def test_a_part_that_is_cancelled_by_mistake_is_run_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "RESTART", 0)
    tasks: list[asyncio.Task[None] | None] = []

    async def part() -> None:
        tasks.append(asyncio.current_task())
        await asyncio.Event().wait()

    keeper = asyncio.create_task(background.keep_running("digger", part))
    await wait_until(lambda: tasks, description="it runs")
    assert tasks[0] is not None
    tasks[0].cancel()
    await wait_until(lambda: len(tasks) == 2, description="it runs again")
    await background.end(keeper)

    assert tasks[1] is not None
    assert tasks[1].cancelled()


async def test_a_part_that_ends_when_it_should_is_not_run_again() -> None:
    stopping = asyncio.Event()
    runs = 0

    async def part() -> None:
        nonlocal runs
        runs += 1
        await stopping.wait()

    keeper = asyncio.create_task(background.keep_running("digger", part, until=stopping))
    await wait_until(lambda: runs, description="it runs")
    stopping.set()
    await keeper

    assert runs == 1


async def test_who_waits_for_a_task_that_is_stopped_is_told_and_not_stopped() -> None:
    task = asyncio.create_task(asyncio.Event().wait())
    waiting = [asyncio.create_task(background.result_of(task)) for _ in range(2)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    assert not task.done(), "who stops waiting does not stop it"
    task.cancel()
    left, told = await asyncio.gather(*waiting, return_exceptions=True)

    assert isinstance(left, asyncio.CancelledError)
    assert isinstance(told, Unavailable)


async def test_the_first_of_several_parts_to_end_ends_the_others() -> None:
    ended: list[str] = []

    async def goes_on() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("the other")

    async def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await background.first_of(goes_on(), fails())
    assert ended == ["the other"]
