"""Reads that are shared, and what becomes of them when something ends them."""

from __future__ import annotations

import asyncio

import pytest

from scoreboard.api.board_reader import BoardReader
from scoreboard.domain.descriptions import Description
from scoreboard.domain.standings import Page, Place, Standing, UserStanding
from scoreboard.domain.urgency import Urgency
from scoreboard.errors import BoardCold, Unavailable


class Boards:
    """Live boards, and the archive."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.cold = False
        self.reads = 0

    async def top(self, board: str) -> tuple[int, bytes]:
        self.reads += 1
        await self.may_answer.wait()
        if self.cold:
            raise BoardCold("cold")
        return 1, b"[]"

    async def description(self, board: str) -> Description:
        raise AssertionError("not asked for here")

    async def standings(self, board: str, users: list[str]) -> list[Standing | None]:
        raise AssertionError("not asked for here")

    async def around(self, board: str, user: str, radius: int) -> list[Standing] | None:
        raise AssertionError("not asked for here")

    async def user(self, board: str, user: str) -> UserStanding | None:
        raise AssertionError("not asked for here")

    async def page(self, board: str, place: Place, limit: int) -> Page:
        raise AssertionError("not asked for here")


class Opener:
    """Makes no board live: there are too many."""

    def __init__(self) -> None:
        self.asked: list[Urgency] = []

    async def ensure(self, board: str, *, create: bool, urgency: Urgency) -> None:
        self.asked.append(urgency)
        raise Unavailable("Many boards are being rebuilt.")


async def test_readers_are_answered_when_the_reader_is_closed() -> None:
    boards, opener = Boards(), Opener()
    archive = Boards()
    archive.may_answer.set()
    reader = BoardReader(boards, archive, opener)
    reading = [asyncio.create_task(reader.shared_top("b")) for _ in range(3)]
    await asyncio.sleep(0)
    await reader.close()

    assert await asyncio.gather(*reading) == [(None, b"[]")] * 3, "from the archive"
    assert reader._shared == {}


async def test_a_reader_who_leaves_does_not_disturb_the_others() -> None:
    boards = Boards()
    reader = BoardReader(boards, Boards(), Opener())
    reading = [asyncio.create_task(reader.shared_top("b")) for _ in range(3)]
    await asyncio.sleep(0)
    reading[0].cancel()
    boards.may_answer.set()

    assert await asyncio.gather(*reading[1:]) == [(1, b"[]")] * 2
    assert boards.reads == 1


async def test_a_board_that_can_not_be_made_live_now_is_read_from_the_archive() -> None:
    boards, archive, opener = Boards(), Boards(), Opener()
    boards.cold = True
    boards.may_answer.set()
    archive.may_answer.set()
    reader = BoardReader(boards, archive, opener)

    assert await reader.shared_top("b") == (None, b"[]")
    assert opener.asked == [Urgency.READ]


@pytest.mark.parametrize(("watched", "urgency"), [(True, Urgency.WATCHED), (False, Urgency.READ)])
async def test_the_relay_says_whether_clients_watch_a_board(
    watched: bool, urgency: Urgency
) -> None:
    boards, opener = Boards(), Opener()
    boards.cold = True
    boards.may_answer.set()
    with pytest.raises(Unavailable):
        await BoardReader(boards, Boards(), opener).top("b", watched=watched)

    assert opener.asked == [urgency]
