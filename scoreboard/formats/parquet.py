"""Exports as Parquet files, and standings from them. Needs pyarrow, the extra ``parquet``."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from scoreboard.domain.snapshots import COLUMNS, Snapshot
from scoreboard.errors import ConfigurationError, InvalidRequest, installing

ROW_GROUP = 50_000  # rows that are written and read together
MOST_TEXT = 10_000  # bytes of a text that is read
HEAD = b"scoreboard"  # key of the head in the file's metadata


def pyarrow() -> ModuleType:
    """Raises ConfigurationError where it is not installed."""
    try:
        import pyarrow.compute
        import pyarrow.parquet  # here: no other process is to load it
    except ImportError as error:
        raise ConfigurationError(
            f"Parquet needs the extra parquet: {installing('parquet')}"
        ) from error
    return cast(ModuleType, pyarrow)


class ParquetWriter:
    """Rows are gathered into groups; the head stands in the file's metadata."""

    def __init__(self, snapshot: Snapshot) -> None:
        arrow = pyarrow()
        kinds = {
            "number": arrow.int64(),
            "degrees": arrow.float64(),
            "text": arrow.string(),
            "moment": arrow.timestamp("ms", tz="UTC"),
        }
        self._arrow = arrow
        self._schema = arrow.schema(
            [(column.name, kinds[column.kind]) for column in COLUMNS[snapshot.what]],
            metadata={HEAD: snapshot.to_text()},
        )
        self._sink = _Sink()
        self._writer = arrow.parquet.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._waiting: list[Sequence[Any]] = []

    def head(self) -> bytes:
        """What the library writes first."""
        return self._sink.taken()

    def rows(self, rows: Sequence[Sequence[Any]]) -> bytes:
        """The groups that are full by now."""
        self._waiting.extend(rows)
        if len(self._waiting) >= ROW_GROUP:
            self._write_group()
        return self._sink.taken()

    def tail(self) -> bytes:
        """The last group, and where each is."""
        self._write_group()
        self._writer.close()
        return self._sink.taken()

    def _write_group(self) -> None:
        if self._waiting:
            columns = zip(*self._waiting, strict=True)
            arrays = [
                self._arrow.array(values, kind)
                for values, kind in zip(columns, self._schema.types, strict=True)
            ]
            self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
            self._waiting.clear()


def read(path: Path, columns: Sequence[str]) -> Iterator[bytes | list[tuple[Any, ...]]]:
    """The head of a file, if it has one, then rows of these columns in groups. Raises
    InvalidRequest."""
    arrow = pyarrow()
    try:
        schema = arrow.parquet.read_schema(path)
        if missing := [name for name in columns if name not in schema.names]:
            raise InvalidRequest(f"{path} has no column {', '.join(missing)}.")
        if repeated := [name for name in columns if schema.names.count(name) > 1]:
            raise InvalidRequest(f"{path} has the column {repeated[0]} more than once.")
        # As dictionaries, so that one long text that stands in many rows is in memory once.
        texts = [name for name in columns if _is_text(arrow, schema.field(name).type)]
        with arrow.parquet.ParquetFile(path, read_dictionary=texts) as file:
            metadata = file.schema_arrow.metadata or {}
            if HEAD in metadata:
                yield metadata[HEAD]
            for batch in file.iter_batches(ROW_GROUP, columns=list(columns)):
                found = [batch.column(name) for name in columns]
                for name, column in zip(columns, found, strict=True):
                    if _longest(arrow, column) > MOST_TEXT:
                        raise InvalidRequest(
                            f"{path} has a {name} of more than {MOST_TEXT:,} bytes."
                        )
                yield list(zip(*(column.to_pylist() for column in found), strict=True))
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{path} can't be read as Parquet: {error}") from error


def _is_text(arrow: ModuleType, kind: Any) -> bool:
    return bool(arrow.types.is_string(kind) or arrow.types.is_large_string(kind))


def _longest(arrow: ModuleType, column: Any) -> int:
    """The bytes of the longest text in a column; 0 where it has none."""
    kind = column.type
    if not (arrow.types.is_dictionary(kind) and _is_text(arrow, kind.value_type)):
        return 0
    lengths = arrow.compute.binary_length(column.dictionary)
    return int(arrow.compute.max(lengths).as_py() or 0)


class _Sink(io.RawIOBase):
    """Keeps what is written until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._length = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._length

    def write(self, part: Any) -> int:
        self._parts.append(bytes(part))
        self._length += len(self._parts[-1])
        return len(self._parts[-1])

    def taken(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
