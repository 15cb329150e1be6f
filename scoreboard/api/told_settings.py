"""Boards' settings as clients are told of them: administrators of all, everybody else of those that
concern players. A setting of the domain is told without being named here."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, defstruct, structs

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.identifiers import IdRule

# How the gate judges, and how the board is spread over servers.
KEPT_FROM_PLAYERS = frozenset({"mode", "allow_history", "events", "shards"})


def _told(name: str, doc: str, *before: tuple[str, type], without: frozenset[str]) -> Any:
    settings = (
        (one.name, IdRule)
        if one.name == "ids"
        else (one.name, one.type, UNSET)
        if one.default is UNSET
        else (one.name, one.type)
        for one in structs.fields(BoardSettings)
        if one.name not in without
    )
    return defstruct(
        name,
        [*before, *settings],
        namespace={"__doc__": doc},
        module=__name__,
        frozen=True,
        rename="camel",
    )


BoardRules = _told(
    "BoardRules",
    """A board with all its settings: the gate's mode, the bounds of an action's points, the rate
    (null: unlimited), whether the gate accepts actions of any age, which user ids it takes; what an
    action does to a total, whether more or less is better, how many decimals a total is shown with
    (totals are integers in the smallest unit), whether equal totals share a rank, how many are in
    the top; what people are told of the board; from when on and until when it takes actions (null:
    always), how many of a user, and of how many users (null: any number), whether users have to
    join first, its periods, whether it has a table of all time to show, the announced events in
    which actions are worth more, and, where they were set, by which time zone its days begin and
    over how many shards its users are spread.""",
    ("board", str),
    without=frozenset(),
)

PlayersRules = _told(
    "PlayersRules",
    """What a board's settings tell its players: what an action does to a total, whether more or
    less is better, how many decimals a total is shown with (totals are integers in the smallest
    unit), whether equal totals share a rank, how many are in the top; the board's name for people
    (empty: its own), what totals are in, what people are told of it; the bounds of an action's
    points, how many actions a user has in which time (null: any), which user ids the board takes;
    from when on and until when it takes actions (null: always), how many of a user, and of how many
    users (null: any number), whether users have to join first; its periods, whether it has a table
    of all time, and, where it was set, by which time zone its days begin.""",
    without=KEPT_FROM_PLAYERS,
)


def told(kind: Any, settings: BoardSettings, **more: str) -> Any:
    """The settings as a BoardRules or PlayersRules; ``more`` are its other fields."""
    values = {**structs.asdict(settings), "ids": settings.id_rule, **more}
    return kind(**{name: values[name] for name in kind.__struct_fields__})
