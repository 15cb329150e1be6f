"""The text of a script as Redis gets it: its head line, the names of KEYS and ARGV, the pieces that
it includes."""

from __future__ import annotations

import hashlib
import re
from functools import cache

from scoreboard import files
from scoreboard.wire.scripts import Script

_include = re.compile(r"^-- include: (\w+)$", re.MULTILINE)


@cache
def lua_files() -> dict[str, str]:
    """The texts of lua/*.lua by name."""
    return files.texts("lua", suffix=".lua")


def expand(script: Script[...], sharded: bool = False) -> str:
    """The text that Redis gets: the head line stays first, the names of KEYS and ARGV follow it,
    and each line ``-- include: lib_x`` is replaced by lua/lib_x.lua, in which it may stand as
    well. On a cluster (``sharded``) a message is published where its channel's slot is, by
    SPUBLISH."""
    head, _, body = lua_files()[script.name].partition("\n")
    body = _with_pieces(body)
    if sharded:
        body = body.replace("'PUBLISH'", "'SPUBLISH'")
    return f"{head}\n{script.prelude()}\n{body}"


def _with_pieces(text: str) -> str:
    return _include.sub(lambda line: _with_pieces(lua_files()[line[1]]), text)


@cache
def source(script: Script[...], sharded: bool = False) -> bytes:
    """The expanded text, as SCRIPT LOAD sends it."""
    return expand(script, sharded).encode()


@cache
def digest(script: Script[...], sharded: bool = False) -> bytes:
    """The name under which Redis knows the script (SHA-1 is Redis's choice, not a safeguard)."""
    return hashlib.sha1(source(script, sharded), usedforsecurity=False).hexdigest().encode()
