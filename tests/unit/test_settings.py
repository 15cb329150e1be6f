"""Every setting is used, and what can't be one is refused in a line."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from msgspec import structs

import scoreboard
from scoreboard import files
from scoreboard.errors import ConfigurationError
from scoreboard.settings import Settings, load


def test_every_setting_is_handed_over_to_a_part_of_the_service() -> None:
    package = Path(scoreboard.__path__[0])
    files = [file for file in package.rglob("*.py") if file != package / "settings.py"]
    code = "\n".join(file.read_text(encoding="utf-8") for file in files)
    used = set(re.findall(r"settings\.(\w+)", code))
    within = set(re.findall(r"self\.(\w+)", (package / "settings.py").read_text(encoding="utf-8")))
    assert set(Settings.__struct_fields__) - used - within == set()


def test_a_pipe_into_which_nobody_writes_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PATIENCE", 0.05)
    pipe = tmp_path / "keys"
    os.mkfifo(pipe)
    with pytest.raises(ConfigurationError, match=f"{pipe}: nobody wrote all of it"):
        load({"SCOREBOARD_JWT_KEYS_FILE": str(pipe)})


def test_a_secret_may_come_through_a_pipe_in_parts() -> None:
    end, begin = os.pipe()
    with os.fdopen(begin, "wb") as writer:
        writer.write(b"2026-11=")
        writer.flush()
        writer.write(b"secret\r\nolder=one\n")
    try:
        loaded = load({"SCOREBOARD_JWT_KEYS_FILE": f"/dev/fd/{end}"})
    finally:
        os.close(end)
    assert loaded.jwt_keys == "2026-11=secret\nolder=one"


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/dev/zero", f"more than {files.MOST_BYTES} bytes"), ("/dev", "Is a directory")],
)
def test_what_is_no_text_of_a_secrets_size_is_refused(path: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=f"SCOREBOARD_JWT_KEYS_FILE.*{reason}"):
        load({"SCOREBOARD_JWT_KEYS_FILE": path})


def test_bytes_that_are_no_utf8_are_refused_without_showing_them(tmp_path: Path) -> None:
    kept = tmp_path / "keys"
    kept.write_bytes(b"2026-11=secret\xff")
    for environ in (
        {"SCOREBOARD_JWT_KEYS_FILE": str(kept)},
        {"SCOREBOARD_JWT_KEYS": os.fsdecode(kept.read_bytes())},
    ):
        with pytest.raises(ConfigurationError, match="no UTF-8 text") as refused:
            load(environ)
        assert "secret" not in refused.value.detail


def test_a_setting_given_both_ways_is_refused_in_either_order(tmp_path: Path) -> None:
    kept = tmp_path / "issuer"
    kept.write_text("kept")
    both = {"SCOREBOARD_JWT_ISSUER": "named", "SCOREBOARD_JWT_ISSUER_FILE": str(kept)}
    for environ in (both, dict(reversed(both.items()))):
        with pytest.raises(ConfigurationError, match="_ISSUER and SCOREBOARD_JWT_ISSUER_FILE are"):
            load(environ)

    # As compose files write what is not set.
    empty = both | {"SCOREBOARD_JWT_ISSUER": ""}
    for environ in (empty, dict(reversed(empty.items()))):
        assert load(environ).jwt_issuer == "kept"


NUMBERS = [
    one.name.upper() for one in structs.fields(Settings) if type(one.default) in (int, float)
]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["1e300", "inf", "nan", "9" * 26])
def test_every_number_has_an_upper_bound(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"SCOREBOARD_{name}: "):
        load({f"SCOREBOARD_{name}": value})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ALLOWED_ORIGINS", "https://a.example,*"),
        ("ALLOWED_HOSTS", "*.a.example"),
        ("CLIENT_ADDRESS_HEADER", "X-Forwarded-For:"),
    ],
)
def test_a_name_that_nothing_would_ever_match_is_refused(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^SCOREBOARD_{variable}: "):
        load({f"SCOREBOARD_{variable}": value})
