"""Parts of the ledger, which are stretches of time."""

from __future__ import annotations

from typing import NamedTuple


class LedgerPart(NamedTuple):
    """A part that is due to be folded: its number, its table, from when (None: from the beginning)
    until when its events are, Unix ms, and about how many actions and bytes it has. ``folding``
    when that was begun."""

    part: int
    relation: str
    from_ms: int | None
    to_ms: int
    folding: bool
    actions: int
    size: int
