"""Which of many cold boards is made live next."""

from __future__ import annotations

import asyncio

from scoreboard.domain.urgency import Urgency
from scoreboard.workers.rebuild_turns import MAX_AT_ONCE, READ_AT_ONCE, RebuildTurns, Turn

PARTITIONS = 8


class Queue:
    """Boards that wait for their turns; each that has its turn is loaded until it is ``done``."""

    def __init__(self) -> None:
        self.turns = RebuildTurns(PARTITIONS)
        self.begun: list[str] = []
        self._loaded: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turns: dict[str, Turn] = {}

    async def add(self, board: str, partition: int, urgency: Urgency) -> None:
        turn = self._turns[board] = Turn(partition, urgency)
        self._loaded[board] = asyncio.Event()
        self._tasks[board] = asyncio.create_task(self._load(board, turn))
        await settled()

    async def _load(self, board: str, turn: Turn) -> None:
        async with self.turns.taken(turn):
            self.begun.append(board)
            await self._loaded[board].wait()

    async def done(self, board: str) -> None:
        self._loaded[board].set()
        await self._tasks[board]
        await settled()

    async def leave(self, board: str) -> None:
        self._tasks[board].cancel()
        await asyncio.wait((self._tasks[board],))
        await settled()

    async def hurry(self, board: str, urgency: Urgency) -> None:
        self.turns.hurry(self._turns[board], urgency)
        await settled()


async def settled() -> None:
    """Lets every task go as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_writes_come_before_watched_boards_and_these_before_reads() -> None:
    queue = Queue()
    await queue.add("first", 0, Urgency.READ)
    await queue.add("read", 0, Urgency.READ)
    await queue.add("watched", 0, Urgency.WATCHED)
    await queue.add("written", 0, Urgency.WRITE)
    for board in ("first", "written", "watched", "read"):
        await queue.done(board)

    assert queue.begun == ["first", "written", "watched", "read"]


async def test_among_equals_the_first_to_come_goes_first() -> None:
    queue = Queue()
    for number in range(5):
        await queue.add(f"board{number}", 3, Urgency.WATCHED)
    for number in range(5):
        await queue.done(f"board{number}")

    assert queue.begun == [f"board{number}" for number in range(5)]


async def test_a_board_that_somebody_writes_to_meanwhile_moves_up() -> None:
    queue = Queue()
    await queue.add("first", 0, Urgency.READ)
    await queue.add("read", 0, Urgency.READ)
    await queue.add("written later", 0, Urgency.READ)
    await queue.hurry("written later", Urgency.WRITE)
    for board in ("first", "written later", "read"):
        await queue.done(board)

    assert queue.begun == ["first", "written later", "read"]


async def test_one_board_of_a_partition_is_loaded_at_a_time() -> None:
    queue = Queue()
    await queue.add("a", 1, Urgency.WRITE)
    await queue.add("b", 1, Urgency.WRITE)
    await queue.add("c", 2, Urgency.WRITE)

    assert queue.begun == ["a", "c"]


async def test_only_so_many_are_loaded_at_once() -> None:
    queue = Queue()
    for partition in range(MAX_AT_ONCE + 1):
        await queue.add(f"board{partition}", partition, Urgency.WRITE)
    assert len(queue.begun) == MAX_AT_ONCE

    await queue.done("board0")
    assert queue.begun[-1] == f"board{MAX_AT_ONCE}"


async def test_boards_that_are_only_read_leave_a_place_for_a_write() -> None:
    queue = Queue()
    for partition in range(MAX_AT_ONCE):
        await queue.add(f"read{partition}", partition, Urgency.READ)
    assert len(queue.begun) == READ_AT_ONCE < MAX_AT_ONCE

    await queue.add("written", PARTITIONS - 1, Urgency.WRITE)
    assert queue.begun[-1] == "written"


async def test_a_read_that_became_a_write_makes_room_for_another_read() -> None:
    queue = Queue()
    for partition in range(READ_AT_ONCE + 1):
        await queue.add(f"read{partition}", partition, Urgency.READ)
    await queue.hurry("read0", Urgency.WRITE)

    assert queue.begun[-1] == f"read{READ_AT_ONCE}"


async def test_who_stops_waiting_is_passed_over_and_who_stops_loading_makes_room() -> None:
    queue = Queue()
    await queue.add("loading", 0, Urgency.WRITE)
    await queue.add("gone", 0, Urgency.WRITE)
    await queue.add("waiting", 0, Urgency.WRITE)
    await queue.leave("gone")
    await queue.leave("loading")

    assert queue.begun == ["loading", "waiting"]
