"""How every benchmark shows its figures: a line each beside its target, and a file of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path


def report(
    figures: Mapping[str, float],
    file: Path | None = None,
    *,
    targets: Mapping[str, str] | None = None,
) -> None:
    """Prints the figures by name, and writes them to ``file`` if there is one."""
    for name, value in figures.items():
        decimals = 0 if abs(value) >= 1000 or value == int(value) else 3
        print(f"{name:<32}{value:>14,.{decimals}f}   {(targets or {}).get(name, '')}".rstrip())
    if file is not None:
        file.write_text(json.dumps(dict(figures), indent=2) + "\n", encoding="utf-8")
