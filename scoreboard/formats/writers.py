"""Exports as texts and files: a head that says what it is, then the rows, chunk by chunk."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

import msgspec

from scoreboard.domain.snapshots import COLUMNS, Column, Snapshot

Format = Literal["csv", "ndjson", "parquet"]
TextFormat = Literal["csv", "ndjson"]

MEDIA_TYPES: dict[TextFormat, str] = {"csv": "text/csv", "ndjson": "application/x-ndjson"}

_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines


class Writer(Protocol):
    """Makes the bytes of one export, in the order of the calls; any of them may be empty."""

    def head(self) -> bytes:
        """What comes first."""

    def rows(self, rows: Sequence[Sequence[Any]]) -> bytes:
        """The next rows."""

    def tail(self) -> bytes:
        """What comes last."""


class CsvWriter:
    """A comment with the head as JSON, the names of the columns, then the rows. Null is empty."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._columns = COLUMNS[snapshot.what]

    def head(self) -> bytes:
        """The comment and the names."""
        names = ",".join(column.name for column in self._columns)
        return f"# {self._snapshot.to_text()}\n{names}\n".encode()

    def rows(self, rows: Sequence[Sequence[Any]]) -> bytes:
        """The next rows."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(_with_texts(self._columns, rows))
        return text.getvalue().encode()

    def tail(self) -> bytes:
        """Nothing."""
        return b""


class NdjsonWriter:
    """An object with the head as ``snapshot``, then one for each row, by the API's names."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._columns = COLUMNS[snapshot.what]
        self._names = [column.camel for column in self._columns]

    def head(self) -> bytes:
        """The line of the head."""
        return _encode({"snapshot": self._snapshot}) + b"\n"

    def rows(self, rows: Sequence[Sequence[Any]]) -> bytes:
        """The next rows."""
        return _encode_lines(
            [dict(zip(self._names, row, strict=True)) for row in _with_texts(self._columns, rows)]
        )

    def tail(self) -> bytes:
        """Nothing."""
        return b""


TEXT_WRITERS: dict[TextFormat, Callable[[Snapshot], Writer]] = {
    "csv": CsvWriter,
    "ndjson": NdjsonWriter,
}


def _with_texts(
    columns: Sequence[Column], rows: Sequence[Sequence[Any]]
) -> Sequence[Sequence[Any]]:
    """The rows with their moments as texts, to the millisecond."""
    moments = [at for at, column in enumerate(columns) if column.kind == "moment"]
    if not moments:
        return rows
    changed = [list(row) for row in rows]
    for row in changed:
        for at in moments:
            row[at] = _moment_text(row[at])
    return changed


def _moment_text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
