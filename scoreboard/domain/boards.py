"""Boards: their names and what an operator may set on each."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType, structs

from scoreboard.domain.actions import MAX_POINTS
from scoreboard.domain.announced import AnnouncedEvent
from scoreboard.domain.cron import zone_names
from scoreboard.domain.flaws import FieldFlaw
from scoreboard.domain.identifiers import IdRule
from scoreboard.domain.moments import milliseconds_of_moment
from scoreboard.domain.periods import Period, Periods, check_names
from scoreboard.domain.shards import MOST_SHARDS
from scoreboard.domain.tables import board_of, occurrence_of
from scoreboard.errors import (
    BoardClosed,
    BoardFull,
    BoardHasScores,
    BoardUnavailable,
    InvalidRequest,
    ScoreOutOfRange,
    UnknownBoard,
    UnknownUser,
)

TOTAL_BITS = 50
MAX_TOTAL = 2**TOTAL_BITS

GateMode = Literal["off", "flag", "reject"]
Operator = Literal["sum", "best", "last"]
Order = Literal["desc", "asc"]
RankStyle = Literal["ordinal", "standard"]
Join = Literal["open", "required"]

BOARD_PATTERN = r"[a-z0-9][a-z0-9_-]{0,63}"
_board_name = re.compile(BOARD_PATTERN)


def is_board_name(text: str) -> bool:
    """True for a well-formed board name."""
    return _board_name.fullmatch(text) is not None


def check_board_name(text: str) -> None:
    """Raises UnknownBoard for what can't be the name of a board."""
    if not is_board_name(text):
        raise UnknownBoard(f"{text[:80]!r} can't be the name of a board.")


def no_such_board(board: str) -> UnknownBoard:
    """The error for a board that does not exist."""
    return UnknownBoard(f"There is no board {board!r}.")


def not_on_board(user: str, table: str) -> UnknownUser:
    """The error for a user who has no place in the table of a board or of an occurrence."""
    board = board_of(table)
    if occurrence := occurrence_of(table):
        period, _, number = occurrence.partition(":")
        return UnknownUser(
            f"{user!r} is not in occurrence {number} of the period {period} of the board {board}."
        )
    return UnknownUser(f"{user!r} is not on the board {board}.")


def out_of_range() -> ScoreOutOfRange:
    """The error for a total that would leave +-MAX_TOTAL."""
    return ScoreOutOfRange(f"The total would leave -2^{TOTAL_BITS} to 2^{TOTAL_BITS}.")


def board_closed() -> BoardClosed:
    """The error for what comes while the board is closed."""
    return BoardClosed("The board takes no action now; nothing was written.")


def board_full() -> BoardFull:
    """The error for a user for whom the board has no room."""
    return BoardFull("The board takes no further user; nothing was written.")


def board_has_scores(rule: str) -> BoardHasScores:
    """The error for a change of a rule that a board with scores keeps."""
    return BoardHasScores(f"The board has scores, so its {rule} can't change any more.", path=rule)


_OPTIONAL_TEXT = r"^[^\x00-\x1f\x7f-\x9f]*$(?!\n)"
Title = Annotated[str, Meta(max_length=100, pattern=_OPTIONAL_TEXT)]
Unit = Annotated[str, Meta(max_length=20, pattern=_OPTIONAL_TEXT)]
Description = Annotated[str, Meta(max_length=500, pattern=_OPTIONAL_TEXT)]

Moment = Annotated[datetime, Meta(tz=True)]
Zone = Annotated[str, Meta(max_length=64)]

_PLAIN = ("sum", "desc", "ordinal", 10)

# What these say of points and totals can't change once there are some.
SET_BEFORE_SCORES = ("operator", "order", "decimals")

