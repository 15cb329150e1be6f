"""Options that many commands share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from scoreboard import __main__, commands
from scoreboard.commands.program import COMMANDS, app


@pytest.mark.parametrize(
    "command",
    [
        *("up", "migrate", "rebuild", "verify", "token", "train", "replay", "top"),
        *("dead list", "dead retry", "dead drop", "boards list", "boards show", "boards set"),
        *("models list", "models activate", "models rollback", "token revoke"),
    ],
)
def test_each_command_that_needs_servers_takes_a_data_directory(command: str) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"])
    assert "--data-dir" in shown.stdout


def test_every_module_of_a_command_is_listed() -> None:
    modules = Path(commands.__path__[0]).glob("*.py")
    texts = {file.stem.rstrip("_"): file.read_text() for file in modules}
    made = [name for name, text in texts.items() if f"{name}_command" in text]
    assert sorted(made) == sorted(COMMANDS)


def _commands(found: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every command and group by its name, the program itself as an empty one."""
    yield name, found
    context: Any = None
    for command in found.list_commands(context) if isinstance(found, TyperGroup) else ():
        yield from _commands(found.get_command(context, command), f"{name} {command}".strip())


EVERY_COMMAND = dict(_commands(get_command(app)))


@pytest.mark.parametrize("name", EVERY_COMMAND)
def test_help_is_whole_and_without_signs_of_programmers(name: str) -> None:
    # A test's runner makes room for 80 characters, where a terminal of 80 has room for 78.
    shown = CliRunner().invoke(app, [*name.split(), "--help"], terminal_width=78).stdout
    assert shown.startswith("Usage: ")
    if "Commands:\n" in shown:
        listed = shown[shown.index("Commands:\n") :]
        assert listed.count("\n") > 1
        assert "..." not in listed
    for sign in ("[[", "<%"):
        assert sign not in shown


def test_ctrl_c_while_the_program_loads_ends_it_without_a_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(__main__, "check_texts", interrupted)
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("train", "--since"),
        ("evaluate --board arena", "--since"),
        ("token revoke --sub ada", "--before"),
        ("boards set arena", "--opens"),
        ("boards set arena", "--closes"),
        ("calendar --cron @x", "--from"),
        ("calendar --every PT30S", "--start"),
    ],
)
def test_what_is_no_moment_is_told_by_option_and_with_an_example(command: str, option: str) -> None:
    ended = CliRunner().invoke(app, [*command.split(), option, "yesterday"])
    said = ended.output + str(ended.exception)

    assert ended.exit_code != 0
    assert option in said
    assert "'yesterday'" in said
    assert "such as 2026-" in said
    assert "%Y" not in said
