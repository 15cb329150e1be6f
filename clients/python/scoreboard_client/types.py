"""What the service answers, as its description says.

Written by ``python -m clients.conformance.shapes``, not by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class InPeriod:
    """What an action did in an occurrence of a period: the user's total there, the rank from
    1 (null for a user who is hidden, and on a board with shards), and whether the total
    is another now."""

    occurrence: int
    score: int
    rank: int | None
    changed: bool


@dataclass(frozen=True)
class Accepted:
    """The action counts. ``score`` is the user's new total; ``rank`` counts from 1 and is null
    for a user who is hidden from the board, and on a board with shards, where only a read
    knows it; ``durability`` is present when the level that was asked for was not reached in
    time and names the one that was. ``changed`` and ``previous`` are present where the
    board's operator is not ``sum``: whether the total is another now, and what it was
    before (null: there was none). ``periods`` is present where the board has some, and
    names those whose open occurrence the action counts in. A board without a table of all
    time gives no ``score`` and ``rank`` but these."""

    user_id: str
    action_id: str
    score: int | None = None
    rank: int | None = None
    durability: str | None = None
    changed: bool | None = None
    previous: int | None = None
    periods: dict[str, InPeriod] = field(default_factory=dict)


@dataclass(frozen=True)
class Joined:
    """The user is in, now or before. Until the first score the user has no rank."""

    board: str
    user_id: str
    joined: bool = True


@dataclass(frozen=True)
class ListedBoard:
    """A board by its name, and what people are told of it."""

    board: str
    title: str
    description: str


@dataclass(frozen=True)
class BoardPage:
    """Boards in order of their names. With ``next`` as ``after`` the next page goes on; it is
    null on the last one."""

    boards: list[ListedBoard]
    next: str | None


@dataclass(frozen=True)
class Rate:
    """At most ``actions`` accepted actions of a user in any ``seconds``."""

    actions: int
    seconds: float


@dataclass(frozen=True)
class Period:
    """One of a board's periods, as its settings name it: ``cron`` by the clock of ``zone``, or
    ``every`` from ``start``. An occurrence is open until the next one starts, or for
    ``duration``; then latecomers have ``grace`` seconds. ``keep`` is how many closed
    occurrences stay readable with all users; without it all do."""

    name: str
    cron: str | None = None
    zone: str = "UTC"
    every: str | None = None
    start: str | None = None
    duration: str | None = None
    grace: int = 0
    keep: int | None = None


@dataclass(frozen=True)
class PlayersRules:
    """What a board's settings tell its players: what an action does to a total, whether more
    or less is better, how many decimals a total is shown with (totals are integers in the
    smallest unit), whether equal totals share a rank, how many are in the top; the
    board's name for people (empty: its own), what totals are in, what people are told of
    it; the bounds of an action's points, how many actions a user has in which time (null:
    any), which user ids the board takes; from when on and until when it takes actions
    (null: always), how many of a user, and of how many users (null: any number), whether
    users have to join first; its periods, whether it has a table of all time, and, where
    it was set, by which time zone its days begin."""

    min_points: int
    max_points: int
    rate: Rate | None
    ids: Literal["any", "ascii", "nfc-visible"]
    operator: Literal["best", "last", "sum"]
    order: Literal["asc", "desc"]
    decimals: int
    rank_style: Literal["ordinal", "standard"]
    top_size: int
    title: str
    unit: str
    description: str
    opens: str | None
    closes: str | None
    attempts: int | None
    capacity: int | None
    join: Literal["open", "required"]
    periods: list[Period]
    all_time: bool
    zone: str | None = None


@dataclass(frozen=True)
class ShownPeriod:
    """A period of a board with its current occurrence: ``upcoming`` before the very first,
    ``open`` while it takes actions, ``closing`` once it has ended, ``final`` when its ranks are
    stored."""

    name: str
    occurrence: int
    state: Literal["closing", "final", "open", "upcoming"]
    starts_at: str
    ends_at: str
    next_starts_at: str


@dataclass(frozen=True)
class DescribedBoard:
    """A board's rules, how many users it shows, its version, and its periods."""

    board: str
    rules: PlayersRules
    users: int
    version: int
    periods: list[ShownPeriod]


@dataclass(frozen=True)
class Player:
    """What a player shows beside a score; what was not given is left out. The name is any
    text: it has to be escaped where it is shown, and isolated from text of the other
    direction."""

    display_name: str | None = None
    avatar_url: str | None = None
    country: str | None = None


@dataclass(frozen=True)
class TopEntry:
    """One row of the top 10. ``player`` is there where the user shows something, here and
    below; an anonymous user has a pseudonym for an id."""

    user_id: str
    score: int
    player: Player | None = None


@dataclass(frozen=True)
class TopScores:
    """The first ten of a board, score descending; of equal scores the one reached earlier
    first. ``at`` is the moment that was asked for, if one was."""

    top_scores: list[TopEntry]
    at: str | None = None
    period: str | None = None
    occurrence: int | None = None
    state: Literal["closing", "final", "open", "upcoming"] | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    next_starts_at: str | None = None


