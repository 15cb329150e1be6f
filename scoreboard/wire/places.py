"""Where players stand, as lua/read_places.lua tells it."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import NamedTuple, TypeAlias

from scoreboard.domain.standings import Next, Standing, percentile

# A user's place as the script replies it; empty for one who is not there. Two that are equal say
# the same, so that only those that changed have to be looked into.
RawPlace: TypeAlias = bytes | list[bytes]

MOST_MOVES = 1_000  # that a read looks at

_ABOVE, _BELOW, _ROWS = (
    1,
    2,
    3,
)  # behind the rank: those of the neighbours, '' where none is, and who


class Places(NamedTuple):
    """The places of the users that were asked for, in order; None when the table is in the state
    that the asker knows. ``sign`` is -1 where less is better, ``shared`` whether equal scores share
    a rank. ``moves`` has of each move, in order, the user and the zset scores before and after,
    and ``ids`` the id of each; behind ``last`` there are more, and of those before it ``looked``
    were looked at."""

    state: bytes
    players: int = 0
    sign: int = 1
    shared: bool = False
    last: bytes = b""
    looked: int = 0
    moves: Sequence[bytes] = ()
    ids: Sequence[bytes] = ()
    places: Sequence[RawPlace] | None = None


class Place(NamedTuple):
    """A user's place, with those directly above and below; their ``gap`` is by how much the scores
    differ. Of two users the one with the higher ``zset_score`` stands above."""

    zset_score: float
    score: int
    rank: int
    percentile: float
    above: Next | None
    below: Next | None


def parse_place(raw: RawPlace, players: int, sign: int) -> Place | None:
    """The place in a table of so many players; None for a user who is not there."""
    if not isinstance(raw, list) or not raw:
        return None
    rank, own = int(raw[0]), _ROWS + 2 if raw[_ABOVE] else _ROWS
    zset_score = float(raw[own + 1])
    total = floor(zset_score)
    above = below = None
    if raw[_ABOVE]:
        gap = abs(floor(float(raw[_ROWS + 1])) - total)
        above = Next(raw[_ROWS].decode(), int(raw[_ABOVE]), gap)
    if raw[_BELOW]:
        gap = abs(floor(float(raw[own + 3])) - total)
        below = Next(raw[own + 2].decode(), int(raw[_BELOW]), gap)
    return Place(zset_score, total * sign, rank, percentile(rank, players), above, below)


def raw_place(around: Sequence[Standing], user: str) -> RawPlace:
    """The same of a table that is not in Redis, of the user's standing among the neighbours."""
    place = next((i for i, one in enumerate(around) if one.user_id == user), None)
    if place is None:
        return b""
    above, below = around[:place][-1:], around[place + 1 :][:1]
    ranks = (around[place : place + 1], above, below)
    raw = [b"%d" % one[0].rank if one else b"" for one in ranks]
    for one in (*above, around[place], *below):
        raw += (one.user_id.encode(), b"%d" % one.score)
    return raw
