"""Options that many commands share."""

from __future__ import annotations

from pathlib import Path

import pytest
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


@pytest.mark.parametrize("group", ["", "boards", "dead", "models", "token", "webhooks"])
def test_no_list_of_commands_cuts_a_sentence(group: str) -> None:
    shown = CliRunner().invoke(app, [*group.split(), "--help"], env={"COLUMNS": "80"})
    listed = shown.stdout[shown.stdout.index("Commands:") :]
    assert listed.count("\n") > 1
    assert "..." not in listed


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
