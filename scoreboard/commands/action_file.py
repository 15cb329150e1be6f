"""The CSV file of score actions that ``replay``, ``train`` and ``evaluate`` read."""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from scoreboard.domain.actions import MAX_POINTS, ActionContext, ScoreAction
from scoreboard.domain.judging import Case
from scoreboard.errors import InvalidRequest

REQUIRED = ("ts", "user_id", "points")

EARLIEST_MS = -62_135_596_800_000  # the years 1 to 9999, which a timestamp can tell
LATEST_MS = 253_402_300_799_999


class RecordedAction(msgspec.Struct, gc=False):
    """A row of the file.

    ``at_ms`` is its time in epoch milliseconds UTC, in the action's context as well. ``label`` is 0
    for an honest action; ``kind`` names the kind of a cheat.
    """

    at_ms: int
    action: ScoreAction
    label: int
    kind: str

    @property
    def case(self) -> Case:
        """The action as the anomaly agents see it, received when it happened."""
        action = self.action
        return Case(action.user_id, action.points, self.at_ms, self.at_ms, action.context)


def read_actions(path: Path, required: Sequence[str] = REQUIRED) -> Iterator[RecordedAction]:
    """The rows of ``path``, in their order; it is unpacked when its name ends in ``.gz``.

    The columns are ``ts`` (epoch milliseconds UTC), ``user_id``, ``points`` and optionally
    ``action_id, latitude, longitude, country, device_id, user_agent, ip, action_type, label,
    kind``; those in ``required`` have to be there. Raises ``InvalidRequest``, one line that says
    what is wrong, where, and what to do.
    """
    rows = csv.reader(_lines(path), strict=True)
    line = 1  # on which the row starts; a quoted field may go over several
    try:
        columns = next(rows, [])
        if missing := [name for name in required if name not in columns]:
            raise ValueError(
                f"no column {', '.join(missing)}; the first line has to name "
                f"{', '.join(required)}, separated by commas"
            )
        line = rows.line_num + 1
        for values in rows:
            if values:  # an empty line has none
                yield _recorded(columns, values)
            line = rows.line_num + 1
    except csv.Error as error:
        advice = "close its quotes, and double those within a field"
        raise _refusal(path, line, f"no row of CSV ({error}); {advice}") from error
    except ValueError as error:
        raise _refusal(path, line, str(error)) from error


def _lines(path: Path) -> Iterator[str]:
    number = 1
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        # What is not UTF-8 is let through to the line that it is on.
        with opened(path, "rt", encoding="utf-8", errors="surrogateescape", newline="") as text:
            for line in text:
                if not line.isascii():
                    line.encode()
                yield line
                number += 1
    except UnicodeEncodeError as error:
        raise _refusal(path, number, "not UTF-8; save the file in this encoding") from error
    except EOFError as error:
        problem = "the gzip file is cut off here; copy it again from where it is whole"
        raise _refusal(path, number, problem) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        advice = "copy the file again, or, if it is plain text, take .gz off its name"
        raise _refusal(path, number, f"can't be unpacked ({error}); {advice}") from error
    except OSError as error:
        raise _refusal(path, number, f"can't be read: {error}") from error


def _recorded(columns: Sequence[str], values: Sequence[str]) -> RecordedAction:
    if len(values) < len(columns):
        raise ValueError(
            f"{len(values)} columns where the first line names {len(columns)}; complete the row or "
            "take it out"
        )
    row = dict(zip(columns, values, strict=False))
    at_ms = _whole(row, "ts", EARLIEST_MS, LATEST_MS)
    label = _whole(row, "label", -MAX_POINTS, MAX_POINTS) if row.get("label") else 0
    context = ActionContext(
        occurred_at=datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        ip=row.get("ip") or None,
        latitude=_degrees(row, "latitude"),
        longitude=_degrees(row, "longitude"),
        country=row.get("country") or None,
        device_id=row.get("device_id") or None,
        user_agent=row.get("user_agent") or None,
        action_type=row.get("action_type") or None,
    )
    points = _whole(row, "points", -MAX_POINTS, MAX_POINTS)
    action = ScoreAction(row["user_id"], row.get("action_id", ""), points, context)
    return RecordedAction(at_ms, action, label, row.get("kind") or ("cheat" if label else "honest"))


def _whole(row: dict[str, str], column: str, least: int, most: int) -> int:
    try:
        number = int(row[column])
    except ValueError:
        number = None
    if number is None or not least <= number <= most:
        raise _wrong(row, column, f"a whole number from {least:,} to {most:,}")
    return number


def _degrees(row: dict[str, str], column: str) -> float | None:
    if not row.get(column):
        return None
    try:
        number = float(row[column])
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _wrong(row, column, "a number of degrees, or empty")
    return number


def _wrong(row: dict[str, str], column: str, wanted: str) -> ValueError:
    return ValueError(f"{column} is {row[column][:40]!r} and has to be {wanted}")


def _refusal(path: Path, line: int, problem: str) -> InvalidRequest:
    return InvalidRequest(f"{path}, line {line:,}: {problem}.")
