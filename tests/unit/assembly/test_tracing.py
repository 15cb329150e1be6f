"""Which processes send traces."""

from __future__ import annotations

import os
import sys

import pytest
from structlog.testing import capture_logs

from scoreboard.assembly.tracing import tracing
from scoreboard.errors import ConfigurationError

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {ENDPOINT: ""},
        {ENDPOINT: NOBODY, "OTEL_TRACES_EXPORTER": "none"},
        {ENDPOINT: NOBODY, "OTEL_SDK_DISABLED": "true"},
    ],
)
async def test_no_traces_are_sent_unless_somebody_wants_them(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with capture_logs() as lines:
        async with tracing("scoreboard-serve") as tracer:
            assert tracer is None
    assert lines == []


async def test_without_the_extra_a_line_says_so_and_the_process_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(ENDPOINT, NOBODY)
    monkeypatch.delitem(sys.modules, "scoreboard.telemetry.tracing", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with capture_logs() as lines:
        async with tracing("scoreboard-serve") as tracer:
            assert tracer is None
    assert [(line["event"], line["remedy"]) for line in lines] == [
        ("no_traces", f"{sys.executable} -m pip install 'scoreboard[otel]'")
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ("OTEL_TRACES_EXPORTER", "console"),
    ],
)
async def test_another_way_of_sending_is_refused_in_a_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(ENDPOINT, NOBODY)
    monkeypatch.setenv(name, value)
    with capture_logs() as lines:
        async with tracing("scoreboard-serve") as tracer:
            assert tracer is None
    (line,) = lines
    assert line["event"] == "no_traces"
    assert value in line["reason"]


async def test_a_wrong_variable_of_opentelemetry_is_an_error_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", NOBODY)
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-1")
    with pytest.raises(ConfigurationError, match="OTEL"):
        async with tracing("scoreboard-serve"):
            pass
