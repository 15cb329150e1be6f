"""A server that answers as it is told, request by request: with any answer, late, half, or not at
all."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.support.waiting import PATIENCE


@dataclass
class Request:
    """A request that waits for its answer."""

    method: str
    path: str
    query: dict[str, str | list[str]]  # lists of what was given several times
    token: str | None
    body: Any
    upgrade: bool
    answer: asyncio.Future[Any] = field(default_factory=asyncio.Future)
    socket: asyncio.Future[web.WebSocketResponse] = field(default_factory=asyncio.Future)

    def told(self) -> dict[str, Any]:
        """What cases compare."""
        return {
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "token": self.token,
            "body": self.body,
        }


class ScriptedServer:
    """Requests come one after the other from ``next``, and wait until they are answered."""

    def __init__(self) -> None:
        self.url = ""
        self._requests: asyncio.Queue[Request] = asyncio.Queue()

    async def next(self) -> Request:
        """The next request."""
        async with asyncio.timeout(PATIENCE):
            return await self._requests.get()

    def unexpected(self) -> list[dict[str, Any]]:
        """The requests that nobody has asked for."""
        found = []
        while not self._requests.empty():
            found.append(self._requests.get_nowait().told())
        return found

    async def handle(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        authorization = request.headers.get("Authorization")
        waiting = Request(
            request.method,
            re.sub("%[0-9a-f]{2}", lambda found: found[0].upper(), request.rel_url.raw_path),
            {name: _one_or_all(request.query.getall(name)) for name in request.query},
            authorization.removeprefix("Bearer ") if authorization else None,
            json.loads(text) if text else None,
            request.headers.get("Upgrade", "").lower() == "websocket",
        )
        self._requests.put_nowait(waiting)
        answer = await waiting.answer
        if answer == "upgrade":
            return await self._upgraded(request, waiting)
        if answer == "cut":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if "half" in answer:  # a head that promises more than comes
            response = web.StreamResponse(headers={"Content-Length": "1000"})
            await response.prepare(request)
            await response.write(json.dumps(answer["half"]).encode())
            assert request.transport is not None
            request.transport.abort()
            return response
        if "raw" in answer:  # what no server of HTTP would say
            assert request.transport is not None
            request.transport.write(answer["raw"].encode())
            request.transport.close()
            return web.Response()
        headers = answer.get("headers", {})
        if "text" in answer:
            return web.Response(status=answer["status"], text=answer["text"], headers=headers)
        return web.json_response(answer["body"], status=answer["status"], headers=headers)

    async def _upgraded(self, request: web.Request, waiting: Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(timeout=0.1)
        await socket.prepare(request)
        waiting.socket.set_result(socket)
        async for _ in socket:  # until it ends; what clients send is ignored
            pass
        return socket


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


async def end(socket: web.WebSocketResponse, how: int | str) -> None:
    """Closes with a code, or cuts the connection."""
    if how == "cut":
        assert socket._req is not None
        assert socket._req.transport is not None
        socket._req.transport.abort()
    else:
        assert socket._writer is not None  # the handler goes on reading, up to the client's close
        await socket._writer.close(int(how))


@asynccontextmanager
async def scripted_server() -> AsyncIterator[ScriptedServer]:
    """A server on a free port."""
    server = ScriptedServer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
