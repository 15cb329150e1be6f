"""Exports as bytes: the head first, then rows that a reader gets back as they were."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from scoreboard.domain.snapshots import COLUMNS, Snapshot, What
from scoreboard.errors import ConfigurationError
from scoreboard.formats import parquet
from scoreboard.formats.writers import CsvWriter, NdjsonWriter, Writer

AT = datetime(2026, 11, 27, 1, 2, 3, 456_789, tzinfo=UTC)
STANDINGS: list[tuple[Any, ...]] = [
    (1, 'a "quoted", name', 2**50, AT),
    (2, "näme\u2028with a line", -(2**50), AT),
    (2, "=1+1", 0, AT),
]
ACTION = (1764205323456, "ann", "a1", 5, None, "refused", "1-0", None, None, 48.5, *[None] * 6)


def snapshot(what: What = "standings", **changed: Any) -> Snapshot:
    told: dict[str, Any] = {
        "board": "arena",
        "watermark": "1764205323456-7",
        "at": AT,
        "rows": 3,
        "operator": "sum",
        "order": "desc",
        "decimals": 0,
        "rank_style": "ordinal",
    }
    return Snapshot(what=what, **(told | changed))


def written(writer: Writer, rows: list[tuple[Any, ...]]) -> bytes:
    """A whole export, its rows in chunks of two."""
    chunks = [rows[at : at + 2] for at in range(0, len(rows), 2)]
    return b"".join([writer.head(), *map(writer.rows, chunks), writer.tail()])


def test_a_csv_has_its_head_in_a_comment_and_any_name_as_it_is() -> None:
    head, _, rest = written(CsvWriter(snapshot()), STANDINGS).decode().partition("\n")

    assert json.loads(head.removeprefix("# "))["watermark"] == "1764205323456-7"
    names, *rows = csv.reader(io.StringIO(rest, newline=""), strict=True)
    assert names == ["rank", "user_id", "score", "reached_at"]
    assert [(int(rank), user, int(score)) for rank, user, score, _ in rows] == [
        row[:3] for row in STANDINGS
    ]
    assert {row[3] for row in rows} == {"2026-11-27T01:02:03.456Z"}


def test_lines_of_json_are_objects_with_the_names_of_the_api() -> None:
    head, row = map(json.loads, written(NdjsonWriter(snapshot("actions")), [ACTION]).splitlines())

    assert head["snapshot"]["what"] == "actions"
    assert list(row) == [column.camel for column in COLUMNS["actions"]]
    assert (row["userId"], row["score"], row["latitude"], row["revertedBy"]) == (
        *("ann", None, 48.5, None),
    )


def test_the_head_of_an_occurrence_names_it() -> None:
    head = NdjsonWriter(snapshot(period="week", occurrence=12)).head()

    assert json.loads(head)["snapshot"]["period"] == "week"
    assert json.loads(head)["snapshot"]["occurrence"] == 12


@pytest.mark.parametrize("group", [1, 2, 50_000])
def test_a_parquet_file_has_typed_columns_and_its_head_in_the_metadata(
    group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrow = pytest.importorskip("pyarrow.parquet", reason="the extra parquet is not installed")
    monkeypatch.setattr(parquet, "ROW_GROUP", group)

    table = arrow.read_table(
        io.BytesIO(written(parquet.ParquetWriter(snapshot()), STANDINGS)),
    )

    assert json.loads(table.schema.metadata[b"scoreboard"])["board"] == "arena"
    assert table.column("user_id").to_pylist() == [row[1] for row in STANDINGS]
    assert table.column("score").to_pylist() == [row[2] for row in STANDINGS]
    assert str(table.schema.field("reached_at").type) == "timestamp[ms, tz=UTC]"


def test_an_empty_parquet_file_is_a_file() -> None:
    arrow = pytest.importorskip("pyarrow.parquet", reason="the extra parquet is not installed")

    table = arrow.read_table(io.BytesIO(written(parquet.ParquetWriter(snapshot("actions")), [])))

    assert table.num_rows == 0
    assert table.column_names == [column.name for column in COLUMNS["actions"]]


def test_without_pyarrow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)

    with pytest.raises(ConfigurationError, match=r"scoreboard\[parquet\]"):
        parquet.pyarrow()