@dataclass(frozen=True)
class Standing:
    """A user's place: ``rank`` from 1; ``percentile`` is the share (0 to 100) of the board's
    users who are at or below this rank."""

    user_id: str
    score: int
    rank: int
    percentile: float
    player: Player | None = None


@dataclass(frozen=True)
class StandingsPage:
    """Users in order of rank. With ``next`` as ``after`` the next page goes on; it is null when
    nobody stands behind this one."""

    standings: list[Standing]
    next: str | None
    period: str | None = None
    occurrence: int | None = None
    state: Literal["closing", "final", "open", "upcoming"] | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    next_starts_at: str | None = None


@dataclass(frozen=True)
class ScoreRank:
    """Where a newcomer with this ``score`` would stand now: behind all who have it. ``users``
    are those on the board, without the newcomer, who is counted in ``percentile``."""

    score: int
    rank: int
    percentile: float
    users: int
    period: str | None = None
    occurrence: int | None = None
    state: Literal["closing", "final", "open", "upcoming"] | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    next_starts_at: str | None = None


@dataclass(frozen=True)
class Next:
    """The user directly above; ``gap`` is how much that one's score is ahead. With as much
    more a user draws level and still stands behind, since of equal scores the earlier
    stands higher."""

    user_id: str
    rank: int
    gap: int
    player: Player | None = None


@dataclass(frozen=True)
class TopTen:
    """What the tenth has, null while there are fewer; ``gap`` is how much that is ahead, 0 for
    who is among the first ten."""

    score: int | None
    gap: int


@dataclass(frozen=True)
class Change:
    """What has changed ``since`` a moment: by how many places the user is higher (negative:
    lower), and by how much the score is larger. ``was`` says what the user was then:
    ``ranked``; ``unranked``, too far down for a rank that is kept; or ``absent``. ``rank`` is
    null for the latter two."""

    since: str
    rank: int | None
    score: int
    was: Literal["absent", "ranked", "unranked"]


@dataclass(frozen=True)
class Delta:
    """What has changed since the board's ``day`` began and, in a table of all time, since each
    of its ``periods`` did, told from the start of the day on which that was; null where
    nothing is kept."""

    day: Change | None
    periods: dict[str, Change | None] = field(default_factory=dict)


@dataclass(frozen=True)
class UserPlace:
    """A user's place, the one directly above (null for the first) and the way to the top 10.
    ``at`` is the moment that was asked for, if one was, and ``delta`` what has changed, if
    that was."""

    user_id: str
    score: int
    rank: int
    percentile: float
    next: Next | None
    top10: TopTen
    period: str | None = None
    occurrence: int | None = None
    state: Literal["closing", "final", "open", "upcoming"] | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    next_starts_at: str | None = None
    player: Player | None = None
    at: str | None = None
    delta: Delta | None = None


@dataclass(frozen=True)
class Neighbours:
    """A user and those around, by rank."""

    users: list[Standing]
    period: str | None = None
    occurrence: int | None = None
    state: Literal["closing", "final", "open", "upcoming"] | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    next_starts_at: str | None = None


@dataclass(frozen=True)
class ListedStanding:
    """The same, of a listed user; when the list was sorted by rank, ``place`` is that among
    the listed, from 1. Who shares a rank shares a place."""

    user_id: str
    score: int
    rank: int
    percentile: float
    player: Player | None = None
    place: int | None = None


@dataclass(frozen=True)
class DayBegan:
    """The ranks that users had when the board's day began, or as soon after that as it was
    kept, which is told by ``since``: by their ids, of those who had one that is kept."""

    since: str
    ranks: dict[str, int]


@dataclass(frozen=True)
class Lookup:
    """The standings of the listed users that are on the board, in the order of the list or,
    with ``sort=rank``, by rank with their ``place`` among them; and the ids of those that are
    not. With ``day=true`` also their ranks when the ``day`` began, null where nothing is
    kept."""

    users: list[ListedStanding]
    missing: list[str]
    day: DayBegan | None = None
    period: str | None = None
    occurrence: int | None = None
    state: Literal["closing", "final", "open", "upcoming"] | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    next_starts_at: str | None = None


@dataclass(frozen=True)
class FoundOnBoard:
    """Users of the table whose names begin as was asked, by rank; ``more`` when there are
    others, or may be, since so many players have such names. Who is anonymous or hidden
    is not found."""

    users: list[Standing]
    more: bool
    period: str | None = None
    occurrence: int | None = None
    state: Literal["closing", "final", "open", "upcoming"] | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    next_starts_at: str | None = None


@dataclass(frozen=True)
class ListedOccurrence:
    """An occurrence, and how many users are in it. ``amended``: a moderator's decision changed
    it when it was final; ``gone``: its users are no longer kept. Both are left out where
    false."""

    occurrence: int
    state: Literal["closing", "final", "open", "upcoming"]
    starts_at: str
    ends_at: str
    users: int
    amended: bool = False
    gone: bool = False


