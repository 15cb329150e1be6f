"""Settings that can't work end a role at once, in one line that shows no password."""

from __future__ import annotations

import pytest

from tests.support.command import named, scoreboard

NOWHERE = named("redis://127.0.0.1:1/0", "postgresql://scoreboard@127.0.0.1:1/scoreboard")


@pytest.mark.parametrize(
    ("role", "variable", "value"),
    [
        ("serve", "SCOREBOARD_REDIS_URL", "localhost:6379"),
        ("persist", "SCOREBOARD_REDIS_URL", "redis://:hunter/2@localhost:6379"),
        ("verify", "SCOREBOARD_DATABASE_URL", "localhost"),
        ("migrate", "SCOREBOARD_DATABASE_URL", "postgresql://u:hunter/2@localhost/db"),
        ("serve", "SCOREBOARD_DEFAULT_BOARD", "My Board"),
    ],
)
async def test_a_malformed_setting_is_named(role: str, variable: str, value: str) -> None:
    ended = await scoreboard(role, **{**NOWHERE, variable: value})

    assert ended.code == 1
    (line,) = ended.err.splitlines()
    assert line.startswith(f"scoreboard: {variable}")
    assert "hunter" not in line
