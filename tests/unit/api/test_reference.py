"""The description's chapters say all that there is to say of errors."""

from __future__ import annotations

import importlib
import pkgutil

import scoreboard.api
from scoreboard.api.reference import MEANINGS, TAGS, chapters, codes


def test_every_stable_code_has_a_meaning() -> None:
    for module in pkgutil.walk_packages(scoreboard.api.__path__, "scoreboard.api."):
        importlib.import_module(module.name)  # where errors may be that no other room knows

    assert codes().keys() == MEANINGS.keys()


def test_the_chapters_list_each_code_with_its_status() -> None:
    text = chapters()

    for code, status in codes().items():
        assert f"| `{code}` | {status} | {MEANINGS[code]} |" in text
    assert "# Tokens" in text
    assert {"scores", "boards", "live", "admin"} <= TAGS.keys()
