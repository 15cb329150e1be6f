"""Script signatures: keywords on the Python side, locals of the same names on Lua's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from scoreboard.wire import scripts
from scoreboard.wire.scripts import Argument, Key, Script

CATALOGUE = Path(__file__).parents[3] / "lua" / "README.md"


def _read_things(
    *, key_board: Key, key_meta: Key, arg_user: Argument, arg_radius: Argument
) -> None:
    """Of no script that exists."""


read_things = Script(_read_things)
READ: dict[str, Any] = {"key_board": "b", "key_meta": b"m", "arg_user": "Zo\u00eb", "arg_radius": 5}


def test_keywords_become_keys_and_arguments_in_the_order_of_the_signature() -> None:
    call = read_things(**dict(reversed(READ.items())))
    assert (call.keys, call.args) == ([b"b", b"m"], ["Zo\u00eb".encode(), b"5"])


@pytest.mark.parametrize("name", READ)
def test_a_missing_name_fails_at_the_call(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        read_things(**{known: value for known, value in READ.items() if known != name})


def test_a_wrong_name_fails_at_the_call() -> None:
    with pytest.raises(TypeError, match="arg_raduis"):
        read_things(**READ, arg_raduis=5)  # type: ignore[call-arg]  # mypy finds it as well


def test_the_locals_of_lua_have_the_keywords_names() -> None:
    assert read_things.prelude() == (
        "local KEYS, ARGV = KEYS, ARGV; "
        "local key_board, key_meta = KEYS[1], KEYS[2]; "
        "local arg_user, arg_radius = ARGV[1], ARGV[2]"
    )


def test_a_script_of_many_actions_knows_where_each_argument_of_an_action_stands() -> None:
    fields = [
        name
        for arguments in (scripts.action_arguments, scripts.verdict_arguments)
        for name in scripts.names_of(arguments)
    ]
    names, _, values = scripts.submit_scores.prelude().rpartition("local ")[2].partition(" = ")
    positions = dict(zip(names.split(", "), map(int, values.split(", ")), strict=True))
    assert positions.pop("FIXED_KEYS") == 6
    assert positions.pop("FIXED_ARGS") == 16
    assert positions == {name.upper(): place for place, name in enumerate(fields, 1)}


def test_every_script_and_piece_is_in_the_catalogue() -> None:
    text = CATALOGUE.read_text(encoding="utf-8").split("\n## Keys\n")[0]
    listed = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    listed += re.findall(r"`(lib_\w+)` \(", text)

    assert sorted(listed) == sorted(file.stem for file in CATALOGUE.parent.glob("*.lua"))
