"""The scripts' signatures. Each stands here as a function whose keywords are the names of the
script's KEYS (``key_...``) and ARGV (``arg_...``), in order. The Lua locals have the same names, so
neither side counts positions, and a wrong or missing name fails in mypy and at the call."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, ParamSpec

P = ParamSpec("P")

Key = str | bytes
Argument = str | bytes | int


class ScriptCall(NamedTuple):
    """A script with its KEYS and ARGV, ready to send."""

    script: Script[Any]
    keys: list[bytes]
    args: list[bytes]


class Script(Generic[P]):
    """``lua/<name>.lua`` and the names of its fixed KEYS and ARGV, in order. ``repeated`` names
    the arguments that follow for each action, table or period, for a script that takes many."""

    def __init__(self, signature: Callable[P, None], repeated: tuple[str, ...] = ()) -> None:
        self.name = signature.__name__
        names = names_of(signature)
        self.keys = tuple(name for name in names if name.startswith("key_"))
        self.args = tuple(name for name in names if name.startswith("arg_"))
        self._names = frozenset(names)
        self._repeated = repeated

    def __call__(self, *_: P.args, **given: P.kwargs) -> ScriptCall:
        """The call with these KEYS and ARGV; further ones may be added to its lists. Raises
        TypeError for a wrong or missing name."""
        if given.keys() != self._names:
            raise TypeError(f"{self.name}: wrong or missing {sorted(given.keys() ^ self._names)}")
        return ScriptCall(
            self,
            [_encoded(given[name]) for name in self.keys],
            [_encoded(given[name]) for name in self.args],
        )

    def prelude(self) -> str:
        """The Lua line of locals: KEYS and ARGV themselves, since globals are looked up each time,
        and by name; for a script that takes many actions, tables or periods, how many are fixed,
        and the position of each argument that is repeated."""
        given = {
            table: names for table, names in (("KEYS", self.keys), ("ARGV", self.args)) if names
        }
        parts = [_locals(tuple(given), list(given))] if given else []
        parts += [
            _locals(names, [f"{table}[{i}]" for i in range(1, len(names) + 1)])
            for table, names in given.items()
        ]
        if self._repeated:
            names = ("FIXED_KEYS", "FIXED_ARGS", *map(str.upper, self._repeated))
            numbers = (len(self.keys), len(self.args), *range(1, len(self._repeated) + 1))
            parts.append(_locals(names, list(map(str, numbers))))
        return "; ".join(parts)


def _locals(names: tuple[str, ...], values: list[str]) -> str:
    return f"local {', '.join(names)} = {', '.join(values)}"


def _encoded(value: Any) -> bytes:
    if type(value) is bytes:
        return value
    return value.encode() if isinstance(value, str) else b"%d" % value


# Functions, since by keywords a named tuple takes twenty times as long to be made.


def action_arguments(
    *, user: bytes, points: bytes, attempt: bytes, body: bytes
) -> tuple[bytes, bytes, bytes, bytes]:
    """What submit_scores gets of each action."""
    return user, points, attempt, body


def verdict_arguments(
    *, agents: bytes, profile_revision: bytes, profile: bytes, device_revision: bytes, device: bytes
) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """What follows for each action while the board's gate is on."""
    return agents, profile_revision, profile, device_revision, device


def names_of(arguments: Callable[..., object]) -> tuple[str, ...]:
    """The keywords of a function, in order."""
    return tuple(inspect.signature(arguments).parameters)


def _takes_many(repeated: tuple[str, ...]) -> Callable[[Callable[P, None]], Script[P]]:
    return lambda signature: Script(signature, repeated)


@_takes_many(names_of(action_arguments) + names_of(verdict_arguments))
def submit_scores(
    *,
    key_board: Key,
    key_hidden: Key,
    key_meta: Key,
    key_events: Key,
    key_channel: Key,
    key_moves: Key,
    arg_board: Argument,
    arg_settings: Argument,
    arg_count: Argument,
    arg_window: Argument,
    arg_idle: Argument,
    arg_backlog: Argument,
    arg_min: Argument,
    arg_max: Argument,
    arg_rate: Argument,
    arg_rate_ms: Argument,
    arg_gated: Argument,
    arg_memory: Argument,
    arg_totals: Argument,
    arg_limits: Argument,
    arg_periods: Argument,
    arg_rewrite: Argument,
) -> None: ...


