"""What clients are told of boards: the rules that concern players, and which boards there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import msgspec

from scoreboard.api.occurrence_reads import ShownPeriod
from scoreboard.api.operations import Parameter
from scoreboard.api.paging import LIMIT
from scoreboard.api.told_settings import PlayersRules, told
from scoreboard.domain.boards import (
    BOARD_PATTERN,
    is_board_name,
)
from scoreboard.domain.descriptions import Description, ListedBoard
from scoreboard.errors import InvalidRequest

PREFIX = Parameter(
    "prefix",
    "query",
    {"type": "string", "pattern": f"^({BOARD_PATTERN})?$"},
    "only boards whose names begin with this",
)
BOARDS_LIMIT = replace(LIMIT, description="the most boards that a page has")
AFTER_BOARD = Parameter(
    "after",
    "query",
    {"type": "string", "pattern": f"^{BOARD_PATTERN}$"},
    "`next` of the page before",
)


class DescribedBoard(msgspec.Struct, frozen=True):
    """A board's rules, how many users it shows, its version, and its periods."""

    board: str
    rules: PlayersRules
    users: int
    version: int
    periods: list[ShownPeriod]


class BoardPage(msgspec.Struct, frozen=True):
    """Boards in order of their names. With ``next`` as ``after`` the next page goes on; it is null
    on the last one."""

    boards: list[ListedBoard]
    next: str | None


def described(board: str, description: Description, periods: list[ShownPeriod]) -> DescribedBoard:
    """What clients are told of the board."""
    rules = told(PlayersRules, description.settings)
    return DescribedBoard(board, rules, description.users, description.version, periods)


def page_of(found: list[ListedBoard], limit: int) -> BoardPage:
    """A page of at most ``limit`` boards; ``found`` has one more when there is a next page."""
    return BoardPage(found[:limit], found[limit - 1].board if len(found) > limit else None)


def name_of(query: Mapping[str, str], name: str) -> str:
    """A board's name, or the beginning of one, that the parameter gives; empty without. Raises
    InvalidRequest."""
    text = query.get(name, "")
    if name in query and not is_board_name(text) and not (text == "" and name == PREFIX.name):
        raise InvalidRequest(f"{name} can't be a board's name.", path=name)
    return text
