"""Score actions from CSV: for training and evaluation, without a server or a database."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import msgspec

from scoreboard.domain.actions import ActionContext
from scoreboard.domain.judging import Case
from scoreboard.errors import InvalidRequest

REQUIRED = ("ts", "user_id", "points")


class Labelled(msgspec.Struct, gc=False):
    """A case and, where the file says so, whether it is a cheat (1) and of which kind."""

    case: Case
    label: int
    kind: str


def open_text(path: Path) -> IO[str]:
    """The file's text, unpacked when its name ends in ``.gz``."""
    if path.suffix == ".gz":
        return cast("IO[str]", gzip.open(path, "rt", encoding="utf-8", newline=""))
    return path.open(encoding="utf-8", newline="")


def read_actions(path: Path) -> Iterator[Labelled]:
    """The rows of a CSV with the columns ``ts`` (epoch ms UTC), ``user_id``, ``points`` and
    optionally ``latitude, longitude, country, device_id, user_agent, label, kind``, in its order.

    Raises ``InvalidRequest`` for a missing column or a row that is not a score action.
    """
    with open_text(path) as source:
        reader = csv.DictReader(source)
        if missing := [name for name in REQUIRED if name not in (reader.fieldnames or ())]:
            raise InvalidRequest(f"{path} has no column {', '.join(missing)}.")
        for row in reader:
            try:
                yield _labelled(row)
            except (ValueError, TypeError) as error:
                raise InvalidRequest(f"{path}, line {reader.line_num}: {error}") from error


def _labelled(row: dict[str, str]) -> Labelled:
    at_ms = int(row["ts"])
    latitude, longitude = row.get("latitude"), row.get("longitude")
    context = ActionContext(
        latitude=float(latitude) if latitude else None,
        longitude=float(longitude) if longitude else None,
        country=row.get("country") or None,
        device_id=row.get("device_id") or None,
        user_agent=row.get("user_agent") or None,
    )
    label = int(row.get("label") or 0)
    case = Case(row["user_id"], int(row["points"]), at_ms, at_ms, context)
    return Labelled(case, label, row.get("kind") or ("cheat" if label else "honest"))
