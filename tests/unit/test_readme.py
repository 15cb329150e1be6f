"""What the README and docs/dependencies.md say of the code is so."""

from __future__ import annotations

import re
from configparser import ConfigParser

from scoreboard.__main__ import COMMANDS
from scripts.settings_table import README, table, written

TEXT = README.read_text(encoding="utf-8")


def test_the_table_of_settings_is_that_of_the_code() -> None:
    assert written() == table(), "python -m scripts.settings_table writes it"


def test_every_command_is_listed_in_the_order_of_its_help() -> None:
    assert re.findall(r"^\| `scoreboard ([a-z]+)` \| .+ \|$", TEXT, re.MULTILINE) == [*COMMANDS]


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)

    assert len(links) > 5
    assert [link for link in links if not (README.parent / link).exists()] == []


def test_every_dependency_is_accounted_for() -> None:
    setup = ConfigParser()
    setup.read(README.parent / "setup.cfg", encoding="utf-8")
    lists = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
    named = {re.split(r"[ \[<>=]", line)[0] for text in lists for line in text.split("\n") if line}
    text = (README.parent / "docs" / "dependencies.md").read_text(encoding="utf-8")
    described = set(re.findall(r"^\| ([A-Za-z][\w-]+) \|", text, re.MULTILINE)) - {
        "package",
        "file",
    }

    assert named - {"scoreboard"} <= described
    assert described <= named | {"hiredis", "setuptools"}