REMEMBERED = 2.0  # seconds for which a process may show a board by settings that it has read


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At most ``actions`` accepted actions of a user in any ``seconds``."""

    actions: Annotated[int, Meta(ge=1, le=1000)]
    seconds: Annotated[float, Meta(ge=0.001, le=86_400)]

    @classmethod
    def from_text(cls, text: str) -> Rate | None:
        """The rate ``N/SECONDS``, None for ``none``. Raises ValueError for any other text."""
        if text == "none":
            return None
        actions, _, seconds = text.partition("/")
        return msgspec.convert({"actions": actions, "seconds": seconds}, cls, strict=False)


class BoardSettings(
    msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True
):
    """What a board sets for itself. Its JSON, in this field order, is kept in Postgres and in the
    board's meta hash, and every submission names the text that it was prepared under."""

    mode: GateMode = "off"
    min_points: Annotated[int, Meta(ge=-MAX_POINTS, le=MAX_POINTS)] = -MAX_POINTS
    max_points: Annotated[int, Meta(ge=-MAX_POINTS, le=MAX_POINTS)] = MAX_POINTS
    rate: Rate | None = None
    allow_history: bool = False
    ids: IdRule | UnsetType = UNSET  # left out: any, as before there was a rule
    operator: Operator = "sum"
    order: Order = "desc"
    decimals: Annotated[int, Meta(ge=0, le=6)] = 0
    rank_style: RankStyle = "ordinal"
    top_size: Annotated[int, Meta(ge=1, le=100)] = 10
    title: Title = ""
    unit: Unit = ""
    description: Description = ""
    opens: Moment | None = None
    closes: Moment | None = None
    attempts: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    capacity: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    join: Join = "open"
    periods: Periods = ()
    all_time: bool = True
    events: Annotated[tuple[AnnouncedEvent, ...], Meta(max_length=10)] = ()
    zone: Zone | UnsetType = UNSET  # left out: UTC, and not told
    shards: Annotated[int, Meta(ge=1, le=MOST_SHARDS)] | UnsetType = UNSET  # left out: 1, likewise

    def __post_init__(self) -> None:
        if self.min_points > self.max_points:
            raise FieldFlaw("minPoints is above maxPoints", field="minPoints")
        if self.opens and self.closes and self.opens >= self.closes:
            raise FieldFlaw("The board closes before it opens", field="closes")
        check_names(self.periods)
        if self.zone is not UNSET and self.zone not in zone_names():
            raise FieldFlaw(f"{self.zone!r} is not a time zone's name in IANA's list", field="zone")
        if not (self.all_time or self.periods):
            raise FieldFlaw("A board without a table of all time needs a period", field="allTime")
        if self.shard_count > 1 and (rule := self._not_with_shards()):
            raise FieldFlaw(f"A board with shards can't have {rule[1]}", field=rule[0])

    def _not_with_shards(self) -> tuple[str, str] | None:
        """What is set that shards would have to agree on while they count; the field, in words."""
        if self.mode != "off":
            return "mode", "a gate: devices are known to a shard alone"
        return None

    @property
    def shard_count(self) -> int:
        """Over how many shards the board's users are spread."""
        return 1 if self.shards is UNSET else self.shards

    @property
    def sign(self) -> int:
        """What a total is multiplied by where it is kept, in Redis and in Postgres: there, more is
        always better. The same the other way round."""
        return -1 if self.order == "asc" else 1

    @property
    def totals(self) -> bytes:
        """The rules of totals in the form that lua/lib_rules.lua reads; empty for those that a
        board has that sets none."""
        if (self.operator, self.order, self.rank_style, self.top_size) == _PLAIN:
            return b""
        return b"%b %d %b %d" % (
            self.operator.encode(),
            self.sign,
            self.rank_style.encode(),
            self.top_size,
        )

    @property
    def limits(self) -> bytes:
        """When the board takes actions, and of whom, in the form that lua/lib_limits.lua reads;
        empty for a board that always does, of all."""
        if not (self.opens or self.closes or self.counts_players):
            return b""
        moments = (
            None if moment is None else milliseconds_of_moment(moment)
            for moment in (self.opens, self.closes)
        )
        numbers = [
            b"-" if limit is None else b"%d" % limit
            for limit in (*moments, self.attempts, self.capacity)
        ]
        if self.shares_capacity:
            numbers[-1] = b"shared"
        return b" ".join((*numbers, self.join.encode()))

    @property
    def period_flags(self) -> bytes:
        """Whether the board shows a table of all time (1 or 0), and of each period, whether
        latecomers count (g or -), in the form that lua/submit_scores.lua reads; empty without
        periods."""
        if not self.periods:
            return b""
        graces = b"".join(b"g" if period.grace else b"-" for period in self.periods)
        return (b"1" if self.all_time else b"0") + graces

    def period(self, name: str) -> Period | None:
        """The period of that name."""
        return next((period for period in self.periods if period.name == name), None)

    @property
    def counts_players(self) -> bool:
        """Whether Redis keeps who is in, with how many actions, for the limits that need it."""
        return not (self.attempts is None and self.capacity is None and self.join == "open")

    @property
    def shares_capacity(self) -> bool:
        """Whether shards have each a share of the room that the board has."""
        return self.capacity is not None and self.shard_count > 1

    def counts_players_in(self, table: str) -> bool:
        """Whether that is so of this table: where a board has periods, only their tables do."""
        return self.counts_players and bool(self.periods) == (occurrence_of(table) is not None)

    @property
    def clock(self) -> str:
        """The time zone by which the board's days begin."""
        return "UTC" if self.zone is UNSET else self.zone

    @property
    def id_rule(self) -> IdRule:
        """Which user ids the board takes."""
        return "any" if self.ids is UNSET else self.ids

    def for_new_board(self, ids: IdRule) -> BoardSettings:
        """The same, with the installation's rule ``ids`` when these settings name none."""
        if self.ids is not UNSET or ids == "any":
            return self
        return structs.replace(self, ids=ids)

    def to_text(self) -> str:
        """The canonical JSON text."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_text(cls, text: str | bytes) -> BoardSettings:
        """The settings of a text that was kept. Raises BoardUnavailable on one that this version
        does not understand."""
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.ValidationError as error:
            raise BoardUnavailable(
                "The board has settings of a newer version; a process of that version serves it."
            ) from error


# What a board's settings become, of what they are; None: there is no such board yet.
SettingsChange = Callable[[BoardSettings | None], BoardSettings]

# Some of a board's settings: the fields of BoardSettings, each of which may be left out.
SettingsGiven: Any = msgspec.defstruct(
    "SettingsGiven",
    [(one.name, one.type | UnsetType, UNSET) for one in structs.fields(BoardSettings)],
    namespace={"__doc__": "Those of a board's settings that are to change; `rate` as a whole."},
    module=__name__,
    frozen=True,
    omit_defaults=True,
    rename="camel",
    forbid_unknown_fields=True,
)


# The settings of the first version: clients that know no others go on naming these.
_ALWAYS_NAMED = frozenset({"mode", "min_points", "max_points", "rate", "allow_history", "ids"})


def replacing(given: Any) -> SettingsChange:
    """Replaces all settings by SettingsGiven. A new board gets the defaults of those left out; a
    board that exists would lose what it has, so the change raises InvalidRequest."""

    def change(before: BoardSettings | None) -> BoardSettings:
        missing = [
            one.encode_name
            for one in structs.fields(BoardSettings)
            if before is not None
            and getattr(given, one.name) is UNSET
            and (one.name in _ALWAYS_NAMED or getattr(before, one.name) != one.default)
        ]
        if missing:
            raise InvalidRequest(
                "The board exists: name all of its settings to replace them, or change some with "
                f"PATCH. Missing: {', '.join(missing)}.",
                path=missing[0],
            )
        return _changed(BoardSettings(), given)

    return change


def amending(given: Any, *, create: bool = False) -> SettingsChange:
    """Changes the settings in SettingsGiven and keeps the rest; a new board is made of the defaults
    with ``create``, else the change raises UnknownBoard."""

    def change(before: BoardSettings | None) -> BoardSettings:
        if before is None and not create:
            raise UnknownBoard("There is no such board; PUT makes one.")
        return _changed(before or BoardSettings(), given)

    return change


def check_kept_shards(before: BoardSettings | None, after: BoardSettings) -> None:
    """Raises BoardHasScores when a board that exists would get another number of shards or, with
    shards, other rules of totals, since others may count on any of them meanwhile."""
    if before is None:
        return
    if before.shard_count != after.shard_count:
        raise BoardHasScores("A board keeps the number of shards it was made with.", path="shards")
    if after.shard_count > 1 and (rule := kept_rule(before, after)):
        raise BoardHasScores(f"A board with shards keeps its {rule}.", path=rule)


def kept_rule(before: BoardSettings, after: BoardSettings) -> str | None:
    """The first rule that ``after`` changes and that a board with scores keeps; None without."""
    return next(
        (name for name in SET_BEFORE_SCORES if getattr(before, name) != getattr(after, name)), None
    )


def _changed(settings: BoardSettings, given: Any) -> BoardSettings:
    values = {name: value for name, value in structs.asdict(given).items() if value is not UNSET}
    try:
        return structs.replace(settings, **values)
    except FieldFlaw as flaw:
        raise InvalidRequest(f"{flaw}.", path=flaw.field) from flaw
