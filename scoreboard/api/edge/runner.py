"""aiohttp's runner of an application, with the edge's connections in place of aiohttp's own."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from scoreboard.api.edge.admission import Admission, connection_refused, too_many_of_address
from scoreboard.api.edge.http_connection import Handler, HttpConnection
from scoreboard.api.problems import HEADERS, problem


class Runner(web.AppRunner):
    """Runs ``app`` for the connections that ``admission`` takes; see HttpConnection for the time
    limits. ``options`` are web.AppRunner's."""

    def __init__(
        self,
        app: web.Application,
        admission: Admission,
        *,
        header_timeout: float,
        write_timeout: float,
        **options: Any,
    ) -> None:
        super().__init__(app, handle_signals=False, **options)
        self._admission = admission
        self._limits = {"header_timeout": header_timeout, "write_timeout": write_timeout}

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        handler = made.request_handler
        if self._admission.addresses.header:
            handler = _shared(handler, self._admission)
        return _Server(handler, made.request_factory, self._admission, self._limits)


class _Server(web.Server):
    def __init__(
        self, handler: Any, request_factory: Any, admission: Admission, limits: dict[str, float]
    ) -> None:
        super().__init__(handler, request_factory=request_factory)
        self._admission = admission
        self._limits = limits

    def __call__(self) -> HttpConnection:
        """The protocol of a new connection."""
        return HttpConnection(self, self._admission, loop=self._loop, **self._limits)


def _shared(handler: Handler, admission: Admission) -> Handler:
    """``handler``, for which the requests that come through a proxy count as connections of the
    address that the proxy names."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        assert isinstance(connection, HttpConnection)
        share = "" if connection.address else admission.addresses.of(request)
        if not admission.shares.take(share):
            connection_refused("requests_per_address", share)
            response = problem(too_many_of_address())
            response.headers.update(HEADERS)
            return response
        try:
            return await handler(request)
        finally:
            admission.shares.give_back(share)

    return handle
