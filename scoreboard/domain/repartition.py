"""The change of the number of partitions."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class PartitionCount(NamedTuple):
    """How many partitions the data has, and how many it is to have: None unless a change was begun
    and is not done."""

    present: int
    target: int | None

    @property
    def switched(self) -> bool:
        """Whether of a change only the loading of the boards may be left."""
        return self.present == self.target


class Outcome(Enum):
    """How a change has ended."""

    DONE = "done"
    DIFFERS = "done, and the audit at its end found differences"
    GIVEN_UP = "given up, with nothing changed"
    UNCHANGED = "there were so many already"
