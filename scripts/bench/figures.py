"""How every benchmark shows its figures: in a table beside their targets, and in a file of JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, NamedTuple

import msgspec
import typer
from rich.console import Console
from rich.table import Table

JsonFile = Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")]


class Bound(NamedTuple):
    """What a figure has to reach: at most ``limit``, or ``at_least``; ``aim`` is hoped for."""

    limit: float
    at_least: bool = False
    aim: str = ""

    def reached(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"at {'least' if self.at_least else 'most'} {self.limit:,g}{self.aim}"


def report(
    figures: Mapping[str, float],
    file: Path | None = None,
    targets: Mapping[str, Bound] = MappingProxyType({}),
) -> list[str]:
    """Prints the figures by name, and writes them to ``file`` if there is one. Returns the names
    of those that missed their target."""
    table = Table("figure", "measured", "target", "")
    table.columns[0].no_wrap = True
    table.columns[1].justify = "right"
    missed = []
    for name, value in figures.items():
        decimals = 0 if abs(value) >= 1000 or float(value).is_integer() else 3
        bound = targets.get(name)
        if bound is not None and not bound.reached(value):
            missed.append(name)
        mark = "" if bound is None else "missed" if name in missed else "ok"
        table.add_row(name, f"{value:,.{decimals}f}", str(bound or ""), mark)
    Console().print(table)
    write(figures, file)
    return missed


def write(figures: object, file: Path | None) -> None:
    """Writes the figures as JSON, if there is a ``file`` for them."""
    if file is not None:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(figures)) + b"\n")
