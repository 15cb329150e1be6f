"""A receiver of webhooks on a port of its own, which can be killed and revived, and misbehave."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal, NamedTuple

import msgspec
from aiohttp import web

from tests.support.kept_port import kept_port

Manner = Literal["takes", "fails", "holds", "redirects", "floods"]


class Received(NamedTuple):
    headers: dict[str, str]  # by names in small letters
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> Any:
        return msgspec.json.decode(self.body)


class Receiver:
    """``manner`` is how it answers: with 204, with 500, not until it is let go, with a redirect to
    ``elsewhere``, or with a body that never ends."""

    def __init__(self, host: str = "127.0.0.1", encryption: ssl.SSLContext | None = None) -> None:
        self.manner: Manner = "takes"
        self.elsewhere = ""
        self.received: list[Received] = []
        self.most_at_once = 0
        self._at_once = 0
        self.hung_up = 0  # answers without end that the sender did not wait for
        self._host = host
        self._encryption = encryption
        self.port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self.port}/hooks"

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.received]

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/hooks", self._hear)
        self._runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self.port, ssl_context=self._encryption).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = None

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Nobody listens until the end of the block; the port stays its own."""
        await self.stop()
        with kept_port(self._host, self.port):
            yield
            await self.start()

    async def _hear(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(Received(headers, await request.read()))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return await self._answer(request)
        finally:
            self._at_once -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        match self.manner:
            case "fails":
                return web.Response(status=500, text="not today")
            case "holds":
                await asyncio.Event().wait()
            case "redirects":
                return web.Response(status=307, headers={"Location": self.elsewhere})
            case "floods":
                return await self._flood(request)
        return web.Response(status=204)

    async def _flood(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"0" * 65_536)
        finally:
            self.hung_up += 1


@asynccontextmanager
async def receiving(
    host: str = "127.0.0.1", encryption: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    receiver = Receiver(host, encryption)
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()
