"""Boards that are deleted, or cleared of their scores."""

from __future__ import annotations

from typing import Literal, NamedTuple

from scoreboard.errors import BoardUnavailable

RemovalKind = Literal["delete", "clear"]
BUSY_FOR = 2.0  # seconds after which it is worth asking again for a board that is being removed


class Removal(NamedTuple):
    """A removal that was decided. ``doing`` is None once it is done. ``version`` is the least that
    a later board of the name has; boards with a lower one are remains. ``epoch`` is a history of
    Redis in which nothing of the board is left ('': none yet)."""

    board: str
    doing: RemovalKind | None
    version: int
    epoch: str


def being_removed(board: str, doing: RemovalKind) -> BoardUnavailable:
    """The error for a board that is being deleted or cleared."""
    done = "deleted" if doing == "delete" else "cleared"
    return BoardUnavailable(f"The board {board} is being {done}.", retry_after=BUSY_FOR)
