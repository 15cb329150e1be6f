"""aiohttp's runner of an application, with the edge's connections in place of aiohttp's own."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from scoreboard.api.edge.admission import Admission, connection_refused, too_many_of_address
from scoreboard.api.edge.http_connection import Handler, HttpConnection
from scoreboard.api.problems import HEADERS, problem
from scoreboard.background import end


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
        self._left: set[asyncio.Task[None]] = set()  # requests whose clients have gone

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        """Takes note of a request that is still being answered."""
        answering = handler._task_handler
        if answering is not None:
            self._left.add(answering)
            answering.add_done_callback(self._left.discard)
        super().connection_lost(handler, exc)

    async def shutdown(self, timeout: float | None = None) -> None:
        """Gives requests so many seconds, and returns when none is being answered any more: one
        that goes on would open connections behind those who close them. aiohttp leaves alone a
        request whose client has gone, and does not wait for one that it cancels."""
        answering = [c._task_handler for c in self._connections if c._task_handler is not None]
        await super().shutdown(timeout)
        await end(*answering, *self._left)

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
