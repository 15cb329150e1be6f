"""Parts of the ledger as Parquet files: all columns, before the part is folded. Needs pyarrow, the
extra ``parquet``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from scoreboard.errors import ConfigurationError
from scoreboard.formats.parquet import ROW_GROUP, pyarrow

_INTEGERS = (
    *("points", "score", "previous", "event_ms", "event_seq"),
    *("reverted_event_ms", "reverted_event_seq"),
)
_MOMENTS = ("occurred_at", "recorded_at")
_LISTS = ("tables", "amends")
COLUMNS = (
    *("board", "user_id", "action_id", "points", "score", "previous", "status", "event_ms"),
    *("event_seq", "reverted_event_ms", "reverted_event_seq", "occurred_at", "recorded_at"),
    *("attempt_id", "revert_reason", "context", "tables", "amends"),
)


class LedgerArchive:
    """Files in a folder, each of which is there whole or not at all. Raises ConfigurationError when
    the folder can't be used, or pyarrow is missing."""

    def __init__(self, folder: Path) -> None:
        self._arrow = pyarrow()
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"{folder} can't be used for archives: {error}") from error
        if not os.access(folder, os.W_OK):
            raise ConfigurationError(f"{folder} can't be written")

    async def write(self, name: str, chunks: AsyncIterator[Sequence[Sequence[Any]]]) -> int:
        """Writes all rows, as ``COLUMNS`` has them, to ``<name>.parquet``, in place of an earlier
        one. Returns how many. Raises ConfigurationError when the file can't be written."""
        path, part = self._folder / f"{name}.parquet", self._folder / f".{name}.part"
        rows, waiting = 0, list[Sequence[Any]]()
        try:
            with part.open("wb") as file:
                writer = self._arrow.parquet.ParquetWriter(file, self._schema, compression="zstd")
                async for chunk in chunks:
                    waiting.extend(chunk)
                    rows += len(chunk)
                    if len(waiting) >= ROW_GROUP:
                        await asyncio.to_thread(self._write, writer, waiting)
                await asyncio.to_thread(self._write, writer, waiting)
                writer.close()
                file.flush()
                await asyncio.to_thread(os.fsync, file.fileno())
            part.replace(path)
            directory = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise ConfigurationError(f"{path} can't be written: {error}") from error
        return rows

    @property
    def _schema(self) -> Any:
        arrow = self._arrow
        kinds = dict.fromkeys(_INTEGERS, arrow.int64())
        kinds |= dict.fromkeys(_MOMENTS, arrow.timestamp("us", tz="UTC"))
        kinds |= dict.fromkeys(_LISTS, arrow.list_(arrow.string()))
        return arrow.schema([(name, kinds.get(name, arrow.string())) for name in COLUMNS])

    def _write(self, writer: Any, waiting: list[Sequence[Any]]) -> None:
        if waiting:
            schema = self._schema
            columns = zip(*waiting, strict=True)
            arrays = [
                self._arrow.array(values, kind)
                for values, kind in zip(columns, schema.types, strict=True)
            ]
            writer.write_table(self._arrow.Table.from_arrays(arrays, schema=schema))
            waiting.clear()
