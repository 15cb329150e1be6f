"""docs/capacity.md says what scripts/bench/capacity.py reckons, from figures that it names."""

from __future__ import annotations

import re
from pathlib import Path

from scripts.bench.capacity import DOCUMENTED, MEMORY, POSTGRES_MOST, Needs, table

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "capacity.md").read_text(encoding="utf-8")


def test_the_table_is_what_the_script_prints() -> None:
    assert table(DOCUMENTED) in PAGE


def test_every_unit_of_the_table_is_on_the_page() -> None:
    listed = re.findall(r"^\| [^|]+ \| ([\d.]+) (?:µs|B) \|", PAGE, re.MULTILINE)
    units = [getattr(DOCUMENTED, name) for name in DOCUMENTED.__struct_fields__]

    assert sorted(map(float, listed)) == sorted(map(float, units))
    assert f"{POSTGRES_MOST:,} actions a second" in PAGE


def test_the_units_of_the_page_of_sizing_are_those_that_it_tells() -> None:
    sizing = (DOCS / "sizing.md").read_text(encoding="utf-8")

    assert "| 101, 29, 44, 40 µs |" in sizing
    for first, about in (("80;", "user in a table"), ("169;", "receipt"), ("147;", "event")):
        assert re.search(rf"^\| {about}.*\| {first}", sizing, re.MULTILINE), about
    for last, about in (("316", "user in a table: total"), ("768 to 981", "action: write-ahead")):
        assert re.search(rf"^\| {about}.*\| {last} \|", sizing, re.MULTILINE), about
    assert DOCUMENTED.ledger == 273 + 77
    assert "| 273 |" in sizing
    assert "| 77 |" in sizing


def test_there_are_masters_enough_for_the_rate_and_for_the_memory() -> None:
    few = Needs(DOCUMENTED, 10_000, 10_000_000_000)
    assert few.masters == few.masters_for_memory > few.masters_for_rate
    assert (few.masters - 1) * MEMORY < few.memory <= few.masters * MEMORY

    fast = Needs(DOCUMENTED, 1_000_000, 1)
    assert (fast.masters_for_rate - 1) * 0.5 < 1_000_000 * 44e-6 <= fast.masters_for_rate * 0.5
