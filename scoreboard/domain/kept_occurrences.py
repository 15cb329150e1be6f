"""Occurrences of periods as they are kept in Postgres."""

from __future__ import annotations

from typing import Literal, NamedTuple

from scoreboard.domain.tables import occurrence_table


class KeptOccurrence(NamedTuple):
    """An occurrence that was opened. The moments are Unix ms: it takes actions from ``starts_at``
    until before ``ends_at``, and latecomers until before ``final_at``. Its state is ``open`` until
    its ranks are stored. Of a final one ``users`` is how many have a rank; it is ``amended`` when a
    decision changed it since, and ``pruned`` when its users can't be read any more."""

    board: str
    period: str
    number: int
    starts_at: int
    ends_at: int
    final_at: int
    state: Literal["open", "final"]
    users: int | None
    amended: bool
    pruned: bool

    @property
    def table(self) -> str:
        """The name of its table."""
        return occurrence_table(self.board, self.period, self.number)


class DueOccurrence(NamedTuple):
    """An open occurrence that has ended. ``turned``: the next one of its period was opened."""

    board: str
    period: str
    number: int
    starts_at: int
    ends_at: int
    final_at: int
    turned: bool

    @property
    def table(self) -> str:
        """The name of its table."""
        return occurrence_table(self.board, self.period, self.number)
