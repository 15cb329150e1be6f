"""What tells of a board as a whole."""

from __future__ import annotations

import msgspec

from scoreboard.domain.boards import BoardSettings


class ListedBoard(msgspec.Struct, frozen=True):
    """A board by its name, and what people are told of it."""

    board: str
    title: str
    description: str


class Description(msgspec.Struct, frozen=True):
    """A board's settings, its version, and how many users it shows."""

    settings: BoardSettings
    users: int
    version: int
