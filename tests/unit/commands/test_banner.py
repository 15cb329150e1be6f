"""What `scoreboard up` prints when everything runs can be typed as it stands there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from scoreboard.commands.up import _banner

RUNNING = cast(
    Any,
    SimpleNamespace(url="http://127.0.0.1:8080", token="token", gate_mode="flag"),
)


@pytest.mark.parametrize(
    ("called", "named"),
    [
        (".venv/bin/scoreboard", "`.venv/bin/scoreboard token`"),
        ("/opt/scoreboard/bin/scoreboard", "`/opt/scoreboard/bin/scoreboard token`"),
        ("/opt/scoreboard/lib/scoreboard/__main__.py", "`scoreboard token`"),
    ],
)
def test_the_program_is_named_as_it_was_called(
    called: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", [called, "up"])
    assert named in _banner(RUNNING, Path(".scoreboard"))


def test_the_data_directory_is_named_where_the_command_would_not_find_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.argv", ["scoreboard", "up"])
    assert "`scoreboard token --data-dir '/srv/my games'`" in _banner(
        RUNNING, Path("/srv/my games")
    )


def test_the_page_for_administrators_has_the_name_that_the_documents_give_it() -> None:
    assert "  Console      http://127.0.0.1:8080/admin\n" in _banner(RUNNING, Path(".scoreboard"))