@Script
def read_periods(*, key_meta: Key) -> None: ...


@Script
def turn_period(
    *,
    key_meta: Key,
    key_events: Key,
    key_channel: Key,
    key_table: Key,
    arg_board: Argument,
    arg_period: Argument,
    arg_next: Argument,
    arg_backlog: Argument,
    arg_follows: Argument,
) -> None: ...


@Script
def seal_period(*, key_meta: Key, arg_period: Argument, arg_number: Argument) -> None: ...


@_takes_many(("period", "named"))
def join_board(
    *,
    key_meta: Key,
    key_events: Key,
    key_players: Key,
    arg_board: Argument,
    arg_settings: Argument,
    arg_limits: Argument,
    arg_periods: Argument,
    arg_user: Argument,
    arg_backlog: Argument,
    arg_body: Argument,
) -> None: ...


@_takes_many(("number", "users", "wanted"))
def deal_shares(
    *, key_meta: Key, key_table: Key, arg_occurrence: Argument, arg_term: Argument
) -> None: ...


@Script
def set_share(
    *,
    key_meta: Key,
    key_table: Key,
    key_players: Key,
    arg_capacity: Argument,
    arg_occurrence: Argument,
    arg_term: Argument,
    arg_number: Argument,
    arg_users: Argument,
) -> None: ...


@Script
def check_history() -> None: ...


@Script
def check_rights(*, key_rate: Key) -> None: ...


@Script
def check_writes(
    *,
    key_probe: Key,
    key_board: Key,
    key_hidden: Key,
    key_meta: Key,
    key_events: Key,
    key_channel: Key,
    key_action: Key,
    key_profile: Key,
    key_device: Key,
    key_rate: Key,
    key_load: Key,
    key_moves: Key,
) -> None: ...


@Script
def read_top(*, key_board: Key, key_meta: Key, key_table: Key) -> None: ...


@Script
def read_board(*, key_board: Key, key_meta: Key, key_table: Key) -> None: ...


@Script
def read_standings(*, key_board: Key, key_meta: Key, key_table: Key) -> None: ...


@_takes_many(("user", "radius"))
def read_around(*, key_board: Key, key_meta: Key, key_table: Key) -> None: ...


@Script
def read_page(
    *,
    key_board: Key,
    key_meta: Key,
    key_table: Key,
    arg_from: Argument,
    arg_at: Argument,
    arg_user: Argument,
    arg_limit: Argument,
) -> None: ...


@_takes_many(("user",))
def read_user(*, key_board: Key, key_meta: Key, key_table: Key) -> None: ...


@Script
def watch_board(*, key_meta: Key, key_moves: Key, arg_period: Argument) -> None: ...


@Script
def read_part(
    *,
    key_board: Key,
    key_meta: Key,
    key_table: Key,
    arg_at: Argument,
    arg_user: Argument,
    arg_before: Argument,
    arg_behind: Argument,
) -> None: ...


@Script
def read_stamps(*, key_board: Key, key_meta: Key, key_table: Key) -> None: ...


@_takes_many(("at", "user"))
def read_above(
    *, key_board: Key, key_meta: Key, key_table: Key, arg_neighbours: Argument
) -> None: ...


@_takes_many(("user",))
def read_places(
    *,
    key_board: Key,
    key_meta: Key,
    key_table: Key,
    key_moves: Key,
    arg_occurrence: Argument,
    arg_known: Argument,
    arg_since: Argument,
    arg_most: Argument,
) -> None: ...


@Script
def find_foreign() -> None: ...


@Script
def board_state(*, key_board: Key, key_hidden: Key, key_meta: Key, key_players: Key) -> None: ...


