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
    """``lua/<name>.lua`` and the names of its fixed KEYS and ARGV, in order. ``per_action`` names
    the arguments that follow for each action, for a script that takes many actions."""

    def __init__(self, signature: Callable[P, None], per_action: tuple[str, ...] = ()) -> None:
        self.name = signature.__name__
        names = tuple(inspect.signature(signature).parameters)
        self.keys = tuple(name for name in names if name.startswith("key_"))
        self.args = tuple(name for name in names if name.startswith("arg_"))
        self._names = frozenset(names)
        self._per_action = per_action

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
        """The Lua line of locals: KEYS and ARGV by name; for a script that takes many actions, how
        many of them are fixed, and the position of each argument among those of its action."""
        parts = [
            _locals(names, [f"{table}[{i}]" for i in range(1, len(names) + 1)])
            for table, names in (("KEYS", self.keys), ("ARGV", self.args))
            if names
        ]
        if self._per_action:
            names = ("FIXED_KEYS", "FIXED_ARGS", *map(str.upper, self._per_action))
            numbers = (len(self.keys), len(self.args), *range(1, len(self._per_action) + 1))
            parts.append(_locals(names, list(map(str, numbers))))
        return "; ".join(parts)


def _locals(names: tuple[str, ...], values: list[str]) -> str:
    return f"local {', '.join(names)} = {', '.join(values)}"


def _encoded(value: Any) -> bytes:
    if type(value) is bytes:
        return value
    return value.encode() if isinstance(value, str) else b"%d" % value


class ActionArguments(NamedTuple):
    """What submit_scores gets of each action."""

    user: bytes
    points: bytes
    attempt: bytes
    body: bytes


class VerdictArguments(NamedTuple):
    """What follows for each action while the board's gate is on."""

    agents: bytes
    profile_revision: bytes
    profile: bytes
    device_revision: bytes
    device: bytes


def _takes_many(per_action: tuple[str, ...]) -> Callable[[Callable[P, None]], Script[P]]:
    return lambda signature: Script(signature, per_action)


@_takes_many(ActionArguments._fields + VerdictArguments._fields)
def submit_scores(
    *,
    key_board: Key,
    key_hidden: Key,
    key_meta: Key,
    key_events: Key,
    key_channel: Key,
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
    arg_rewrite: Argument,
) -> None: ...


@Script
def read_top(*, key_meta: Key) -> None: ...


@Script
def read_standings(*, key_board: Key, key_meta: Key) -> None: ...


@Script
def read_around(
    *, key_board: Key, key_meta: Key, arg_user: Argument, arg_radius: Argument
) -> None: ...


@Script
def board_state(*, key_board: Key, key_hidden: Key, key_meta: Key) -> None: ...


@Script
def load_board(
    *,
    key_board: Key,
    key_hidden: Key,
    key_meta: Key,
    key_events: Key,
    key_channel: Key,
    key_load: Key,
    key_load_hidden: Key,
    arg_board: Argument,
    arg_epoch: Argument,
    arg_found: Argument,
    arg_swap: Argument,
    arg_shown: Argument,
    arg_concealed: Argument,
    arg_settings: Argument,
    arg_version: Argument,
    arg_event: Argument,
    arg_clock: Argument,
    arg_last: Argument,
    arg_group: Argument,
    arg_idle: Argument,
) -> None: ...


@Script
def revert_action(
    *,
    key_board: Key,
    key_hidden: Key,
    key_meta: Key,
    key_events: Key,
    key_channel: Key,
    key_receipt: Key,
    arg_board: Argument,
    arg_user: Argument,
    arg_points: Argument,
    arg_event: Argument,
    arg_late: Argument,
    arg_receipt: Argument,
    arg_window: Argument,
    arg_body: Argument,
) -> None: ...


@Script
def approve_action(
    *,
    key_board: Key,
    key_hidden: Key,
    key_meta: Key,
    key_events: Key,
    key_channel: Key,
    key_receipt: Key,
    arg_board: Argument,
    arg_user: Argument,
    arg_points: Argument,
    arg_attempt: Argument,
    arg_window: Argument,
    arg_body: Argument,
) -> None: ...


@Script
def remove_user(
    *,
    key_board: Key,
    key_hidden: Key,
    key_meta: Key,
    key_channel: Key,
    arg_board: Argument,
    arg_user: Argument,
    arg_hide: Argument,
) -> None: ...


@Script
def set_settings(*, key_meta: Key, arg_settings: Argument) -> None: ...


# Replies about a whole call, as its only or first element.
COLD = b"!COLD"
SETTINGS = b"!SETTINGS"
BACKLOG = b"!BACKLOG"
DONE = b"!DONE"
RANGE = b"!RANGE"
LOST = b"!LOST"
OTHER = b"!OTHER"
