"""Moves: what an action did in the occurrences of its board's periods, as text.

``week:12 40 1764000000000 38`` says: in occurrence 12 of the period ``week`` the user's total is 40
now, reached at that Unix millisecond, and was 38 before (``-``: there was none). Both totals are as
they are kept: negated where less is better. A total that a revert left empty is ``-``, and so is
its time. Several are joined by ``;``. The text stands in the stream (field ``q``), in receipts, and
piece by piece in ``score_action.tables``."""

from __future__ import annotations

from collections.abc import Iterable

from scoreboard.domain.ledger import TableMove


def parse_move(text: str) -> TableMove:
    """The move of one piece. Raises ValueError for a text of another form."""
    occurrence, score, reached, previous = text.split(" ")
    period, _, number = occurrence.partition(":")
    if not period or not number.isdecimal():
        raise ValueError(f"{occurrence!r} is no occurrence")
    return TableMove(occurrence, _number(score), _number(reached), _number(previous))


def parse_moves(text: str) -> tuple[TableMove, ...]:
    """The moves of a text, which may be empty. Raises ValueError."""
    return tuple(map(parse_move, text.split(";"))) if text else ()


def move_text(move: TableMove) -> str:
    """One piece."""
    numbers = (move.score, move.reached_ms, move.previous)
    return " ".join((move.occurrence, *("-" if n is None else str(n) for n in numbers)))


def moves_text(moves: Iterable[TableMove]) -> str:
    """The text of moves."""
    return ";".join(map(move_text, moves))


def _number(text: str) -> int | None:
    return None if text == "-" else int(text)
