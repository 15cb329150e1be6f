"""What the WebSocket tells of watched players, one JSON text each."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from scoreboard.domain.profiles import Player
from scoreboard.domain.standings import Next


class _OfPlayer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What all of them say: of which table, and of whom. ``period`` and ``occurrence`` are there
    when a period is watched; ``player`` where the user shows something."""

    board: str
    period: str | UnsetType = UNSET
    occurrence: int | UnsetType = UNSET
    user_id: str
    player: Player | UnsetType = UNSET


class StandingMessage(_OfPlayer, frozen=True, kw_only=True, tag_field="type", tag="standing"):
    """Where a watched player stands: on connect, and when it has changed. ``above`` and ``below``
    are the neighbours, null where there is none; their ``gap`` is by how much the scores differ.
    All is null for who is not on the board."""

    score: int | None = None
    rank: int | None = None
    percentile: float | None = None
    above: Next | None = None
    below: Next | None = None
    at: str = ""


class Passer(msgspec.Struct, frozen=True, rename="camel"):
    """Who passed a player; ``gap`` is by how much that one's score is ahead."""

    user_id: str
    gap: int
    player: Player | UnsetType = UNSET


class Overtaken(_OfPlayer, frozen=True, kw_only=True, tag_field="type", tag="overtaken"):
    """A watched player was passed. ``by`` is whoever of those that passed is nearest, ``others``
    how many more there are, and ``rank`` the player's own now."""

    by: Passer
    others: int = 0
    rank: int
    at: str = ""


_encode = msgspec.json.Encoder().encode
_REST = b'"}'  # behind a moment


def untimed(message: StandingMessage | Overtaken) -> bytes:
    """The JSON text of a message up to its moment, which comes last."""
    return _encode(message).removesuffix(_REST)


def timed(text: bytes, at: bytes) -> bytes:
    """The whole text, of this moment."""
    return text + at + _REST


def about(table: str) -> dict[str, str | int]:
    """What messages say of a table."""
    board, *occurrence = table.split(":")
    if not occurrence:
        return {"board": board}
    return {"board": board, "period": occurrence[0], "occurrence": int(occurrence[1])}
