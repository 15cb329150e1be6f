"""Files that libraries open by themselves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scoreboard.commands.files_of_libraries import READ, check_files_of_libraries
from scoreboard.errors import ConfigurationError


@pytest.mark.parametrize("name", READ)
def test_what_a_library_would_wait_for_is_named_before_it_opens_it(
    tmp_path: Path, name: str
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    link = tmp_path / "link"
    link.symlink_to(pipe)
    for path, reason in {pipe: "a pipe", link: "a pipe", "/dev/zero": "more than"}.items():
        with pytest.raises(ConfigurationError, match=f"{name}={path}: .*{reason}"):
            check_files_of_libraries({name: str(path)})


def test_files_that_end_and_those_that_are_not_there_are_left_to_the_library(
    tmp_path: Path,
) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(2 * 1024 * 1024))
    for path in ("", "/dev/null", str(tmp_path), str(tmp_path / "none"), str(large)):
        check_files_of_libraries(dict.fromkeys(READ, path))
