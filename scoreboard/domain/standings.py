"""The parts of a board that readers see."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType, structs

from scoreboard.domain.profiles import Player

TOP_TEN = 10


class TopEntry(msgspec.Struct, frozen=True, rename="camel"):
    """One row of the top 10. ``player`` is there where the user shows something, here and below;
    an anonymous user has a pseudonym for an id."""

    user_id: str
    score: int
    player: Player | UnsetType = UNSET


class Standing(msgspec.Struct, frozen=True, rename="camel"):
    """A user's place: ``rank`` from 1; ``percentile`` is the share (0 to 100) of the board's users
    who are at or below this rank."""

    user_id: str
    score: int
    rank: int
    percentile: float
    player: Player | UnsetType = UNSET


class ListedStanding(Standing, frozen=True):
    """The same, of a listed user; when the list was sorted by rank, ``place`` is that among the
    listed, from 1. Who shares a rank shares a place."""

    place: int | UnsetType = UNSET


class Next(msgspec.Struct, frozen=True, rename="camel"):
    """The user directly above; ``gap`` is how much that one's score is ahead. With as much more a
    user draws level and still stands behind, since of equal scores the earlier stands higher."""

    user_id: str
    rank: int
    gap: int
    player: Player | UnsetType = UNSET


class TopTen(msgspec.Struct, frozen=True):
    """What the tenth has, null while there are fewer; ``gap`` is how much that is ahead, 0 for who
    is among the first ten."""

    score: int | None
    gap: int


class UserStanding(Standing, frozen=True, kw_only=True):
    """A user's place, the one directly above (null for the first) and the way to the top 10."""

    next: Next | None
    top10: TopTen


class Place(NamedTuple):
    """Where a page of standings begins. ``at`` is what ``kind`` says: the ``rank`` of its first
    user; a ``score``, with the first user who has it or stands below; a score, ``behind`` all who
    have it; or, ``after`` a user, that one's zset score, wherever the user stands now."""

    kind: Literal["rank", "score", "behind", "after"]
    at: float
    user_id: str = ""


class Page(NamedTuple):
    """Users in order of rank. ``rank`` is that at which the page begins, though nobody may stand
    there, and ``players`` the number of users on the board. ``last`` is the place from which the
    next page goes on, None when nobody stands behind this one."""

    standings: list[Standing]
    rank: int
    players: int
    last: Place | None


class Spot(NamedTuple):
    """A spot in a table: right behind the place that the user has with this zset score, wherever
    the user stands now; behind all who have it when the name is empty."""

    zset_score: float
    user_id: str = ""


BEFORE_ALL, BEHIND_ALL = Spot(inf), Spot(-inf)


Rows: TypeAlias = list[tuple[str, float]]  # users with their zset scores, best first


class Part(NamedTuple):
    """What a shard adds to a read of its board: its version, how many ``players`` it shows, how
    many of them stand ``above`` a spot, and some users around it with their zset scores, best
    first."""

    version: int
    players: int
    above: int
    rows: Rows


def user_standing(own: Standing, above: Standing | None, tenth: int | None) -> UserStanding:
    """A user's standing with the one ``above`` and the score of the ``tenth``, if there are any."""
    missing = 0 if tenth is None or own.rank <= TOP_TEN else abs(tenth - own.score)
    return UserStanding(
        *(own.user_id, own.score, own.rank, own.percentile),
        next=Next(above.user_id, above.rank, abs(above.score - own.score)) if above else None,
        top10=TopTen(tenth, missing),
    )


def listed(standing: Standing) -> ListedStanding:
    """The standing of a listed user, in the order of the list."""
    return ListedStanding(*structs.astuple(standing))


def among_listed(standings: Iterable[Standing]) -> list[ListedStanding]:
    """Listed users by rank, each with the place among them."""
    placed: list[ListedStanding] = []
    for number, one in enumerate(sorted(standings, key=lambda one: one.rank), 1):
        shares = placed and placed[-1].rank == one.rank
        place = placed[-1].place if shares else number
        placed.append(structs.replace(listed(one), place=place))
    return placed


def ranked(
    rows: Iterable[tuple[str, int]], above: int, players: int, shared: int | None = None
) -> list[Standing]:
    """The standings of users with their scores, best first, below ``above`` others on a board of so
    many ``players``. Where equal scores share a rank, ``shared`` is the first user's."""
    if shared is None:
        return [
            Standing(user, score, rank, percentile(rank, players))
            for rank, (user, score) in enumerate(rows, above + 1)
        ]
    standings: list[Standing] = []
    rank = shared
    for place, (user, score) in enumerate(rows, above + 1):
        if standings and score != standings[-1].score:
            rank = place
        standings.append(Standing(user, score, rank, percentile(rank, players)))
    return standings


def percentile(rank: int, players: int) -> float:
    """Returns 100 for the first of any number of players and 100/players for the last, rounded to
    two decimals."""
    share = 100.0 * (players - rank + 1) / players
    hundredths = share * 100
    nearest = round(hundredths)
    # Rounding to two places takes twice as long, and differs only where two are equally near.
    if abs(abs(hundredths - nearest) - 0.5) < 1e-6:
        return round(share, 2)
    return nearest / 100
