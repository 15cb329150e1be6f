"""What the README says of the code is so."""

from __future__ import annotations

import re

from scoreboard.__main__ import COMMANDS
from scripts.settings_table import README, table, written

TEXT = README.read_text(encoding="utf-8")


def test_the_table_of_settings_is_that_of_the_code() -> None:
    assert written() == table(), "python -m scripts.settings_table writes it"


def test_every_command_is_listed_in_the_order_of_its_help() -> None:
    assert re.findall(r"^\| `scoreboard ([a-z]+)` \| .+ \|$", TEXT, re.MULTILINE) == list(COMMANDS)


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)

    assert len(links) > 5
    assert [link for link in links if not (README.parent / link).exists()] == []
