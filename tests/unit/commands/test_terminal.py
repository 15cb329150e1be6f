"""What commands print of names that others chose."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from scoreboard import commands
from scoreboard.commands.progress import pace_bar, progress_bar, stage_bars
from scoreboard.commands.terminal import console, printable, say, tolerate_any_encoding

COMMANDS = Path(commands.__file__).parent
NAMES = ["[/red]", "[bold]x", ":smile:", "zoë", "日本", "👍", "a\\b"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_can_be_seen_is_shown_as_it_is(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = Table("user", title=printable(name))
    table.add_row(printable(name))
    screen = console()
    screen.print(table, Text.assemble((printable(name), "red")), printable(name))
    say(name)

    assert printable(name) == name
    assert capsys.readouterr().out.count(name) == 5


@pytest.mark.parametrize("name", NAMES)
def test_bars_take_no_name_as_markup(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    screen = console(err=True)
    for bar in (progress_bar(screen), pace_bar(screen)):
        with bar:
            bar.add_task(printable(name), total=1, pace="")
    with stage_bars(screen) as report:
        report(name, 0, 1)

    assert capsys.readouterr().err.count(name) == 2, "pace_bar shows itself only in a terminal"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\rb\x00\x7f\x9b", r"a\rb\x00\x7f\x9b"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("a\u2066b\u200fc\u200bd\ufeff", r"a\u2066b\u200fc\u200bd\ufeff"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("a\u2028b\ud800", r"a\u2028b\ud800"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_what_nobody_sees_is_shown_as_an_escape(
    name: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    say(name)

    assert printable(name) == shown
    assert capsys.readouterr().out == f"{shown}\n"


def test_what_the_encoding_lacks_is_shown_as_an_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    tolerate_any_encoding()
    table = Table("user")
    table.add_row("zoë")
    console().print(table)
    say("zoë 👍")
    sys.stdout.flush()

    printed = raw.getvalue().decode("ascii").splitlines()
    assert any(r"zo\xeb" in line for line in printed[:-1])
    assert printed[-1] == r"zo\xeb \U0001f44d"


@pytest.mark.parametrize("file", sorted(COMMANDS.glob("*.py")), ids=lambda file: file.name)
def test_every_command_prints_by_these_functions(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    if file.name == "terminal.py":
        return

    assert not re.search(r"typer\.s?echo\(|(?<![.\w])print\(|\bConsole\(", text)
