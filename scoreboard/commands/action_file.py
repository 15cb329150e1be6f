"""The CSV file of score actions that ``replay``, ``train`` and ``evaluate`` read.

Files come from spreadsheets, databases and scripts of others, and from ``scoreboard export``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from scoreboard.domain.actions import MAX_POINTS, ActionContext, ScoreAction
from scoreboard.domain.judging import Case
from scoreboard.domain.moments import EARLIEST_MS, LATEST_MS, milliseconds_of, moment_of
from scoreboard.formats.text_files import CsvFile

REQUIRED = ("ts", "user_id", "points")
OPTIONAL = (
    *("action_id", "latitude", "longitude", "country", "device_id", "user_agent", "ip"),
    *("action_type", "label", "kind", "status"),
)
NOT_COUNTED = ("refused", "reverted")  # in the column status of an export

_whole_number = re.compile(r"[+-]?\d+(?=\.0*$|$)", re.ASCII)
_number = re.compile(r"[+-]?\d+(\.\d*)?", re.ASCII)
_time = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d([.,]\d+)?)? ?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII
)

# As seconds the years 2001 to 2286, as milliseconds some days of 1970.
_SECONDS = range(10**9, 10**10)


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
    """The rows of ``path``, in their order; it is unpacked when it is a gzip file.

    The columns are ``ts``, ``user_id``, ``points`` and optionally ``action_id, latitude,
    longitude, country, device_id, user_agent, ip, action_type, label, kind, status``, separated by
    commas, semicolons or tabs; those in ``required`` have to be there. ``ts`` is in epoch
    milliseconds, in epoch seconds in all rows, or a date with a time, in UTC where it has no
    offset. A row whose ``status`` is refused or reverted, as in exports, is left out. Raises
    ``InvalidRequest``, one line that says what is wrong, where, and what to do.
    """
    file = CsvFile(path)
    try:
        reader = _Reader(file.columns, required, file.separator)
        for values in file.rows():
            if (recorded := reader.recorded(values)) is not None:
                yield recorded
    except ValueError as error:
        raise file.refusal(str(error)) from error


class _Reader:
    """Makes actions of rows, by the columns of the first line."""

    def __init__(self, columns: Sequence[str], required: Sequence[str], separator: str) -> None:
        self._columns = columns
        self._comma = "." if separator == "," else ","  # of decimals
        self._unit = ""  # of ts, which the first row tells
        if missing := [name for name in required if name not in self._columns]:
            raise ValueError(
                f"no column {', '.join(missing)}; the first line has to name "
                f"{', '.join(required)}, separated by commas"
            )
        for name in (*REQUIRED, *OPTIONAL):
            if self._columns.count(name) > 1:
                raise ValueError(f"two columns {name}; rename or remove one of them")

    def recorded(self, values: Sequence[str]) -> RecordedAction | None:
        """The row's action; None for one that did not count, as an export says. Raises ValueError,
        saying what is wrong."""
        row = dict(zip(self._columns, values, strict=False))
        if row.get("status") in NOT_COUNTED:
            return None
        at_ms = self._at_ms(row["ts"].strip())
        label = _whole(row, "label") if row.get("label") else 0
        context = ActionContext(
            occurred_at=moment_of(at_ms).isoformat(timespec="milliseconds"),
            ip=row.get("ip") or None,
            latitude=self._degrees(row, "latitude"),
            longitude=self._degrees(row, "longitude"),
            country=row.get("country") or None,
            device_id=row.get("device_id") or None,
            user_agent=row.get("user_agent") or None,
            action_type=row.get("action_type") or None,
        )
        action = ScoreAction(
            row["user_id"], row.get("action_id", ""), _whole(row, "points"), context
        )
        kind = row.get("kind") or ("cheat" if label else "honest")
        return RecordedAction(at_ms, action, label, kind)

    def _at_ms(self, text: str) -> int:
        at_ms = self._from_number(text) if _number.fullmatch(text) else _from_time(text)
        if at_ms is None or not EARLIEST_MS <= at_ms <= LATEST_MS:
            raise ValueError(
                f"ts is {_quoted(text)} and has to be milliseconds since 1970, a whole number up "
                f"to {LATEST_MS:,}, or a time such as 2026-01-31T18:00:00Z"
            )
        return at_ms

    def _from_number(self, text: str) -> int | None:
        whole, _, fraction = text.partition(".")
        number = int(whole) if len(whole) <= 20 else LATEST_MS + 1
        unit = "seconds" if number in _SECONDS else "milliseconds"
        if not self._unit:
            # A clock that begins at 0 may come to any number.
            self._unit = unit if number >= _SECONDS.start else "any"
        if self._unit not in (unit, "any"):
            raise ValueError(
                f"ts is {_quoted(text)}, which is in {unit}, and the rows before are in "
                f"{self._unit}; use one unit"
            )
        if self._unit == "seconds":
            return number * 1000 + int(f"{fraction:0<3}"[:3])
        return None if fraction.strip("0") else number

    def _degrees(self, row: dict[str, str], column: str) -> float | None:
        if not row.get(column):
            return None
        try:
            number = float(row[column].replace(self._comma, "."))
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise _wrong(row, column, "a number of degrees, or empty")
        return number


def _from_time(text: str) -> int | None:
    if not _time.fullmatch(text):
        return None
    try:
        return milliseconds_of(text.replace(",", ".").replace(" ", "T", 1).replace(" ", ""))
    except ValueError:
        return None


def _whole(row: dict[str, str], column: str) -> int:
    match = _whole_number.match(row[column].strip())
    number = int(match[0]) if match and len(match[0]) <= 20 else None
    if number is None or not -MAX_POINTS <= number <= MAX_POINTS:
        raise _wrong(row, column, f"a whole number from {-MAX_POINTS:,} to {MAX_POINTS:,}")
    return number


def _wrong(row: dict[str, str], column: str, wanted: str) -> ValueError:
    return ValueError(f"{column} is {_quoted(row[column])} and has to be {wanted}")


def _quoted(text: str) -> str:
    return repr(text[:40])
