"""Objects in processes of their own."""

from __future__ import annotations

import os

import pytest

from scripts.load import processes
from scripts.load.processes import Process, ProcessFailed


class Adder:
    def __init__(self, first: int) -> None:
        self._sum = first

    async def add(self, *numbers: int) -> tuple[int, int]:
        """The sum so far, and the id of the process."""
        self._sum += sum(numbers)
        return self._sum, os.getpid()

    async def refuse(self) -> None:
        raise ConnectionError("nobody is there")

    async def fail(self) -> None:
        raise KeyError("no such thing")

    async def die(self) -> None:
        os._exit(1)


async def test_a_method_is_called_in_the_process_and_its_result_comes_back() -> None:
    async with Process(Adder, 1) as adder:
        assert await adder.call(Adder.add, 2, 3) == (6, adder.pid)
        assert await adder.call(Adder.add, 4) == (10, adder.pid)
    assert adder.pid != os.getpid()


async def test_a_failure_of_the_network_is_told_in_its_own_words_any_other_in_full() -> None:
    async with Process(Adder, 1) as adder:
        with pytest.raises(ProcessFailed, match=r"^nobody is there$"):
            await adder.call(Adder.refuse)
        with pytest.raises(ProcessFailed, match=r"(?s)Traceback.*KeyError: 'no such thing'"):
            await adder.call(Adder.fail)


async def test_a_process_that_has_ended_is_told_by_the_call_under_way_and_by_the_next() -> None:
    async with Process(Adder, 1) as adder:
        for _ in range(2):
            with pytest.raises(ProcessFailed, match=processes.ENDED):
                await adder.call(Adder.die)
