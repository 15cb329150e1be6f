"""Whether a process sends traces, which OpenTelemetry's own variables say."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog

from scoreboard.errors import ConfigurationError, installing
from scoreboard.telemetry.tracing_log import log_sparingly

if TYPE_CHECKING:  # loaded only where traces are sent: it needs an extra
    from scoreboard.telemetry.tracing import Tracer

log = structlog.get_logger(__name__)

PROTOCOL = "http/protobuf"


@asynccontextmanager
async def tracing(service: str) -> AsyncIterator[Tracer | None]:
    """The tracer of this process during the block; None when it sends no traces. Raises
    ConfigurationError when a variable of OpenTelemetry is wrong."""
    tracer = _tracer(service, os.environ) if _wanted(os.environ) else None
    try:
        yield tracer
    finally:
        if tracer is not None:
            await tracer.close()


def _wanted(environ: Mapping[str, str]) -> bool:
    """Whether there is somewhere to send traces, and nothing says not to."""
    return bool(
        _of_traces(environ, "ENDPOINT")
        and environ.get("OTEL_TRACES_EXPORTER", "").strip() != "none"
        and environ.get("OTEL_SDK_DISABLED", "").strip().lower() != "true"
    )


def _of_traces(environ: Mapping[str, str], name: str) -> str:
    """A variable of the exporter: that of traces, else that of all signals."""
    return (
        environ.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}")
        or environ.get(f"OTEL_EXPORTER_OTLP_{name}")
        or ""
    )


def _tracer(service: str, environ: Mapping[str, str]) -> Tracer | None:
    """None, with a warning, when this process can't send what is wanted: the variables may be those
    of everything on the machine, so that ends nothing."""
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    protocol = _of_traces(environ, "PROTOCOL") or PROTOCOL
    if exporter != "otlp" or protocol != PROTOCOL:
        log.warning(
            "no_traces", reason=f"they are sent by otlp, {PROTOCOL}: not {exporter}, {protocol}"
        )
        return None
    log_sparingly()
    propagators = environ.get("OTEL_PROPAGATORS") or "tracecontext"
    heeds = "tracecontext" in (name.strip() for name in propagators.split(","))
    try:
        from scoreboard.telemetry.tracing import open_tracer  # which looks at some variables

        tracer = open_tracer(service, heeds_callers=heeds)
    except ImportError as error:
        log.warning("no_traces", reason=str(error), remedy=installing("otel"))
        return None
    except (ValueError, RuntimeError) as error:
        raise ConfigurationError(f"OpenTelemetry (OTEL_*): {error}") from error
    log.info("tracing")
    return tracer
