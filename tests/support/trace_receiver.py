"""A receiver of traces, as OpenTelemetry's collector is: OTLP over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class ReceivedSpan(NamedTuple):
    """``trace``, ``id`` and ``parent`` in hexadecimal; a root has an empty parent."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, str | int]
    start: int
    end: int


class TraceReceiver:
    """``holds`` makes it take requests and never answer. ``bodies`` are the requests as they
    came."""

    def __init__(self, *, holds: bool = False) -> None:
        self.spans: list[ReceivedSpan] = []
        self.bodies: list[bytes] = []
        self.url = ""
        self._holds = holds
        self._runner: web.AppRunner | None = None

    def of(self, trace: str) -> dict[str, ReceivedSpan]:
        """The spans of a trace by their names; fails when two have the same."""
        found = [span for span in self.spans if span.trace == trace]
        named = {span.name: span for span in found}
        assert len(named) == len(found), found
        return named

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/traces", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.bodies.append(body)
        if self._holds:
            await asyncio.Event().wait()
        told = ExportTraceServiceRequest.FromString(body)
        for of_resource in told.resource_spans:
            resource = {a.key: a.value.string_value for a in of_resource.resource.attributes}
            for scope in of_resource.scope_spans:
                for span in scope.spans:
                    attributes: dict[str, str | int] = {
                        a.key: a.value.string_value or a.value.int_value for a in span.attributes
                    }
                    self.spans.append(
                        ReceivedSpan(
                            resource["service.name"],
                            span.name,
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex(),
                            attributes,
                            span.start_time_unix_nano,
                            span.end_time_unix_nano,
                        )
                    )
        return web.Response(
            body=ExportTraceServiceResponse().SerializeToString(),
            content_type="application/x-protobuf",
        )


@asynccontextmanager
async def receiving_traces(*, holds: bool = False) -> AsyncIterator[TraceReceiver]:
    receiver = TraceReceiver(holds=holds)
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()
