"""Players as operators find them."""

from __future__ import annotations

import msgspec

from scoreboard.domain.profiles import Visibility


class FoundPlayer(msgspec.Struct, frozen=True, rename="camel"):
    """A player with a name; ``visibility`` says who may see it."""

    user_id: str
    display_name: str
    visibility: Visibility


class PlayerOnBoard(msgspec.Struct, frozen=True):
    """A player's total on a board, in its table of all time. ``hidden`` by a moderator, or
    ``unlisted`` by a profile whose visibility is hidden: either way the board does not show it."""

    board: str
    score: int
    hidden: bool
    unlisted: bool
