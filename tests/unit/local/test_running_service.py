"""Which service, and which servers, a command works with."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from scoreboard import files
from scoreboard.errors import ConfigurationError
from scoreboard.local.running_service import Target, find, with_servers

REDIS, DATABASE = "SCOREBOARD_REDIS_URL", "SCOREBOARD_DATABASE_URL"
RUN = {
    "url": "http://127.0.0.1:8080",
    "token": "t-run",
    "redis_url": "redis://127.0.0.1:1/0",
    "database_url": "postgresql://scoreboard@127.0.0.1:2/scoreboard",
}
SERVERS_OF_RUN = {REDIS: RUN["redis_url"], DATABASE: RUN["database_url"]}


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCOREBOARD_URL", raising=False)
    monkeypatch.delenv("SCOREBOARD_TOKEN", raising=False)


def running_in(name: str) -> Path:
    folder = Path(name)
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(RUN))
    return folder


def test_the_up_of_this_folder_is_found_by_itself() -> None:
    running_in(".scoreboard")
    assert with_servers({"PATH": "/bin"}, None) == {"PATH": "/bin", **SERVERS_OF_RUN}
    assert find(None, None, None) == Target(RUN["url"], RUN["token"])


def test_a_pipe_in_place_of_what_an_up_tells_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(files, "PATIENCE", 0.0)
    folder = Path(".scoreboard")
    folder.mkdir()
    os.mkfifo(folder / "run.json")
    assert with_servers({}, None) == {}


def test_without_an_up_the_environment_is_left_as_it_is() -> None:
    assert with_servers({"PATH": "/bin"}, None) == {"PATH": "/bin"}
    with pytest.raises(ConfigurationError, match="--url"):
        find(None, None, None)


@pytest.mark.parametrize("variable", [REDIS, DATABASE, f"{REDIS}_FILE", f"{DATABASE}_FILE"])
def test_servers_that_the_environment_names_go_before_the_up_of_this_folder(variable: str) -> None:
    running_in(".scoreboard")
    assert with_servers({variable: "x"}, None) == {variable: "x"}


def test_a_data_directory_that_is_named_goes_before_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = running_in("elsewhere")
    environ = {REDIS: "x", f"{DATABASE}_FILE": "y", "PATH": "/bin"}
    assert with_servers(environ, folder) == {"PATH": "/bin", **SERVERS_OF_RUN}
    monkeypatch.setenv("SCOREBOARD_URL", "http://other")
    assert find(None, None, folder) == Target(RUN["url"], RUN["token"])


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '"text"'])
def test_a_named_data_directory_without_an_up_is_an_error(content: str | None) -> None:
    folder = Path("elsewhere")
    folder.mkdir()
    if content is not None:
        (folder / "run.json").write_text(content)
    with pytest.raises(ConfigurationError, match="elsewhere"):
        with_servers({REDIS: "x"}, folder)
    with pytest.raises(ConfigurationError, match="elsewhere"):
        find(None, None, folder)


def test_the_token_of_an_up_is_sent_to_no_other_service() -> None:
    folder = running_in("elsewhere")
    assert find("http://other/", None, folder) == Target("http://other", None)
    assert find("http://other", "mine", folder) == Target("http://other", "mine")


def test_the_owner_of_an_embedded_database_is_found_beside_its_servers() -> None:
    folder = running_in("elsewhere")
    owner = "postgresql://owner@127.0.0.1:2/scoreboard"
    (folder / "run.json").write_text(json.dumps({**RUN, "migration_url": owner}))
    found = with_servers({"SCOREBOARD_MIGRATION_URL": "x"}, folder)
    assert found == {**SERVERS_OF_RUN, "SCOREBOARD_MIGRATION_URL": owner}
    (folder / "run.json").write_text(json.dumps({**RUN, "migration_url": ""}))
    assert with_servers({}, folder) == SERVERS_OF_RUN
