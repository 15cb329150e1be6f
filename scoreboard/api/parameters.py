"""What stands in paths and queries, described and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from scoreboard.api.operations import Parameter
from scoreboard.domain.actions import Identifier
from scoreboard.domain.boards import BOARD_PATTERN, check_board_name
from scoreboard.domain.moments import LATEST_MS, milliseconds_of
from scoreboard.errors import InvalidRequest

BOARD = Parameter("board", "path", {"type": "string", "pattern": f"^{BOARD_PATTERN}$"})
USER = Parameter("user", "path", {"type": "string", "minLength": 1, "maxLength": 128})
_MOMENT = {"type": "string", "format": "date-time"}
FROM = Parameter("from", "query", _MOMENT, "only what happened at this moment or later")
TO = Parameter("to", "query", _MOMENT, "only what happened before this moment; default: now")

MAX_DIGITS = 20

T = TypeVar("T", bound=str)


def board_named(path: Mapping[str, str], default: str) -> str:
    """The board of a call, ``default`` where its path names none. Raises UnknownBoard."""
    board = path.get(BOARD.name)
    if board is None:
        return default
    check_board_name(board)
    return board


def identifier(text: str, name: str) -> str:
    """A user's id. Raises InvalidRequest, which calls the parameter ``name``."""
    try:
        return msgspec.convert(text, Identifier)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"{error}.", path=name) from error


def choice(text: str | None, choices: tuple[T, ...], name: str) -> T | None:
    """One of ``choices``, or None where none was given. Raises InvalidRequest."""
    if text is None:
        return None
    for one in choices:
        if one == text:
            return one
    raise InvalidRequest(f"{name} is one of {', '.join(choices)}.", path=name)


def moment(text: str, name: str) -> int:
    """The Unix milliseconds of a moment, as in ``2026-01-31T18:00:00Z``. Raises InvalidRequest."""
    try:
        return milliseconds_of(text)
    except ValueError as error:
        raise InvalidRequest(
            f"{name} is a moment such as 2026-01-31T18:00:00Z; a + in it is written %2B.", path=name
        ) from error


def span(query: Mapping[str, str]) -> tuple[int, int]:
    """FROM and TO in Unix milliseconds; without them, the widest span there is. Raises
    InvalidRequest."""
    from_ms = moment(query[FROM.name], FROM.name) if FROM.name in query else 0
    to_ms = moment(query[TO.name], TO.name) if TO.name in query else LATEST_MS
    if from_ms >= to_ms:
        raise InvalidRequest("from has to be before to.", path=FROM.name)
    return from_ms, to_ms


def number(text: str, name: str, *, least: int, most: int) -> int:
    """A whole number in decimal digits, with a minus where it may be negative. Raises
    InvalidRequest."""
    digits = text.removeprefix("-") if least < 0 else text
    valid = digits.isascii() and digits.isdigit() and len(digits) <= MAX_DIGITS
    if not (valid and least <= int(text) <= most):
        raise InvalidRequest(f"{name} is a number from {least} to {most}.", path=name)
    return int(text)
