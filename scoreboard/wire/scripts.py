"""The scripts' signatures: the fixed KEYS and ARGV of each, named once. The loader turns the names
into Lua locals (``key_<name>``, ``arg_<name>``), so a script never counts positions itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Script:
    """``lua/<name>.lua`` with the names of its fixed KEYS and ARGV, in order; a script may take
    further ones, per action or per user, behind these."""

    name: str
    keys: tuple[str, ...]
    args: tuple[str, ...]

    def prelude(self) -> str:
        """The Lua line that names KEYS and ARGV."""
        parts = [
            f"local {', '.join(f'{kind}_{name}' for name in names)} = "
            f"{', '.join(f'{table}[{i}]' for i in range(1, len(names) + 1))}"
            for kind, table, names in (("key", "KEYS", self.keys), ("arg", "ARGV", self.args))
            if names
        ]
        return "; ".join(parts)


SUBMIT_SCORES = Script(
    "submit_scores",
    keys=("board", "hidden", "meta", "events", "channel"),
    args=(
        "board",
        "settings",
        "count",
        "window",
        "idle",
        "backlog",
        "min",
        "max",
        "rate",
        "rate_ms",
        "gated",
        "memory",
        "rewrite",
    ),
)

READ_TOP = Script("read_top", keys=("meta",), args=())
READ_STANDINGS = Script("read_standings", keys=("board", "meta"), args=())
READ_AROUND = Script("read_around", keys=("board", "meta"), args=("user", "radius"))
BOARD_STATE = Script("board_state", keys=("board", "hidden", "meta"), args=())
LOAD_BOARD = Script(
    "load_board",
    keys=("board", "hidden", "meta", "events", "channel", "load", "load_hidden"),
    args=(
        "board",
        "epoch",
        "found",
        "swap",
        "shown",
        "concealed",
        "settings",
        "version",
        "event",
        "clock",
        "last",
        "group",
        "idle",
    ),
)
REVERT_ACTION = Script(
    "revert_action",
    keys=("board", "hidden", "meta", "events", "channel", "receipt"),
    args=("board", "user", "points", "event", "late", "receipt", "window", "body"),
)
APPROVE_ACTION = Script(
    "approve_action",
    keys=("board", "hidden", "meta", "events", "channel", "receipt"),
    args=("board", "user", "points", "attempt", "window", "body"),
)
REMOVE_USER = Script(
    "remove_user", keys=("board", "hidden", "meta", "channel"), args=("board", "user", "hide")
)
SET_SETTINGS = Script("set_settings", keys=("meta",), args=("settings",))

# Replies that concern a whole call, as its only or first element.
COLD = b"!COLD"
SETTINGS = b"!SETTINGS"
BACKLOG = b"!BACKLOG"
DONE = b"!DONE"
RANGE = b"!RANGE"
LOST = b"!LOST"
OTHER = b"!OTHER"
