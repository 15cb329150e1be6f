"""The texts that tell of occurrences: moves, and what Redis knows of a period."""

from __future__ import annotations

import pytest

from scoreboard.domain.ledger import TableMove
from scoreboard.domain.occurrences import Occurrence
from scoreboard.wire.known_periods import KnownPeriod
from scoreboard.wire.moves import moves_text, parse_moves

MOVES = (TableMove("week:12", 40, 1_764_000_000_000, 38), TableMove("day:3", -7, 5, None))


def test_moves_are_one_text() -> None:
    assert moves_text(MOVES) == "week:12 40 1764000000000 38;day:3 -7 5 -"
    assert parse_moves(moves_text(MOVES)) == MOVES


def test_a_total_that_a_revert_left_empty_is_told() -> None:
    assert parse_moves("week:1 - - 5") == (TableMove("week:1", None, None, 5),)


def test_no_moves_are_an_empty_text() -> None:
    assert moves_text(()) == ""
    assert parse_moves("") == ()


@pytest.mark.parametrize(
    "text", ["week 1 2 3", "week:x 1 2 3", ":1 1 2 3", "week:1 1 2", ";", "week:1 a 2 3"]
)
def test_other_texts_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_moves(text)


@pytest.mark.parametrize("text", ["12 1 5 6", "12 5 9 9 1 5 6"])
def test_what_is_known_of_a_period_is_a_text(text: str) -> None:
    known = KnownPeriod.from_text(text)
    assert known is not None
    assert known.to_text() == text
    assert known.latest.number == 12


def test_the_occurrence_before_has_the_number_before() -> None:
    known = KnownPeriod.from_text(b"12 5 9 9 1 5 6")
    assert known == KnownPeriod(Occurrence(12, 5, 9), 9, Occurrence(11, 1, 5), 6)


def test_without_an_occurrence_nothing_is_known() -> None:
    assert KnownPeriod.from_text("") is None
