"""What stands in paths and queries, described and checked."""

from __future__ import annotations

import msgspec

from scoreboard.api.operations import Parameter
from scoreboard.domain.actions import Identifier
from scoreboard.domain.boards import BOARD_PATTERN
from scoreboard.errors import InvalidRequest

BOARD = Parameter("board", "path", {"type": "string", "pattern": f"^{BOARD_PATTERN}$"})
USER = Parameter("user", "path", {"type": "string", "minLength": 1, "maxLength": 128})

MAX_DIGITS = 20


def identifier(text: str, name: str) -> str:
    """A user's id. Raises InvalidRequest, which calls the parameter ``name``."""
    try:
        return msgspec.convert(text, Identifier)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"{error}.", path=name) from error


def choice(text: str | None, choices: tuple[str, ...], name: str) -> str | None:
    """One of ``choices``, or None where none was given. Raises InvalidRequest."""
    if text is not None and text not in choices:
        raise InvalidRequest(f"{name} is one of {', '.join(choices)}.", path=name)
    return text


def number(text: str, name: str, *, least: int, most: int) -> int:
    """A whole number in decimal digits. Raises InvalidRequest."""
    digits = text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS
    if not (digits and least <= int(text) <= most):
        raise InvalidRequest(f"{name} is a number from {least} to {most}.", path=name)
    return int(text)
