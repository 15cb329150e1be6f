"""A pooled connection is reset only after statements that leave something behind."""

from __future__ import annotations

import re
from pathlib import Path

import scoreboard
from scoreboard.pg.connection import LEAVES

PACKAGE = Path(scoreboard.__file__).parent
SESSION_LOCK = re.compile(r"pg_\w*advisory_lock\w*\(")


def test_every_lock_of_a_session_is_known_to_be_left_behind() -> None:
    texts = [
        path.read_text()
        for path in (*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.sql"))
        if "migrations" not in path.parts
    ]
    found = {name for text in texts for name in SESSION_LOCK.findall(text)}
    assert "pg_try_advisory_lock(" in found
    assert found <= set(LEAVES), "scoreboard/pg/connection.py has to know what it takes back"
