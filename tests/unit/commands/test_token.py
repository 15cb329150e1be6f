"""The command `scoreboard token`."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request
from typer.testing import CliRunner

from scoreboard.api.auth import Authenticator
from scoreboard.api.principals import Principal
from scoreboard.api.token_rules import ClaimRules
from scoreboard.api.tokens import SCOPES, local_keys
from scoreboard.commands.token import revoke_command, token_command
from scoreboard.errors import ConfigurationError

KEYS = {"new": "n" * 32, "old": "o" * 32}

cli = token_command


async def verified(text: str, keys: dict[str, str], issuer: str = "") -> Principal:
    request = make_mocked_request("GET", "/", headers={"Authorization": f"Bearer {text}"})
    return await Authenticator(keys, "HS256", ClaimRules(issuer)).authenticate(request)


async def test_it_prints_a_token_signed_with_the_first_key_and_nothing_else() -> None:
    environment = {"SCOREBOARD_JWT_KEYS": json.dumps(KEYS), "SCOREBOARD_JWT_ISSUER": "me"}
    arguments = ["--sub", "ann", "--scope", "score:submit board:read", "--boards", "arena, global"]
    result = CliRunner().invoke(cli, arguments, env=environment)
    assert result.exit_code == 0
    assert result.stdout.count("\n") == 1
    caller = await verified(result.stdout.strip(), {"new": KEYS["new"]}, issuer="me")
    assert caller.subject == "ann"
    assert caller.scopes == {"score:submit", "board:read"}
    assert caller.boards == frozenset({"arena", "global"})


async def test_it_signs_with_the_secret_of_a_data_directory(tmp_path: Path) -> None:
    secret = "s" * 43
    (tmp_path / "secret").write_text(secret + "\n")
    arguments = ["--sub", "ann", "--scope", "admin", "--data-dir", str(tmp_path)]
    result = CliRunner().invoke(cli, arguments, env={"SCOREBOARD_JWT_KEYS": ""})
    assert (await verified(result.stdout.strip(), local_keys(secret))).boards is None


async def test_without_keys_it_signs_with_the_secret_that_up_left_in_this_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".scoreboard").mkdir()
    (tmp_path / ".scoreboard" / "secret").write_text("s" * 43)
    arguments = ["--sub", "ann", "--scope", "admin"]
    found = CliRunner().invoke(cli, arguments, env={"SCOREBOARD_JWT_KEYS": ""})
    assert (await verified(found.stdout.strip(), local_keys("s" * 43))).subject == "ann"
    named = CliRunner().invoke(cli, arguments, env={"SCOREBOARD_JWT_KEYS": json.dumps(KEYS)})
    assert (await verified(named.stdout.strip(), KEYS)).subject == "ann"


async def test_where_up_runs_it_needs_no_options_and_elsewhere_it_does(tmp_path: Path) -> None:
    secret = "s" * 43
    (tmp_path / "secret").write_text(secret + "\n")
    local = CliRunner().invoke(cli, ["--data-dir", str(tmp_path)], env={"SCOREBOARD_JWT_KEYS": ""})
    caller = await verified(local.stdout.strip(), local_keys(secret))
    assert (caller.subject, caller.scopes) == ("developer", frozenset(SCOPES))

    deployed = CliRunner().invoke(cli, [], env={"SCOREBOARD_JWT_KEYS": json.dumps(KEYS)})
    assert deployed.exit_code == 2
    assert "--data-dir" in deployed.stderr, "it says how they may be left out"
    assert "--sub" in deployed.stderr


def test_a_data_directory_without_a_secret_is_said_to_have_none(tmp_path: Path) -> None:
    arguments = ["--sub", "ann", "--scope", "admin", "--data-dir", str(tmp_path)]
    result = CliRunner().invoke(cli, arguments)
    assert isinstance(result.exception, ConfigurationError)
    assert str(tmp_path / "secret") in result.exception.detail


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("--scope", "score:wirte", "unknown: score:wirte"),
        ("--boards", "arena,Not A Board", "not a board's name: 'Not A Board'"),
        ("--sub", "a\nb", "printable"),
        ("--ttl", "0", "--ttl"),
    ],
)
def test_a_mistyped_option_is_pointed_out(option: str, value: str, complaint: str) -> None:
    options = {"--sub": "ann", "--scope": "admin"} | {option: value}
    arguments = [part for pair in options.items() for part in pair]
    environment = {"SCOREBOARD_JWT_KEYS": json.dumps(KEYS), "COLUMNS": "200"}
    result = CliRunner().invoke(cli, arguments, env=environment)
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_input_without_an_end_is_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(io.StringIO):
        def read(self, size: int | None = -1) -> str:
            assert size is not None
            assert size > 0, "it would be read for ever"
            return "\0" * size

    monkeypatch.setattr(sys, "stdin", Endless())
    with pytest.raises(ConfigurationError, match="standard input holds no token"):
        revoke_command(stdin=True)
