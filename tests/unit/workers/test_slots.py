"""Work that waits for a slot is not made to wait for a server as well that is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from scoreboard.errors import BoardUnavailable, NotFound, Unavailable
from scoreboard.workers.slots import Slots


class Work:
    """Work in slots that ends when it is told to."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self.begun = 0
        self.ends = asyncio.Event()

    async def do(self, error: Exception | None) -> None:
        async with self._slots.taken():
            self.begun += 1
            await self.ends.wait()
            if error is not None:
                raise error


async def many(work: Work, make: Callable[[], Exception | None]) -> list[BaseException | None]:
    """Begins five, lets those with a slot end when the others wait, and gives what each raised."""
    tasks = [asyncio.create_task(work.do(make())) for _ in range(5)]
    for _ in range(3):
        await asyncio.sleep(0)
    work.ends.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_who_waits_is_told_when_a_server_is_away_and_later_work_is_tried() -> None:
    slots = Slots(2)
    work = Work(slots)
    raised = await many(work, lambda: Unavailable("Redis can't be reached."))
    assert [str(error) for error in raised] == ["Redis can't be reached."] * 5
    assert work.begun == 2

    await work.do(None)
    assert work.begun == 3


async def test_who_waits_does_its_work_when_other_work_ends_well_or_by_a_fault_of_its_own() -> None:
    work = Work(Slots(2))
    assert await many(work, lambda: None) == [None] * 5
    raised = await many(work, lambda: NotFound("There is no such case."))
    assert {type(error) for error in raised} == {NotFound}
    assert work.begun == 10
    raised = await many(work, lambda: BoardUnavailable("The board arena is being cleared."))
    assert {type(error) for error in raised} == {BoardUnavailable}
    assert work.begun == 15
