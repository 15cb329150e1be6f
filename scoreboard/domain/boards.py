"""Boards: their names and what an operator may set on each."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from scoreboard.domain.actions import MAX_POINTS
from scoreboard.errors import ScoreOutOfRange, UnknownBoard, UnknownUser

TOP_SIZE = 10
TOTAL_BITS = 50
MAX_TOTAL = 2**TOTAL_BITS

GateMode = Literal["off", "flag", "reject"]

BOARD_PATTERN = r"[a-z0-9][a-z0-9_-]{0,63}"
_board_name = re.compile(BOARD_PATTERN)


def is_board_name(text: str) -> bool:
    """True for a well-formed board name."""
    return _board_name.fullmatch(text) is not None


def check_board_name(text: str) -> None:
    """Raises UnknownBoard for what can't be the name of a board."""
    if not is_board_name(text):
        raise UnknownBoard(f"{text[:80]!r} can't be the name of a board.")


def no_such_board(board: str) -> UnknownBoard:
    """The error for a board that does not exist."""
    return UnknownBoard(f"There is no board {board!r}.")


def not_on_board(user: str, board: str) -> UnknownUser:
    """The error for a user who has no place on the board."""
    return UnknownUser(f"{user!r} is not on the board {board}.")


def out_of_range() -> ScoreOutOfRange:
    """The error for a total that would leave +-MAX_TOTAL."""
    return ScoreOutOfRange(f"The total would leave -2^{TOTAL_BITS} to 2^{TOTAL_BITS}.")


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At most ``actions`` accepted actions of a user in any ``seconds``."""

    actions: Annotated[int, Meta(ge=1, le=1000)]
    seconds: Annotated[float, Meta(ge=0.001, le=86_400)]


class BoardSettings(
    msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True
):
    """What a board sets for itself. Its JSON, in this field order, is kept in Postgres and in the
    board's meta hash, and every submission names the text that it was prepared under."""

    mode: GateMode = "off"
    min_points: Annotated[int, Meta(ge=-MAX_POINTS, le=MAX_POINTS)] = -MAX_POINTS
    max_points: Annotated[int, Meta(ge=-MAX_POINTS, le=MAX_POINTS)] = MAX_POINTS
    rate: Rate | None = None
    allow_history: bool = False

    def __post_init__(self) -> None:
        if self.min_points > self.max_points:
            raise ValueError("minPoints is above maxPoints")

    def to_text(self) -> str:
        """The canonical JSON text."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_text(cls, text: str | bytes) -> BoardSettings:
        """Raises msgspec.ValidationError on a text that is not a board's settings."""
        return msgspec.json.decode(text, type=cls)
