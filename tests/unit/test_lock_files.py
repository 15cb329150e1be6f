"""The lock files in requirements/, as `make lock` writes them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "requirements"
LOCKS = ["service", "otel", "run", "dev", "docs", "build"]


def pins(lock: str) -> set[str]:
    """Each ``name==version``."""
    text = (FOLDER / f"{lock}.txt").read_text(encoding="utf-8")
    return set(re.findall(r"^[a-z]\S*==\S+", text, re.MULTILINE))


@pytest.mark.parametrize("lock", ["service", "otel", "run", "build"])
def test_users_get_the_versions_that_the_tests_run_on(lock: str) -> None:
    assert pins(lock)
    assert pins(lock) - pins("dev") == set()


def test_what_builds_the_site_goes_with_what_is_installed_for_developers() -> None:
    versions = dict(pin.split("==") for pin in pins("dev"))
    shared = {pin for pin in pins("docs") if pin.split("==")[0] in versions}

    assert len(shared) > 20
    assert shared - pins("dev") == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_leaves_to_pip_where_packages_come_from(lock: str) -> None:
    text = (FOLDER / f"{lock}.txt").read_text(encoding="utf-8")

    assert "--hash=sha256:" in text
    assert "://" not in text
    assert not re.search(r"^ *-(-[a-z-]*(index|find-links|host)|i|f)\b", text, re.MULTILINE)


def test_the_documents_name_the_versions_that_the_tests_run_on() -> None:
    table = re.findall(
        r"^\| ([A-Za-z][\w-]+) \|(?: [a-z, ]+ \|)? (\d\S*) \|",
        (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )

    assert len(table) > 30
    locked = pins("dev") | pins("docs")
    assert [row for row in table if f"{row[0].lower()}=={row[1]}" not in locked] == []


def test_the_documents_name_the_versions_of_the_tools_from_npm() -> None:
    tools = json.loads((ROOT / "package.json").read_text())["devDependencies"]

    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").replace("`", "")
    assert tools.keys() == {"@biomejs/biome", "axe-core", "oidc-provider", "typescript"}
    assert [name for name in tools if f"| {name} | {tools[name]} |" not in text] == []
