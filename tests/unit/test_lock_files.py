"""The lock files in requirements/, as `make lock` writes them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "requirements"
LOCKS = ["service", "dev", "build"]


def pins(lock: str) -> set[str]:
    """Each ``name==version``."""
    text = (FOLDER / f"{lock}.txt").read_text(encoding="utf-8")
    return set(re.findall(r"^[a-z]\S*==\S+", text, re.MULTILINE))


@pytest.mark.parametrize("lock", ["service", "build"])
def test_the_image_gets_the_versions_that_the_tests_run_on(lock: str) -> None:
    assert pins(lock)
    assert pins(lock) - pins("dev") == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_leaves_to_pip_where_packages_come_from(lock: str) -> None:
    text = (FOLDER / f"{lock}.txt").read_text(encoding="utf-8")

    assert "--hash=sha256:" in text
    assert "://" not in text
    assert not re.search(r"^ *-(-[a-z-]*(index|find-links|host)|i|f)\b", text, re.MULTILINE)