@_takes_many(("period", "truth"))
def load_board(
    *,
    key_board: Key,
    key_hidden: Key,
    key_meta: Key,
    key_events: Key,
    key_channel: Key,
    key_players: Key,
    key_load: Key,
    key_load_hidden: Key,
    key_load_players: Key,
    arg_board: Argument,
    arg_epoch: Argument,
    arg_found: Argument,
    arg_swap: Argument,
    arg_shown: Argument,
    arg_concealed: Argument,
    arg_players: Argument,
    arg_settings: Argument,
    arg_version: Argument,
    arg_event: Argument,
    arg_clock: Argument,
    arg_last: Argument,
    arg_group: Argument,
    arg_idle: Argument,
    arg_periods: Argument,
) -> None: ...


@Script
def load_table(
    *,
    key_board: Key,
    key_hidden: Key,
    key_meta: Key,
    key_table: Key,
    key_channel: Key,
    key_players: Key,
    key_load: Key,
    key_load_hidden: Key,
    key_load_players: Key,
    arg_board: Argument,
    arg_period: Argument,
    arg_number: Argument,
    arg_epoch: Argument,
    arg_found: Argument,
    arg_swap: Argument,
    arg_shown: Argument,
    arg_concealed: Argument,
    arg_players: Argument,
    arg_settings: Argument,
    arg_version: Argument,
) -> None: ...


@_takes_many(("table", "total", "reached"))
def revert_action(
    *,
    key_board: Key,
    key_hidden: Key,
    key_meta: Key,
    key_events: Key,
    key_channel: Key,
    key_receipt: Key,
    key_players: Key,
    arg_board: Argument,
    arg_user: Argument,
    arg_points: Argument,
    arg_event: Argument,
    arg_late: Argument,
    arg_epoch: Argument,
    arg_total: Argument,
    arg_reached: Argument,
    arg_receipt: Argument,
    arg_window: Argument,
    arg_body: Argument,
) -> None: ...


@_takes_many(("table",))
def approve_action(
    *,
    key_board: Key,
    key_hidden: Key,
    key_meta: Key,
    key_events: Key,
    key_channel: Key,
    key_receipt: Key,
    key_players: Key,
    arg_board: Argument,
    arg_user: Argument,
    arg_points: Argument,
    arg_attempt: Argument,
    arg_window: Argument,
    arg_body: Argument,
) -> None: ...


@_takes_many(("table",))
def remove_user(
    *,
    key_board: Key,
    key_hidden: Key,
    key_meta: Key,
    key_channel: Key,
    arg_board: Argument,
    arg_user: Argument,
    arg_hide: Argument,
    arg_epoch: Argument,
) -> None: ...


@_takes_many(("table",))
def erase_user(
    *,
    key_board: Key,
    key_hidden: Key,
    key_meta: Key,
    key_channel: Key,
    key_players: Key,
    arg_board: Argument,
    arg_user: Argument,
    arg_name: Argument,
    arg_version: Argument,
) -> None: ...


@_takes_many(("table",))
def follow_profiles(
    *,
    key_board: Key,
    key_hidden: Key,
    key_meta: Key,
    key_channel: Key,
    arg_board: Argument,
    arg_hide: Argument,
    arg_show: Argument,
    arg_rename: Argument,
) -> None: ...


@Script
def fence_board(*, key_meta: Key) -> None: ...


@_takes_many(("table",))
def set_settings(
    *,
    key_board: Key,
    key_hidden: Key,
    key_meta: Key,
    key_channel: Key,
    arg_board: Argument,
    arg_settings: Argument,
    arg_epoch: Argument,
) -> None: ...


@Script
def sweep_board(*, key_meta: Key, arg_version: Argument) -> None: ...


# Replies about a whole call, as its only or first element.
COLD = b"!COLD"
SETTINGS = b"!SETTINGS"
BACKLOG = b"!BACKLOG"
PERIOD = b"!PERIOD"
DONE = b"!DONE"
RANGE = b"!RANGE"
MOVED = b"!MOVED"
LOST = b"!LOST"
OTHER = b"!OTHER"
