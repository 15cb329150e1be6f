"""Settings that can't work end a role at once, in one line that shows no password."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from scoreboard.settings import Settings
from tests.support.command import named, scoreboard

NOWHERE = named("redis://127.0.0.1:1/0", "postgresql://scoreboard@127.0.0.1:1/scoreboard")


@pytest.mark.parametrize(
    ("role", "variable", "value"),
    [
        ("serve", "SCOREBOARD_REDIS_URL", "localhost:6379"),
        ("persist", "SCOREBOARD_REDIS_URL", "redis://:hunter/2@localhost:6379"),
        ("rebuild --all", "SCOREBOARD_REDIS_URL", "redis://:hunter@localhost:6379/abc"),
        ("verify", "SCOREBOARD_DATABASE_URL", "localhost"),
        ("migrate", "SCOREBOARD_DATABASE_URL", "postgresql://u:hunter/2@localhost/db"),
        ("serve", "SCOREBOARD_DATABASE_URL", "postgresql://u:hunter@localhost:65536/db"),
        ("persist", "SCOREBOARD_REDIS_URL", "redis://:hunter@localhost:65536/0"),
        ("serve", "SCOREBOARD_REDIS_URL", "redis://:hunter@localhost:0/0"),
        ("serve", "SCOREBOARD_DEFAULT_BOARD", "My Board"),
    ],
)
async def test_a_malformed_setting_is_named(role: str, variable: str, value: str) -> None:
    ended = await scoreboard(*role.split(), **{**NOWHERE, variable: value})

    # A supervisor need not start a role again whose settings can't work (EX_CONFIG).
    assert ended.code == (78 if role in ("serve", "persist") else 1)
    *others, line = ended.err.splitlines()
    assert line.startswith(f"scoreboard: {variable}")
    assert "hunter" not in line
    # Where the system allows few descriptors, a role has said so before.
    assert all("few_file_descriptors" in other for other in others)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many"),  # at which the library looks when it is loaded
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
    ],
)
async def test_a_variable_of_opentelemetry_that_can_not_be_is_named_without_a_traceback(
    variable: str, value: str
) -> None:
    wrong = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_BSP_SCHEDULE_DELAY": "soon",  # of which the library only complains
        variable: value,
    }
    ended = await scoreboard("persist", **NOWHERE, **wrong)

    assert ended.code == 78
    assert ended.err.splitlines()[-1].startswith("scoreboard: OpenTelemetry (OTEL_*): ")
    assert "Traceback" not in ended.err


async def test_a_port_of_the_environment_that_cannot_be_is_one_line() -> None:
    at = "postgresql://scoreboard@127.0.0.1/scoreboard"
    ended = await scoreboard("migrate", **{**named("redis://127.0.0.1:1/0", at), "PGPORT": "99999"})

    assert ended.code == 1
    assert ended.err.startswith("scoreboard: SCOREBOARD_DATABASE_URL is no Postgres URL")


@pytest.mark.parametrize("role", ["serve", "persist", "verify", "up"])
async def test_a_database_that_redis_does_not_have_is_told_in_one_line(
    role: str, settings: Settings, tmp_path: Path
) -> None:
    beyond = urlsplit(settings.redis_url)._replace(path="/99").geturl()
    ended = await scoreboard(role, folder=tmp_path, **named(beyond, settings.database_url))

    assert ended.code == (78 if role in ("serve", "persist") else 1)
    assert "Traceback" not in ended.err
    line = ended.err.splitlines()[-1]
    assert line.startswith("scoreboard: ")
    assert "database" in line or "DB index" in line
