"""The files of migrations: two that were numbered alike on two branches are found in time."""

from __future__ import annotations

from scoreboard import files


def test_they_are_numbered_from_one_without_gaps_and_each_number_is_there_once() -> None:
    texts = files.texts("pg", "migrations", suffix=".sql")

    assert [name[:5] for name in texts] == [f"{n:04}_" for n in range(1, len(texts) + 1)]
