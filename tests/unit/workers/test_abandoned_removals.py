"""Removals that were left halfway are finished, whatever keeps one of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from scoreboard.domain.removals import Removal
from scoreboard.errors import Unavailable
from scoreboard.wire.keys import Keyspace
from scoreboard.workers.remover import Remover


class Left:
    """Two removals, of which the board of the first is on a server that is away."""

    def __init__(self) -> None:
        self.finished: list[str] = []

    async def abandoned(self, _: float) -> list[Removal]:
        return [Removal(board, "delete", 5, "") for board in ("arena", "duel")]

    async def sweep(self, board: str, _: int) -> str:
        if board == "arena":
            raise Unavailable("Redis can't be reached.")
        return "epoch"

    async def delete(self, _: Removal) -> AsyncIterator[int]:
        yield 1

    async def finish(self, removal: Removal, _: str) -> bool:
        self.finished.append(removal.board)
        return True

    async def tell_gone(self, _: list[str]) -> None:
        pass


async def test_one_that_can_not_go_on_keeps_no_other_waiting() -> None:
    left: Any = Left()
    remover = Remover(left, left, left, left, left, left, keyspace=Keyspace(1))
    with pytest.raises(Unavailable):
        await remover.finish_abandoned(30.0)
    assert left.finished == ["duel"]
