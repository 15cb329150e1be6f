"""The program takes every line that documents say to type, as far as its options tell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.exceptions import TyperException
from typer.main import get_command

from scoreboard.commands.program import COMMANDS, app

ROOT = Path(__file__).parents[3]
DOCUMENTS = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("clients/*/README.md")]
LINE = re.compile(rf"\bscoreboard +((?:{'|'.join(COMMANDS)})\b[^|()<>;#]*)")
ABSENT = "does not exist"  # a file of the example


def lines() -> Iterator[tuple[str, str]]:
    """Of each indented line that is a command: the document, and what follows `scoreboard`."""
    for document in DOCUMENTS:
        text = re.sub(r"\\\n *", "", document.read_text(encoding="utf-8"))
        for line in re.findall("^    .*", text, re.MULTILINE):
            for found in LINE.findall(line):
                yield document.relative_to(ROOT).as_posix(), re.sub(r"[][]", "", found).strip()


def refusal(line: str) -> str:
    """Why the program does not take the line; empty if it does."""
    words = shlex.split(line)
    command: Any = get_command(app)
    while words and hasattr(command, "list_commands"):
        found = command.get_command(None, words[0])
        if found is None and words[0].startswith("-"):
            break
        if found is None:
            return f"No such command: {words[0]}"
        command, words = found, words[1:]
    try:
        command.make_context(line, words)
    except TyperException as error:
        return "" if ABSENT in str(error) else str(error)
    return ""


def test_every_line_is_one_that_the_program_takes() -> None:
    typed = set(lines())

    assert len(typed) > 40
    assert {(document, line): why for document, line in typed if (why := refusal(line))} == {}


def test_what_the_program_does_not_take_is_seen() -> None:
    for wrong in ("verify --nope", "webhooks deliveries", "boards delete a", "dead nope", "top x"):
        assert refusal(wrong), wrong


def test_a_token_on_servers_is_for_somebody_and_something() -> None:
    """Where no `scoreboard up` runs there is no token without these two."""
    servers = ("deploying", "production", "drills", "backup", "redis", "runbook", "upgrade")
    tokens = [
        line
        for document, line in lines()
        if document in {f"docs/{name}.md" for name in servers}
        and re.match(r"token\b(?! revoke)", line)
    ]

    assert len(tokens) >= 3
    assert [line for line in tokens if "--sub" not in line or "--scope" not in line] == []


def test_here_documents_stand_at_the_margin() -> None:
    """Copied with the indentation of Markdown they would not end at their last line."""
    indented = re.compile(r"^    .*<<-?'?\w+'?$", re.MULTILINE)

    assert [d.name for d in DOCUMENTS if indented.search(d.read_text(encoding="utf-8"))] == []
