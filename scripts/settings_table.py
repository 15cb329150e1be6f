"""Writes the table of docs/settings.md from scoreboard.settings.Settings."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import msgspec

from scoreboard.settings import PREFIX, Settings

PAGE = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
_TABLE = re.compile(r"(?<=<!-- settings -->\n).*?(?=<!-- end of settings -->)", re.DOTALL)


def table() -> str:
    """The table in Markdown: one row for each variable, in the order of the class."""
    schemas = msgspec.json.schema(Settings)["$defs"]
    rows = [
        f"| `{PREFIX}{name}` | {_shown(prop['default'])} | {_meaning(prop, schemas)} |"
        for name, prop in schemas["Settings"]["properties"].items()
    ]
    return "\n".join(["| variable | default | |", "|---|---|---|", *rows, ""])


def _shown(default: object) -> str:
    if isinstance(default, float) and default.is_integer():
        default = int(default)
    text = str(default).lower() if isinstance(default, bool) else str(default)
    return f"`{text}`" if text else ""


def _meaning(prop: dict[str, str], schemas: dict[str, dict[str, object]]) -> str:
    """The description, and the choices, which may stand in a schema of their own."""
    named = prop.get("$ref", "").rpartition("/")[2]
    choices = schemas.get(named, prop).get("enum")
    listed = f": {', '.join(f'`{c}`' for c in choices)}" if isinstance(choices, list) else ""
    return f"{prop['description']}{listed}"


def written() -> str:
    """The table that stands in the document."""
    found = _TABLE.search(PAGE.read_text(encoding="utf-8"))
    return found[0] if found else ""


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_TABLE.sub(lambda _: table(), text), encoding="utf-8")
    sys.exit(0 if written() == table() else f"{PAGE.name} has no place for the table")
