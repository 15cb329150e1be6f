"""The CSV file of score actions: what is read, and what each command says of a wrong one."""

from __future__ import annotations

import csv
import gzip
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scoreboard.__main__ import main
from scoreboard.anomaly.board import board_statistics
from scoreboard.anomaly.model import Model, TrainingRecord
from scoreboard.commands.action_file import read_actions
from scoreboard.domain.actions import ActionContext
from scoreboard.domain.moments import EARLIEST_MS, LATEST_MS, milliseconds_of
from scripts.synthetic_season import season

HEAD = "ts,user_id,action_id,points,latitude,user_agent,label"
FIRST = '1477438650000,ann,a1,2,48.85,"Game, 3",0\n'
SECOND = '1477438651000,bob,b1,3,,"Game\n4",0\n'  # on lines 3 and 4
ROWS = f"{HEAD}\n{FIRST}{SECOND}"  # the next line is 5

LINES = "".join(f"{1477438650000 + i},ann,a{i},1,,,0\n" for i in range(20_000))
LONG = gzip.compress(f"{HEAD}\n{LINES}".encode(), mtime=0)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model without agents: all that ``evaluate`` needs to come to its file."""
    path = tmp_path / "model"
    board = board_statistics(season(players=2, days=5))
    record = TrainingRecord(0, 0, 0, 0, seed=0, false_alarm_rate=0.001, refused={})
    path.write_bytes(Model(board=board, agents={}, training=record).to_bytes())
    return path


Refused = Callable[[Path], str]


@pytest.fixture(params=["replay", "train", "evaluate"])
def refused(
    request: pytest.FixtureRequest,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Refused:
    """Runs a command on a file that it can't take and returns what it says."""

    def refused(file: Path) -> str:
        arguments = {
            "replay": [str(file), "--board", "arena", "--url", "http://127.0.0.1:1"],
            "train": ["--csv", str(file), "--save", str(model.with_name("new"))],
            "evaluate": ["--model", str(model), "--csv", str(file)],
        }[request.param]
        monkeypatch.setattr(sys, "argv", ["scoreboard", request.param, *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert (ended.value.code, said.out) == (1, "")
        assert said.err.startswith("scoreboard: ")
        assert said.err.endswith(".\n")
        assert said.err.count("\n") == 1
        return said.err

    return refused


@pytest.mark.parametrize(
    ("content", "line", "wrong", "advice"),
    [
        ("", 1, "no column ts, user_id", "separated by commas"),
        ("ts;user_id;action_id;points\nx\n", 2, "1 column ", "complete the row or take it out"),
        ("ts|user_id|action_id|points\n", 1, "no column ts, user_id", "separated by commas"),
        ("ts,user_id,action_id\n1,ann,a1\n", 1, "no column points", "the first line has to name"),
        (f"{ROWS}1477438652000,ann\n", 5, "2 columns", "complete the row or take it out"),
        (f"{ROWS}\n\n1477438652000,ann\n", 7, "2 columns", "complete the row or take it out"),
        (f"\n \n{ROWS}\n, ,\n1477438652000,ann\n", 9, "2 columns", "complete the row"),
        ("ts,user_id,action_id,points,ts\n", 1, "two columns ts", "rename or remove one"),
        (f"{ROWS}1477438652000,ann,a2,many,,,0\n", 5, "points is 'many'", "a whole number"),
        (f"{ROWS}1477438652000,ann,a2,,,,0\n", 5, "points is ''", "a whole number"),
        (f"{ROWS}1477438652000,ann,a2,1.5,,,0\n", 5, "points is '1.5'", "a whole number"),
        (f"{ROWS}1477438652000,ann,a2,1_5,,,0\n", 5, "points is '1_5'", "a whole number"),
        (f"{ROWS}1477438652000,ann,a2,2147483648,,,0\n", 5, "2147483648", "to 2,147,483,647"),
        (f"{ROWS}1477438652000,ann,a2,{10**30},,,0\n", 5, "points is '1000000", "2,147,483,647"),
        (f"{ROWS}1477438652000,ann,a2,-2147483648,,,0\n", 5, "-2147483648", "from -2,147,483,647"),
        (f"{ROWS}yesterday,ann,a2,1,,,0\n", 5, "ts is 'yesterday'", "a whole number"),
        (f"{ROWS}1477438652000000000,ann,a2,1,,,0\n", 5, "ts is '14774386", "a whole number"),
        (f"{ROWS}{'9' * 5000},ann,a2,1,,,0\n", 5, "ts is '9999", "a whole number"),
        (f"{ROWS}1.47744E+12,ann,a2,1,,,0\n", 5, "ts is '1.47744E+12'", "a whole number"),
        (f"{ROWS}2016-02-30T18:00:00Z,ann,a2,1,,,0\n", 5, "ts is '2016-02-30", "a time such as"),
        (f"{ROWS}9999-12-31 23:59-01:00,ann,a2,1,,,0\n", 5, "ts is '9999-12-31", "a time such"),
        (f"{ROWS}1477438652,ann,a2,1,,,0\n", 5, "'1477438652', which is in seconds", "one unit"),
        (f"{ROWS}1477438652000,ann,a2,1,north,,0\n", 5, "latitude is 'north'", "degrees, or empty"),
        (f"{ROWS}1477438652000,ann,a2,1,nan,,0\n", 5, "latitude is 'nan'", "degrees, or empty"),
        (f"{ROWS}1477438652000,ann,a2,1,,,cheat\n", 5, "label is 'cheat'", "a whole number"),
        (f'{ROWS}1477438652000,"ann\nb",a2,no,,,0\n', 5, "points is 'no'", "a whole number"),
        (f'{ROWS}1477438652000,ann,a2,1,,"Game,0\n\n\n', 5, "never closed", "close its quotes"),
        (f'{ROWS}1477438652000,ann,a2,1,,"Game,0\n{LINES}', 5, "131,072", "close its quotes"),
        (f'{ROWS}1477438652000,ann,a2,1,,"Game" 3,0\n', 5, "text follows", "double those within"),
        (f"{ROWS}1477438652000,ann,a2,1,,{'x' * 200_000},0\n", 5, "131,072", "close its quotes"),
    ],
    ids=[
        *("empty", "semicolons", "bars", "no column", "short row", "short row after empty lines"),
        *("empty lines before the first", "a column twice"),
        *("words for points", "no points", "fractions", "underscores", "points too high"),
        *("points beyond 64 bits", "points too low", "words for ts", "ts in nanoseconds"),
        *("ts of 5,000 digits", "ts rounded by a spreadsheet", "a day that does not exist"),
        *("after the year 9999", "seconds among milliseconds", "words for a place"),
        *("not a number", "words for label", "in a row of two lines", "unclosed quote at the end"),
        *("unclosed quote", "text after a quote", "long field"),
    ],
)
def test_a_wrong_file_is_told_with_its_line_and_what_to_do(
    refused: Refused, tmp_path: Path, content: str, line: int, wrong: str, advice: str
) -> None:
    file = tmp_path / "actions.csv"
    file.write_text(content, encoding="utf-8", newline="")

    said = refused(file)

    assert f"{file}, line {line}: " in said
    assert wrong in said
    assert advice in said


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_bytes_that_are_not_utf8_are_told_with_their_line(
    refused: Refused, tmp_path: Path, end: bytes
) -> None:
    file = tmp_path / "actions.csv"
    right = f"{HEAD}\n{LINES}1477438652000,zoë,a2,1,,,0\n".encode()
    wrong = "1477438652000,zoë,a3,1,,,0\n".encode("latin-1")
    file.write_bytes((right + wrong + right).replace(b"\n", end))

    said = refused(file)

    assert f"{file}, line 20,003: not UTF-8; save the file in this encoding" in said


@pytest.mark.parametrize(
    "length", [20, len(LONG) // 2, len(LONG) - 8, len(LONG) - 1], ids=["head", "half", "sum", "end"]
)
def test_an_archive_that_is_cut_off_is_told_with_the_line_where_it_ends(
    refused: Refused, tmp_path: Path, length: int
) -> None:
    file = tmp_path / "actions.csv.gz"
    file.write_bytes(LONG[:length])
    whole = tmp_path / "whole.csv"
    whole.write_bytes(gzip.decompress(LONG))
    total = whole.read_bytes().count(b"\n")

    said = refused(file)

    assert "is cut off here; copy it again" in said
    line = int(said.split(", line ")[1].split(":")[0].replace(",", ""))
    assert 1 <= line <= total + 1
    if length > len(LONG) - 9:
        assert line == total + 1, "the lines are all there, their checksum is not"


def test_a_damaged_archive_is_told(refused: Refused, tmp_path: Path) -> None:
    file = tmp_path / "actions.csv.gz"
    checksum, length = LONG[-8:-4], LONG[-4:]
    file.write_bytes(LONG[:-8] + checksum[::-1] + length)

    said = refused(file)

    assert f"{file}, line 20,002: the gzip file is damaged; copy it again" in said


def test_a_file_that_is_no_archive_is_told(refused: Refused, tmp_path: Path) -> None:
    file = tmp_path / "actions.csv.gz"
    file.write_text(ROWS)

    said = refused(file)

    assert f"{file}, line 1: not a gzip file, as its name says; take .gz off its name" in said


@pytest.mark.parametrize("written", [True, False], ids=["with a writer", "without one"])
def test_a_pipe_is_told_at_once_to_be_none_of_the_files_that_are_read(
    refused: Refused, tmp_path: Path, written: bool
) -> None:
    if written:
        pipe, its_end = os.pipe()
        os.write(its_end, ROWS.encode())
        said = refused(Path(f"/dev/fd/{pipe}"))
        os.close(pipe)
        os.close(its_end)
    else:
        os.mkfifo(tmp_path / "fifo")
        said = refused(tmp_path / "fifo")
    assert "a pipe or a device" in said
    assert "save what comes from it as a file" in said


def test_a_row_is_an_action_as_a_client_would_send_it(tmp_path: Path) -> None:
    file = tmp_path / "actions.csv"
    context = "latitude,longitude,country,device_id,user_agent,ip,action_type"
    file.write_text(
        f"points,ts,user_id,action_id,{context}\n"
        '3,1477438650250,zoë,a1,48.85,-0.5,FR,phone,"Game, ""3""",10.0.0.1,three\n',
        encoding="utf-8",
    )

    (row,) = read_actions(file)

    assert (row.at_ms, row.label, row.kind) == (1477438650250, 0, "honest")
    action = row.action
    assert (action.user_id, action.action_id, action.points) == ("zoë", "a1", 3)
    assert action.context == ActionContext(
        occurred_at="2016-10-25T23:37:30.250+00:00",
        ip="10.0.0.1",
        latitude=48.85,
        longitude=-0.5,
        country="FR",
        device_id="phone",
        user_agent='Game, "3"',
        action_type="three",
    )


def test_three_columns_are_enough_and_what_is_empty_is_not_there(tmp_path: Path) -> None:
    bare, empty = tmp_path / "bare.csv", tmp_path / "empty.csv"
    bare.write_text("ts,user_id,points\n1000,ann,3\n")
    empty.write_text("ts,user_id,points,latitude,device_id,label,kind\n1000,ann,3,,,,\n")

    assert list(read_actions(bare)) == list(read_actions(empty))
    (row,) = read_actions(bare)
    assert row.action.context == ActionContext(occurred_at="1970-01-01T00:00:01.000+00:00")
    assert (row.case.at_ms, row.case.received_ms) == (1000, 1000)


def test_a_label_without_a_kind_is_a_cheat(tmp_path: Path) -> None:
    file = tmp_path / "actions.csv"
    file.write_text("ts,user_id,points,label,kind\n1,ann,3,1,\n2,ann,3,1,burst\n3,ann,3,0,\n")

    assert [row.kind for row in read_actions(file)] == ["cheat", "burst", "honest"]


def test_rows_may_have_more_columns_than_the_first_line_and_empty_lines_between(
    tmp_path: Path,
) -> None:
    file = tmp_path / "actions.csv"
    with file.open("w", newline="") as out:
        csv.writer(out).writerows([["ts", "user_id", "points"], [], [1, "ann", 3, "more"], []])

    assert [row.action.points for row in read_actions(file)] == [3]


@pytest.mark.parametrize(
    ("content", "at_ms"),
    [
        ("1477438650250", 1477438650250),
        ("1477438650250.0", 1477438650250),
        ("1477438650", 1477438650000),
        ("1477438650.0", 1477438650000),
        ("1477438650.25", 1477438650250),
        ("2016-10-25T23:37:30.250Z", 1477438650250),
        ("2016-10-25t23:37:30,25z", 1477438650250),
        ("2016-10-26 01:37:30.2509 +02:00", 1477438650250),
        ("2016-10-26T01:37:30+0200", 1477438650000),
        ("2016-10-25 23:37", 1477438620000),
        ("0001-01-01 00:00:00", EARLIEST_MS),
        ("9999-12-31T23:59:59.9999Z", LATEST_MS),
        (str(LATEST_MS), LATEST_MS),
        ("-1", -1),
    ],
)
def test_a_time_may_be_told_in_several_ways(tmp_path: Path, content: str, at_ms: int) -> None:
    file = tmp_path / "actions.csv"
    file.write_text(f'ts,user_id,points\n"{content}",ann,3\n')

    (row,) = read_actions(file)

    assert row.at_ms == at_ms
    assert row.action.context is not None
    assert row.action.context.occurred_at is not None
    assert milliseconds_of(row.action.context.occurred_at) == at_ms


def test_seconds_of_a_clock_that_begins_at_zero_stay_milliseconds(tmp_path: Path) -> None:
    file = tmp_path / "actions.csv"
    file.write_text("ts,user_id,points\n0,ann,3\n1477438650,ann,3\n1477438650000,ann,3\n")

    assert [row.at_ms for row in read_actions(file)] == [0, 1477438650, 1477438650000]


@pytest.mark.parametrize("points", ["5", "5.0", "+5", " 5. ", "5.000"])
def test_whole_points_may_be_written_as_a_program_writes_fractions(
    tmp_path: Path, points: str
) -> None:
    file = tmp_path / "actions.csv"
    file.write_text(f"ts,user_id,points,label\n1,ann,{points},1.0\n")

    (row,) = read_actions(file)

    assert (row.action.points, row.label) == (5, 1)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("separator", [",", ";", "\t"], ids=["commas", "semicolons", "tabs"])
@pytest.mark.parametrize("name", ["actions.csv", "actions.csv.gz", "actions"])
def test_a_spreadsheets_file_is_read_as_it_is(
    tmp_path: Path, name: str, separator: str, end: str
) -> None:
    file = tmp_path / name
    decimal = "48.85" if separator == "," else "48,85"
    rows = [
        ["TS", "user_id ", "points", "latitude", "user_agent"],
        ["1477438650000", "zoë", "3", decimal, f'"a{separator} b"'],
        [],
        ["1477438651000", "bob", "4", "", ""],
    ]
    content = "\ufeff" + "".join(separator.join(row) + end for row in rows)
    packed = name != "actions.csv"
    file.write_bytes(gzip.compress(content.encode()) if packed else content.encode())

    first, second = read_actions(file)

    assert (first.action.user_id, second.action.user_id) == ("zoë", "bob")
    assert first.action.context is not None
    assert first.action.context.latitude == 48.85
    assert first.action.context.user_agent == f"a{separator} b"


def test_a_file_in_utf_16_is_told(refused: Refused, tmp_path: Path) -> None:
    file = tmp_path / "actions.csv"
    file.write_bytes("ts,user_id,points\n".encode("utf-16"))

    assert f"{file}, line 1: not UTF-8; save the file in this encoding" in refused(file)


def test_of_an_export_what_counted_is_read_and_its_head_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "actions.csv"
    file.write_text(
        '# {"board":"arena"}\nts,user_id,action_id,points,status,score\n'
        "1477438650000,ann,a1,2,accepted,2\n"
        "1477438650001,bob,b1,3,refused,\n"
        "1477438650002,cy,c1,4,reverted,4\n"
    )

    assert [one.action.user_id for one in read_actions(file)] == ["ann"]
