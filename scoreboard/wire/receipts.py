"""Receipts: what Redis remembers of an action for the time of the dedupe window.

Text: ``<outcome><points>,<score>,<attempt>,<event id>,<agents>``, for example
``A15,2000,k3f9.1a,1764000000000-0,``. Kept short: up to 44 bytes Redis stores a string in one
allocation. The score is empty and the agents (comma-separated) are present on a refusal. Where the
board's operator is not ``sum``, the total before the action stands in their place on an accepted
one, and where it has periods, ``;`` and what the action did in them (wire/moves.py) follow. Totals
are as they are kept: negated where less is better.
A ``!`` at the end says that a conflict was recorded; further conflicts are answered, but not
recorded. lua/revert_action.lua (``A`` becomes ``V``), lua/approve_action.lua (``R`` becomes ``A``)
and a rebuild write the receipt without it, so after each of them one more conflict may be recorded.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

from scoreboard.domain.ledger import TableMove
from scoreboard.wire.moves import moves_text


class Kept(enum.Enum):
    """The outcomes that leave a receipt; the value is its first letter."""

    ACCEPTED = "A"
    REFUSED = "R"
    REVERTED = "V"


def receipt(
    kept: Kept,
    *,
    points: int,
    score: int | None,
    attempt: str,
    event: str,
    agents: tuple[str, ...] = (),
    previous: int | None = None,
    moves: Sequence[TableMove] = (),
) -> str:
    """The receipt's text, as lua/submit_scores.lua writes it."""
    total = "" if score is None else score
    told = ",".join(agents) if previous is None else str(previous)
    tail = f";{moves_text(moves)}" if moves else ""
    return f"{kept.value}{points},{total},{attempt},{event},{told}{tail}"