@dataclass(frozen=True)
class OccurrencePage:
    """Occurrences that have started, newest first. With ``next`` as ``after`` the next page goes
    on; it is null on the last one."""

    occurrences: list[ListedOccurrence]
    next: str | None


@dataclass(frozen=True)
class UserProfile:
    """A user's profile, as it is kept; what was not given is left out."""

    user_id: str
    visibility: Literal["anonymous", "hidden", "public"]
    display_name: str | None = None
    avatar_url: str | None = None
    country: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ProfileList:
    """The profiles of the listed users who have one that the caller may see, in the order of
    the list, and the ids of the others."""

    users: list[UserProfile]
    missing: list[str]


@dataclass(frozen=True)
class LedgerAction:
    """An action of a player. ``event`` is the event by which it counts, or was refused, and
    ``at`` when that was; ``occurredAt`` when it happened, as a game server said, else when it
    was received. ``score`` is the total right after it (null: it was refused). ``reverted``
    is present when it was taken back: the event of that, and when. ``agents`` are those of
    the gate that refused it, for those who may know."""

    action_id: str
    event: str
    at: str
    points: int
    status: Literal["accepted", "refused", "reverted"]
    score: int | None
    occurred_at: str | None = None
    reverted: str | None = None
    reverted_at: str | None = None
    agents: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ScoreAt:
    """The player's total at the end of an hour or a day, which began at ``start``; null: no
    action was left."""

    start: str
    score: int | None


@dataclass(frozen=True)
class History:
    """What a player did, newest first: ``actions`` with the score after each or, where a
    ``resolution`` was asked for, ``scores`` of the hours or days in which the total was
    touched, by the clock of ``zone``. With ``next`` as ``after`` the next page goes on; it is
    null on the last one. Where older actions are no longer kept one by one, ``detailFrom``
    says from when on they are."""

    user_id: str
    next: str | None
    actions: list[LedgerAction] = field(default_factory=list)
    resolution: Literal["day", "hour"] | None = None
    zone: str | None = None
    scores: list[ScoreAt] = field(default_factory=list)
    detail_from: str | None = None
    period: str | None = None
    occurrence: int | None = None
    state: Literal["closing", "final", "open", "upcoming"] | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    next_starts_at: str | None = None


@dataclass(frozen=True)
class LedgerTotal:
    """How many actions count, and the total that they give; null: none is left."""

    actions: int
    score: int | None


@dataclass(frozen=True)
class NeighbourWhy:
    """A neighbour, when the neighbour's total was reached, and what decides between the two:
    the ``score``; the ``time`` at which equal totals were reached, the earlier stands higher;
    or, where totals are so large that times can't be told apart, the larger ``userId``."""

    user_id: str
    score: int
    rank: int
    reached_at: str
    by: Literal["score", "time", "userId"]
    player: Player | None = None


@dataclass(frozen=True)
class Explanation:
    """Why a player stands where. ``rank``, ``percentile``, ``reachedAt`` and the neighbours are
    null for who has no place: who is ``hidden``, by a moderator or by choice, or of whom no
    action counts. ``ledger`` is what the actions that count give: ``score`` if all is well.
    ``decisive`` is the one of them that gives the total where the operator is ``best`` or
    ``last``. ``actions`` are all, newest first, those that were taken back or refused too;
    with ``next`` as ``after`` the next page goes on. Where older actions are no longer kept
    one by one, ``detailFrom`` says from when on they are; ``ledger`` has them even so, and
    ``decisive`` is null if it is one of them."""

    user_id: str
    score: int | None
    rank: int | None
    percentile: float | None
    reached_at: str | None
    hidden: bool
    operator: Literal["best", "last", "sum"]
    order: Literal["asc", "desc"]
    rank_style: Literal["ordinal", "standard"]
    ledger: LedgerTotal
    above: NeighbourWhy | None
    below: NeighbourWhy | None
    actions: list[LedgerAction]
    next: str | None
    period: str | None = None
    occurrence: int | None = None
    state: Literal["closing", "final", "open", "upcoming"] | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    next_starts_at: str | None = None
    decisive: LedgerAction | None = None
    detail_from: str | None = None


@dataclass(frozen=True)
class PlayerStanding:
    """Where a watched player stands: on connect, and when it has changed. ``above`` and
    ``below`` are the neighbours, null where there is none; their ``gap`` is by how much the
    scores differ. All is null for who is not on the board."""

    board: str
    user_id: str
    score: int | None
    rank: int | None
    percentile: float | None
    above: Next | None
    below: Next | None
    at: str
    period: str | None = None
    occurrence: int | None = None
    player: Player | None = None


@dataclass(frozen=True)
class Passer:
    """Who passed a player; ``gap`` is by how much that one's score is ahead."""

    user_id: str
    gap: int
    player: Player | None = None


@dataclass(frozen=True)
class Overtaken:
    """A watched player was passed. ``by`` is whoever of those that passed is nearest, ``others``
    how many more there are, and ``rank`` the player's own now."""

    board: str
    user_id: str
    by: Passer
    others: int
    rank: int
    at: str
    period: str | None = None
    occurrence: int | None = None
    player: Player | None = None
