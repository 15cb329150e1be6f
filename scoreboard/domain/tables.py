"""Tables: what has its own ranking. A board has one of all time and one for each occurrence of each
of its periods. The first has the board's name, an occurrence has ``<board>:<period>:<number>``;
neither boards nor periods have colons in their names."""

from __future__ import annotations


def occurrence_table(board: str, period: str, number: int) -> str:
    """The name of an occurrence's table."""
    return f"{board}:{period}:{number}"


def board_of(table: str) -> str:
    """The board that the table belongs to."""
    return table.partition(":")[0]


def occurrence_of(table: str) -> str | None:
    """The period and the number of an occurrence's table, as ``week:12``; None for a board's
    own."""
    return table.partition(":")[2] or None


def feed_of(table: str) -> str:
    """What live clients follow: ``<board>:<period>`` for an occurrence, since they go on to the
    next one; the board's name for its table of all time."""
    return ":".join(table.split(":")[:2])
