"""Reads SQL from queries/*.sql, where each statement follows a line ``-- name: <name>`` and a
comment that says what it does."""

from __future__ import annotations

import re
from functools import cache

from scoreboard import files

_name = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def statements(file: str) -> dict[str, str]:
    """The statements of ``queries/<file>.sql`` by name."""
    parts = _name.split(files.folder("pg", "queries", f"{file}.sql").read_text(encoding="utf-8"))
    return {name: text.strip() for name, text in zip(parts[1::2], parts[2::2], strict=True)}
