"""Standings from files: what is read, and what is said of a wrong one."""

from __future__ import annotations

import gzip
import itertools
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from scoreboard.errors import ConfigurationError, InvalidRequest
from scoreboard.formats.standings_files import open_standings
from scoreboard.formats.writers import Format

CSV = "user_id,score\nann,30\nbob,20\n"
DEEP = "[" * 100_000 + "]" * 100_000
LINES = '{"userId":"ann","score":30}\n\n{"user_id":"bob","score":20.50,"rank":2}\n'


def rows(path: Path, form: Format | None = None) -> list[tuple[str, Any]]:
    return [(row.user_id, row.score) for row in open_standings(path, form).read()]


def file(folder: Path, text: str, name: str = "season.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode(errors="surrogateescape"))
    return path


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (CSV, [("ann", 30), ("bob", 20)]),
        ("\ufeffScore;rank; USER_ID \n1,5;1;ann\n", [("ann", Decimal("1.5"))]),
        ('# by hand\nuserId\tscore\n"a\tb"\t1e3\n', [("a\tb", Decimal("1e3"))]),
        ("user_id,score\n", []),
        ("user_id,score\nann,9007199254740993\n", [("ann", 2**53 + 1)]),
    ],
)
def test_a_csv_is_read_as_spreadsheets_and_scripts_write_it(
    tmp_path: Path, text: str, read: list[tuple[str, Any]]
) -> None:
    assert rows(file(tmp_path, text)) == read


def test_lines_of_json_are_read_with_their_numbers_as_they_are_written(tmp_path: Path) -> None:
    assert rows(file(tmp_path, LINES, "season.ndjson")) == [("ann", 30), ("bob", Decimal("20.50"))]
    packed = tmp_path / "season.jsonl.gz"
    packed.write_bytes(gzip.compress(LINES.encode()))
    assert len(rows(packed)) == 2


def test_parquet_is_read_by_its_columns(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow.parquet", reason="the extra parquet is not installed")
    arrow = pytest.importorskip("pyarrow")
    table = arrow.table({"score": [1.5, 2.0], "user_id": ["ann", "bob"]})
    arrow.parquet.write_table(table, tmp_path / "season.parquet")

    assert rows(tmp_path / "season.parquet") == [("ann", 1.5), ("bob", 2.0)]
    with pytest.raises(InvalidRequest, match="can't be read as Parquet"):
        open_standings(file(tmp_path, CSV, "other.parquet"), None)
    arrow.parquet.write_table(table.select(["score"]), tmp_path / "no-user.parquet")
    with pytest.raises(InvalidRequest, match="has no column user_id"):
        open_standings(tmp_path / "no-user.parquet", None)


def test_of_a_wrong_parquet_file_it_is_said_what_is_wrong(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow.parquet", reason="the extra parquet is not installed")
    arrow = pytest.importorskip("pyarrow")
    latin = arrow.array([b"caf\xe9"], arrow.binary()).view(arrow.string())
    long = arrow.array(["x" * 10_001] * 1_000)
    for users, scores, names, said in (
        (latin, [1], ["user_id", "score"], "can't be read as Parquet"),
        (long, [1] * 1_000, ["user_id", "score"], "a user_id of more than 10,000 bytes"),
        (["ann"], [True], ["user_id", "score"], "row 1: no user_id, or no score"),
        ([7], [1], ["user_id", "score"], "row 1: no user_id, or no score"),
        (["ann"], [1], ["user_id", "user_id", "score"], "the column user_id more than once"),
    ):
        columns = [arrow.array(users)] * (len(names) - 1) + [arrow.array(scores)]
        table = arrow.Table.from_arrays(columns, names=names)
        arrow.parquet.write_table(table, tmp_path / "wrong.parquet")
        with pytest.raises(InvalidRequest, match=said):
            open_standings(tmp_path / "wrong.parquet", None)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "user,score\nann,1\n", "line 1: name the columns user_id and score"),
        ("a.csv", "", "line 1: name the columns user_id and score"),
        ("a.csv", "user_id,score\nann,1\nbob\n", "line 3: 1 column where the first line names 2"),
        ("a.csv", "user_id,score\nann,1,234\n", "line 2: 3 columns where the first line names 2"),
        ("a.csv", "user_id,score,Score\nann,1,2\n", "line 1: two columns score"),
        ("a.csv", "user_id,UserId,score\nann,bob,2\n", "line 1: two columns user_id"),
        ("a.csv", "user_id,score\nann,many\n", "line 2: the score is 'many'"),
        ("a.csv", "user_id,score\nann,\n", "line 2: the score is ''"),
        ("a.csv", "user_id,score\nann,1\nann,2\n", "row 2: 'ann' is there twice"),
        ("a.csv", "user_id,score\n\udcff,1\n", "line 2: not UTF-8"),
        ("a.csv", '# {"what":"actions"}\nuser_id,score\n', "has actions, not standings"),
        ("a.csv", '# {"rows":3}\nuser_id,score\nann,1\n', "has 1 row, and its head says 3"),
        ("a.ndjson", '{"userId":"ann"}\n', "line 1: no userId, or no score"),
        ("a.ndjson", '{"userId":7,"score":1}\n', "line 1: no object of JSON as is wanted"),
        ("a.ndjson", '{"userId":"ann","score":"1"}\n', "line 1: the score is "),
        ("a.ndjson", '{"userId":"ann","score":1}\n[1]\n', "line 2: no object of JSON"),
        ("a.ndjson", json.dumps({"snapshot": {"rows": 1}}), "has 0 rows, and its head says 1"),
        ("a.ndjson", f'{{"x":{DEEP},"userId":"ann","score":1}}', "line 1: no object of JSON"),
        ("a.csv", f'# {{"x":{DEEP}}}\nuser_id,score\nann,x\n', "line 3: the score is 'x'"),
        ("a.ndjson", f"{LINES}{'x' * 1_000_001}", "line 4: longer than 1,000,000 characters"),
        ("a.csv", f"{CSV}{'x' * 1_000_001}", "line 4: longer than 1,000,000 characters"),
    ],
    ids=itertools.count(),
)
def test_of_a_wrong_file_it_is_said_what_is_wrong_and_where(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        open_standings(file(tmp_path, text, name), None)

    assert said in refused.value.detail


def test_a_file_of_another_name_needs_its_format_to_be_said(tmp_path: Path) -> None:
    path = file(tmp_path, CSV, "season")

    with pytest.raises(ConfigurationError, match="say by --format"):
        open_standings(path, None)
    assert rows(path, "csv") == [("ann", 30), ("bob", 20)]
