"""What shards have of their board's capacity (docs/decisions/0042)."""

from __future__ import annotations

import enum
from typing import NamedTuple


class Share(NamedTuple):
    """What a shard may have in a table: so many ``users``, by the deal of this ``number``."""

    number: int
    users: int


class Dealt(NamedTuple):
    """What the first shard has dealt out: to each shard its share, of which so many users were
    ``given`` just now. ``moved``: something was dealt to a shard since it gave back, and what it
    gave back does not count."""

    capacity: int
    term: int
    moved: bool
    shares: list[Share]
    given: list[int]


class OtherTerm(NamedTuple):
    """Nothing was done, since there is no term in which it could be, or it is a later one.
    ``capacity`` is told by the first shard."""

    term: int
    capacity: int = 0


class NotDealt(enum.Enum):
    """Why nothing was done that no other term would help."""

    FINAL = "the occurrence is over"
    UNOPENED = "the shard has not opened the occurrence"
    UNSETTLED = "the settings of the board's shards differ"
    MOVED = "something was dealt to the shard since"
