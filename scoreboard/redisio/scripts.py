"""Loading lua/*.lua: the head line, the names of KEYS and ARGV, the included pieces."""

from __future__ import annotations

import hashlib
import re
import sys
from functools import cache
from pathlib import Path

from scoreboard.errors import ConfigurationError
from scoreboard.wire.scripts import Script

_include = re.compile(r"^-- include: (\w+)$", re.MULTILINE)


@cache
def lua_folder() -> Path:
    """The folder of the scripts: beside the package in a checkout, else where the wheel put it."""
    for folder in (
        Path(__file__).resolve().parents[2] / "lua",
        Path(sys.prefix) / "share" / "scoreboard" / "lua",
    ):
        if (folder / "submit_scores.lua").is_file():
            return folder
    raise ConfigurationError("the Lua scripts are missing; install the package again")


def expand(script: Script) -> str:
    """The text that Redis gets: the head line stays first, the names of KEYS and ARGV follow it,
    and each line ``-- include: lib_x`` is replaced by lua/lib_x.lua."""
    folder = lua_folder()
    text = (folder / f"{script.name}.lua").read_text(encoding="utf-8")
    head, _, body = text.partition("\n")
    body = _include.sub(lambda line: (folder / f"{line[1]}.lua").read_text(encoding="utf-8"), body)
    return f"{head}\n{script.prelude()}\n{body}"


@cache
def source(script: Script) -> bytes:
    """The expanded text as sent by SCRIPT LOAD."""
    return expand(script).encode()


@cache
def digest(script: Script) -> bytes:
    """The name under which Redis knows the script (SHA-1 is Redis's choice, not a safeguard)."""
    return hashlib.sha1(source(script), usedforsecurity=False).hexdigest().encode()
